"""Going through a page with the Tab key."""

from __future__ import annotations

from playwright.sync_api import Page

# Numbers everything that takes the focus, as it stands on the page; of radio buttons with one name a browser stops at one only.
NUMBER = """() => {
  const names = new Set();
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  return all.filter(e => {
    if (e.disabled || e.type === "hidden" || e.tabIndex < 0 || !e.checkVisibility({visibilityProperty: true})) return false;
    if (e.type !== "radio") return true;
    const group = e.form && e.form.elements[e.name];
    const chosen = group && group.length ? [...group].find(r => r.checked) : null;
    if (chosen) return chosen === e;
    if (names.has(e.name)) return false;
    names.add(e.name);
    return true;
  }).map((e, number) => { e.dataset.number = number; return number; });
}"""
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e);
  const isShown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return isShown ? Number(e.dataset.number ?? -1) : "no focus to be seen: " + e.outerHTML;
}"""


def start(page: Page) -> None:
    """Put the focus before everything, as on a page that was just opened."""
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.evaluate("""() => {
      document.body.tabIndex = -1;
      document.body.focus({focusVisible: false});
      document.body.removeAttribute("tabindex");
    }""")


def controls(page: Page) -> list[int]:
    """The numbers of everything that has to take the focus; no page has nothing, because the skip link is on each."""
    found = list(page.evaluate(NUMBER))
    assert found
    return found


def walk(page: Page) -> list[int | str]:
    """What Tab reaches one after the other, until it leaves the page; a control that does not show its focus, as a sentence."""
    numbers = controls(page)
    start(page)
    reached: list[int | str] = []
    for _ in range(len(numbers) + 1):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        reached.append(focused)
    return reached

"""Somebody at a browser: a profile of its own, and everything that went wrong in it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, sync_playwright

from radicale_onoffice.pages.exchange import SESSION_COOKIE

NAMES = ("chromium", "chromium-browser")  # as Debian and Ubuntu name it
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A page that is answered 403 or 404 is an error for the console, and not for us.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


def executable() -> str | None:
    """Where the browser is: what CHROMIUM names, or the first that the path has."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def open_browser(path: str, *flags: str) -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What somebody sits at."""

    width: int = 1280
    height: int = 800
    scripts: bool = True
    dark: bool = False
    language: str = "en-GB"


DESKTOP, PHONE = Equipment(), Equipment(width=390, height=844)
WITHOUT_SCRIPTS, PHONE_WITHOUT_SCRIPTS = Equipment(scripts=False), Equipment(width=390, height=844, scripts=False)


class Person:
    """A profile with one window. ``faults`` are what must not happen: errors of scripts, of the server, of the policy; a dialog."""

    def __init__(self, browser: Browser, url: str, equipment: Equipment = DESKTOP, *, bypass_csp: bool = False):
        self.url = url
        self.context = browser.new_context(
            viewport={"width": equipment.width, "height": equipment.height},
            java_script_enabled=equipment.scripts,
            color_scheme="dark" if equipment.dark else "light",
            reduced_motion="reduce",
            locale=equipment.language,
            bypass_csp=bypass_csp,
        )
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.responses: list[Response] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("response", self._answered)
        self.page.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        is_answer = REFUSED.match(message.text) and message.location["url"].partition("?")[0] == self.page.url.partition("?")[0]
        if message.type in ("error", "warning") and not is_answer:
            self.faults.append(f"console: {message.text}")

    def _asked(self, dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _answered(self, response: Response) -> None:
        self.responses.append(response)
        if response.status >= 500:
            self.faults.append(f"{response.status} {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that was left, or a download
            self.faults.append(f"{request.failure} {request.url}")

    # ------------------------------------------------------------------ doing

    def open(self, path: str = "/") -> Response:
        """Type the address of a page."""
        answer = self.page.goto(f"{self.url}/.web{path}")
        assert answer is not None
        return answer

    def take_session(self, token: str) -> None:
        """Be signed in already."""
        self.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": f"{self.url}/.web"}])

    def sign_in(self, login: str = "anna", password: str = "secret", path: str = "/") -> None:
        """Open a page that asks for a login, and give it."""
        self.open(path)
        self.page.get_by_label("User name").fill(login)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.press("Sign in")

    def press(self, name: str, within: Page | Locator | None = None) -> None:
        """Press a button by its words."""
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str, within: Page | Locator | None = None) -> None:
        """Follow a link by its words."""
        (within or self.page).get_by_role("link", name=name, exact=True).click()

    # ----------------------------------------------------------------- seeing

    @property
    def sees(self) -> str:
        """The words of the page without the frame around it, as they are shown: white space is one blank."""
        return " ".join(self.page.locator("main").inner_text().split())

    def has_button(self, name: str) -> bool:
        """True if there is such a button."""
        return self.page.get_by_role("button", name=name, exact=True).count() > 0

    def close(self) -> None:
        """Leave."""
        self.context.close()

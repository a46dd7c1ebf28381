"""``python -m tests.browser.screenshots``: the pictures of the pages in ``docs/pages``, of the gallery, so that they are the same each time."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser import gallery, person
from tests.browser.live import Live
from tests.pages.addresses import PAGES

OUT = Path(__file__).parent.parent.parent / "docs" / "pages"
HOST = "sync.example"
MOST = 1_000_000  # bytes of all pictures
TALL = 1100  # pixels at most; what is below shows nothing new
DARK = person.Equipment(dark=True)
PHONE_DARK = person.Equipment(width=390, height=844, dark=True)
# name of the picture: path of the route, with what the browser is
PICTURES = {
    "my-sync": ("/", person.DESKTOP),
    "my-sync-phone": ("/", PHONE_DARK),
    "contacts": ("/contacts", person.DESKTOP),
    "contact": ("/contacts/{contact}", person.DESKTOP),
    "devices": ("/devices", person.DESKTOP),
    "device": ("/devices/{key}", person.DESKTOP),
    "set-up": ("/set-up", person.DESKTOP),
    "set-up-iphone": ("/set-up/{client}", person.PHONE),
    "account": ("/account", person.DESKTOP),
    "admin": ("/admin", person.DESKTOP),
    "admin-users": ("/admin/users", DARK),
    "admin-user": ("/admin/users/{login}", person.DESKTOP),
    "admin-devices": ("/admin/devices", person.DESKTOP),
    "admin-audit": ("/admin/audit", person.DESKTOP),
}


def take(browser, live: Live, path: str, equipment: person.Equipment) -> bytes:
    """A picture of a page, as a PNG of few colours."""
    one = person.Person(browser, f"http://{HOST}", equipment)
    one.context.set_extra_http_headers({"X-Forwarded-Proto": "https"})
    one.take_session(live.session())
    answer = one.open(path)
    if not answer.ok or one.faults:
        sys.exit(f"{path} was answered {answer.status}. {' '.join(one.faults)}")
    tall = min(int(one.page.evaluate("document.documentElement.scrollHeight")), TALL)
    one.page.set_viewport_size({"width": equipment.width, "height": tall})
    picture = Image.open(io.BytesIO(one.page.screenshot()))
    one.close()
    small = io.BytesIO()
    picture.convert("RGB").quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def main() -> None:
    """Take all pictures anew."""
    path = person.executable()
    if path is None:
        sys.exit("Chromium is missing; on Debian or Ubuntu: apt-get install chromium")
    first = {address.route.path: address for address in reversed(PAGES)}
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(gallery.open_gallery(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        # Phones need a name and TLS, and the pages say so; here both are pretended.
        flags = f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{live.port}", f"--unsafely-treat-insecure-origin-as-secure=http://{HOST}"
        browser = stack.enter_context(person.open_browser(path, *flags))
        taken = {name: take(browser, live, first[route].path(live.office), how) for name, (route, how) in PICTURES.items()}
    size = sum(map(len, taken.values()))
    if size > MOST:
        sys.exit(f"The pictures take {size} bytes; {MOST} is the most.")
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.png"):
        old.unlink()
    for name, content in taken.items():
        (OUT / f"{name}.png").write_bytes(content)
    sys.stdout.write(f"{len(taken)} pictures, {size // 1024} KB, in {OUT}\n")


if __name__ == "__main__":
    main()

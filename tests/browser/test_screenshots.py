"""The pictures of the pages that README shows; ``make screenshots`` takes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser import screenshots
from tests.pages.addresses import PAGES

ROOT = Path(__file__).parent.parent.parent


def test_readme_shows_every_picture_and_they_are_small():
    """Each that is taken is there and is shown; all together take 1 MB at most."""
    shown = set(re.findall(r"\(docs/pages/([a-z-]+)\.png\)", (ROOT / "README.md").read_text("utf-8")))
    kept = {file.stem: file.stat().st_size for file in (ROOT / "docs" / "pages").iterdir()}
    assert screenshots.PICTURES.keys() == shown == kept.keys()
    assert sum(kept.values()) <= screenshots.MOST


def test_every_page_of_the_navigation_has_a_picture():
    """So that a visitor sees the product."""
    taken = {path for path, _ in screenshots.PICTURES.values()}
    lists = {one.route.path for one in PAGES if one.route.path.count("/") == 1 and one.route.path != "/restart"}
    assert lists <= taken

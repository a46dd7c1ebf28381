"""libwbxml as the second opinion: what does a decoder that is not ours make of a body?"""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

from tests.conftest import missing


def decoded(body: bytes) -> ElementTree.Element:
    """The root; names are ``{AirSync:}Sync`` and libwbxml's own for some tags. Fails if it refuses the body."""
    program = shutil.which("wbxml2xml")
    if program is None:
        missing("wbxml2xml", "libwbxml2-utils")
    done = subprocess.run([program, "-l", "ACTIVESYNC", "-m", "0", "-o", "-", "-"], input=body, capture_output=True, check=True)
    text = done.stdout[: done.stdout.rindex(b">") + 1]  # "wbxml2xml succeeded" follows
    return ElementTree.fromstring(text)  # noqa: S314 (made from our own body)

"""The form of an answer in several parts ([MS-ASCMD] 2.2.1.10.1). Pure."""

from __future__ import annotations

import struct

from activesync_bridge.session import Multipart
from activesync_bridge.wbxml.writer import encode


def joined(answer: Multipart) -> bytes:
    """The count of parts, offset and length of each as little-endian 32-bit integers, then the parts: the WBXML first."""
    parts = (encode(answer.element), *answer.parts)
    at = 4 + 8 * len(parts)
    head = [struct.pack("<I", len(parts))]
    for part in parts:
        head.append(struct.pack("<II", at, len(part)))
        at += len(part)
    return b"".join((*head, *parts))

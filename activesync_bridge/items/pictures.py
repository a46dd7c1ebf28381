"""Pictures of contacts: at most 48 KB of base64 on a phone ([MS-ASCNTC] R381-R384), as large as they are in the CRM.

A larger picture is sent as a smaller JPEG. The same bytes give the same JPEG, and what comes back is compared by what it shows, so that
neither a phone's returning it nor its re-encoding it ever replaces the original.
"""

from __future__ import annotations

import functools
import io
import math
import re
from base64 import b64decode, b64encode
from typing import Final

from PIL import Image, ImageOps

from radicale_onoffice.core.errors import BadRequest, TooLarge

MAX_BASE64: Final = 48 * 1024  # characters (R384)
MAX_PIXELS: Final = 50_000_000  # of a photo; what claims more is a decompression bomb
MAX_DECODED: Final = 16_000_000  # pixels that are held in memory; JPEG is decoded smaller
SIDES: Final = (512, 384, 288, 216, 160, 120, 96, 72)  # pixels of the longer side, tried in turn
LIKENESS: Final = 24  # largest difference of two thumbnails' values, of 255, that comes from encoding anew
BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
MEDIA: Final = ((b"\xff\xd8\xff", "jpeg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"RIFF", "webp"))


def encoded(data: bytes) -> str:
    """The Picture that a phone is sent, "" for a large one that cannot be read."""
    return b64encode(data).decode() if 4 * math.ceil(len(data) / 3) <= MAX_BASE64 else _smaller(data)


@functools.lru_cache(maxsize=16)  # a change reads the same picture up to three times; the store keeps what was sent
def _smaller(data: bytes) -> str:
    try:
        picture = _opened(data, SIDES[0])
        for side in SIDES:
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=80)
            if 4 * math.ceil(out.tell() / 3) <= MAX_BASE64:
                return b64encode(out.getvalue()).decode()
    except BROKEN:
        return ""
    return ""


def _opened(data: bytes, side: int) -> Image.Image:
    """The upright picture in RGB on white; raises one of BROKEN."""
    picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF", "BMP", "WEBP"))
    if picture.width * picture.height > MAX_PIXELS:
        raise ValueError("more pixels than any photo has")
    picture.draft("RGB", (2 * side, 2 * side))  # JPEG only: decodes at a fraction of the size
    if picture.width * picture.height > MAX_DECODED:
        raise ValueError("more pixels than are worth the memory")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA", "P"):
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, "white")
        upright.paste(layer, mask=layer.getchannel("A"))
    return upright.convert("RGB")


def decoded(text: str) -> tuple[bytes, str]:
    """Bytes and media subtype of a client's Picture; raises BadRequest, TooLarge (R384)."""
    if len(text) > MAX_BASE64:
        compact = re.sub(r"\s", "", text)
        if len(compact) > MAX_BASE64:
            raise TooLarge("The picture in base64", len(compact), MAX_BASE64)
        text = compact
    try:
        data = b64decode(re.sub(r"\s", "", text), validate=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        raise BadRequest("The picture is not valid base64.") from None
    return data, next((media for magic, media in MEDIA if data.startswith(magic)), "jpeg")


def shows_the_same(one: bytes, other: bytes) -> bool:
    """True if two pictures are equal, or thumbnails of both look alike in the same proportions."""
    if one == other:
        return True
    try:
        pictures = [_opened(data, 32) for data in (one, other)]
    except BROKEN:
        return False
    ratios = [picture.width / picture.height for picture in pictures]
    if abs(ratios[0] / ratios[1] - 1) > 0.03:
        return False
    first, second = (picture.resize((24, 24), Image.Resampling.BOX).tobytes() for picture in pictures)
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) <= LIKENESS

"""The protocol versions that are spoken."""

from __future__ import annotations

from enum import IntEnum


class Version(IntEnum):
    """Protocol versions, as the base64 query numbers them ([MS-ASHTTP] 2.2.1.1.1.1); they compare."""

    V12_1 = 121
    V14_0 = 140
    V14_1 = 141
    V16_0 = 160
    V16_1 = 161

    def __str__(self) -> str:
        return f"{self // 10}.{self % 10}"

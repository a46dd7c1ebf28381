"""WBXML as ActiveSync uses it ([MS-ASWBXML], WBXML 1.3): bytes to elements and back, without I/O."""

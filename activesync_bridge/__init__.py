"""The ActiveSync face: phones on the same records, rights, limits and lock as the DAV face ([MS-ASCMD], [MS-ASHTTP])."""

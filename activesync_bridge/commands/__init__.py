"""One file per command ([MS-ASCMD] 2.2.1): parse, act, build. A command decides nothing that the core decides."""

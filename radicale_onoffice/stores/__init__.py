"""Where everything is kept: one SQL schema, two engines."""

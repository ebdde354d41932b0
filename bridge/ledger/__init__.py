"""Pure: facts that cannot be undone. `entry` makes their bytes, `tree` binds them together (RFC 9162)."""

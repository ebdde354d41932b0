"""What a profile chooses of a format: a value of its table, or the format's own.

Rules of this file: pure. A value that cannot be used is an error with those that can, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bridge.errors import ConfigError


def number(options: Mapping[str, object], name: str, usual: int, least: int = 1) -> int:
    """A whole number, at least `least`. Raises ConfigError."""
    given = options.get(name, usual)
    try:
        value = int(str(given))
    except ValueError:
        value = least - 1
    if value < least:
        raise ConfigError([f"option {name}: {given!r} is no whole number from {least} on."])
    return value


def word(options: Mapping[str, object], name: str, among: Sequence[str]) -> str:
    """One of `among`, the first of which is usual. Raises ConfigError."""
    value = str(options.get(name, among[0]))
    if value not in among:
        raise ConfigError([f"option {name}: {value!r} is none of {', '.join(among)}."])
    return value


_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,20}", re.ASCII)


def prefix(options: Mapping[str, object]) -> str:
    """The beginning of document ids: signs that stand for themselves in every load file and file name.
    Raises ConfigError."""
    value = str(options.get("prefix", "WB"))
    if not _PREFIX.fullmatch(value):
        raise ConfigError([f"option prefix: {value!r} is not 1 to 20 of A-Z, a-z, 0-9, - and _."])
    return value


def text(options: Mapping[str, object], name: str, usual: str = "") -> str:
    """Any words."""
    return str(options.get(name, usual))

"""In which language a command speaks to people.

Rules of this file: an option wins over the environment; what neither says is English. The names of locales
are POSIX's (`zh_HK.UTF-8`), those of languages BCP 47's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from bridge.words import LANGUAGES

_TRADITIONAL = ("HK", "TW", "MO", "HANT")


def spoken(environment: Mapping[str, str]) -> str:
    """The language of the first of LC_ALL, LC_MESSAGES and LANG that is set: en, zh-Hans or zh-Hant."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "").upper().replace("-", "_")
    if not locale.startswith("ZH"):
        return "en"
    parts = locale.replace(".", "_").replace("@", "_").split("_")
    return "zh-Hant" if any(part in _TRADITIONAL for part in parts) else "zh-Hans"


language_option = click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES, case_sensitive=False),
    metavar=f"[{'|'.join(LANGUAGES)}]",
    default=lambda: spoken(os.environ),
    help="Language of the words. [default: that of LC_ALL or LANG]",
)

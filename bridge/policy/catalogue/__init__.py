"""The words of every diagnostic, by language and key.

Rules of this file: languages have the names that the bridge uses everywhere: en, zh-Hans, zh-Hant. Every
table has the same keys and the same values in its texts; a test holds them together.
"""

from collections.abc import Mapping

from bridge.policy.catalogue.en import EN
from bridge.policy.catalogue.text import Text

TEXTS: Mapping[str, Mapping[str, Text]] = {"en": EN}

__all__ = ["TEXTS", "Text"]

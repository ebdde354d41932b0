"""The words of every diagnostic, by language and key.

Rules of this file: languages have the names that the bridge uses everywhere: en, zh-Hans, zh-Hant. Every
table has the same keys and the same values in its texts; a test holds them together.
"""

from collections.abc import Mapping

from bridge.policy.catalogue.en import EN
from bridge.policy.catalogue.text import Text
from bridge.policy.catalogue.zh_hans import ZH_HANS
from bridge.policy.catalogue.zh_hant import ZH_HANT

TEXTS: Mapping[str, Mapping[str, Text]] = {"en": EN, "zh-Hans": ZH_HANS, "zh-Hant": ZH_HANT}

__all__ = ["TEXTS", "Text"]

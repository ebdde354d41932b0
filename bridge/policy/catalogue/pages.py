"""A page for each code: what it means, why it matters, a wrong example and a right one.

Rules of this file: the words are in a table for each language, the examples (in `examples`) are the same
for all. A test runs them: the wrong one yields its code, the right one nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.policy.catalogue.examples import EXAMPLES, shown
from bridge.policy.catalogue.pages_en import PAGES_EN
from bridge.policy.catalogue.pages_zh_hans import PAGES_ZH_HANS
from bridge.policy.catalogue.pages_zh_hant import PAGES_ZH_HANT
from bridge.policy.catalogue.text import PageText

PAGES: Mapping[str, Mapping[str, PageText]] = {  # by language and code
    "en": PAGES_EN,
    "zh-Hans": PAGES_ZH_HANS,
    "zh-Hant": PAGES_ZH_HANT,
}
_HEADINGS = {
    "en": ("Why it matters", "Wrong", "Right"),
    "zh-Hans": ("为什么重要", "错误写法", "正确写法"),
    "zh-Hant": ("為何重要", "錯誤寫法", "正確寫法"),
}


def page(code: str, language: str = "en") -> str:
    """The page of `code`, as plain text. Raises KeyError when there is no such code."""
    text = PAGES[language][code]
    why, wrong, right = _HEADINGS[language]
    parts = [f"{code}  {text.title}", text.meaning, f"{why}\n  {text.matters}"]
    example = EXAMPLES.get(code)
    if example is not None:
        parts.append(f"{wrong}\n{_indented(shown(example.wrong))}")
        if example.right:
            parts.append(f"{right}\n{_indented(shown(example.right))}")
    return "\n\n".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

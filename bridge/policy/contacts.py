"""Ways to reach somebody elsewhere: telephone numbers, e-mail addresses, web addresses.

Rules of this file: e-mail and web addresses are formats. Telephone numbers are what Google's numbering tables
call valid; the tables are loaded by the first message that may hold a number, and are asked a bounded number
of times per message.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from bridge.policy.detectors import CERTAIN, FORMAT, HIGH, MEDIUM, Finding, Levels, Scan, Shape, checked
from bridge.policy.patterns import TooMany

# --- telephone ------------------------------------------------------------------------------------------

MOST_QUESTIONS = 100  # to the tables, about one message
_SHAPE = r"[0-9](?:[ ()-]{0,2}[0-9]){6}"
_RUN = re.compile(r"[0-9](?:[ ()-]{0,2}[0-9]){6,}")
_GROUP = re.compile(r"[0-9]+")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[ -](?:0?[1-9]|1[0-2])[ -][0-3]?[0-9]")
_PHONE_WORDS = (
    *("电话", "手机", "致电", "打给", "号码", "微信", "phone", "mobile", "cell", "tel", "call", "fax"),
    *("whatsapp", "telegram", "signal"),
)


@functools.lru_cache(maxsize=4096)
def _validity(written: str, regions: tuple[str, ...]) -> Levels | None:
    """How sure it is that `written` is a telephone number, None if it is none.

    With + it is one of any country. Without, of `regions`: Chinese mobile numbers and numbers written as
    telephone numbers are (brackets, hyphens) are told from other numbers, the others need a word.
    """
    import phonenumbers

    for region in (None,) if written.startswith("+") else regions:
        try:
            number = phonenumbers.parse(written, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            mobile = re.fullmatch(r"(?:86)?1[3-9][0-9]{9}", re.sub("[^0-9]", "", written))
            if region is None:
                return CERTAIN
            return Levels(MEDIUM, HIGH) if mobile or set(written) & set("()-") else FORMAT
    return None


def phone(regions: Sequence[str]) -> Shape:
    """Telephone numbers: international ones with +, and those of `regions` as people there write them."""
    known = tuple(regions)

    def find(scan: Scan) -> Iterator[Finding]:
        questions = 0
        for run in _RUN.finditer(scan.text):
            for start, end in (windows := _Windows(scan.text, run)):
                questions += 1
                if questions > MOST_QUESTIONS:
                    raise TooMany
                written = scan.text[start:end]
                levels = None if _DATE.fullmatch(written) else _validity(written.replace("+ ", "+"), known)
                if levels is not None:
                    windows.skip()
                    yield Finding(start, end, *levels)

    return Shape(_SHAPE, find, _PHONE_WORDS)


class _Windows:
    """Neighbouring groups of digits that may be one number of 7 to 15 digits, the longest first."""

    def __init__(self, text: str, run: re.Match[str]) -> None:
        self._text = text
        self._groups = [match.span() for match in _GROUP.finditer(text, *run.span())]
        self._found = False

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first = 0
        while first < len(self._groups):
            self._found, following = False, first + 1
            for last in self._lasts(first):
                yield self._place(first, last)
                if self._found:
                    following = last + 1
                    break
            first = following

    def skip(self) -> None:
        """Go on behind the window that was given last: it is a number."""
        self._found = True

    def _lasts(self, first: int) -> list[int]:
        lasts, digits = [], 0
        for last in range(first, len(self._groups)):
            digits += self._groups[last][1] - self._groups[last][0]
            if digits > 15:
                break
            if digits >= 7:
                lasts.append(last)
        return lasts[::-1]

    def _place(self, first: int, last: int) -> tuple[int, int]:
        start, end = self._groups[first][0], self._groups[last][1]
        before = re.search(r"\+ ?\(?$|\($", self._text[max(start - 3, 0) : start])
        return start - len(before.group()) if before else start, end


# --- e-mail ---------------------------------------------------------------------------------------------

_HOST = r"(?:[a-z0-9][a-z0-9-]{0,62}\.)+"
EMAIL = checked(
    rf"[a-z0-9_%+-][a-z0-9._%+-]{{0,63}}@{_HOST}(?:xn--[a-z0-9-]{{2,59}}|[a-z]{{2,24}})",
    lambda address: CERTAIN,
    edges=(r"(?<![a-z0-9._%+-])", r"(?![a-z0-9-])"),
    met=r"[a-z0-9_%+-]@[a-z0-9]",
)

# --- web ------------------------------------------------------------------------------------------------

_TOPS = (
    "com|cn|hk|net|org|io|me|cc|tw|mo|sg|info|biz|top|xyz|app|link|site|club|vip|im|gl|ly|co|il|uk|jp|eu|de"
)
_PATH = r"(?:[:/?#][a-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*[a-z0-9/_=&#~%+-]|/)?"
_TICKER = re.compile(r"[0-9]+\.[a-z]{2}")


def _url(address: str) -> Levels | None:
    """A scheme or www. says what it is; a name alone may be something else. 0700.hk is a share."""
    if _TICKER.fullmatch(address):
        return None
    return CERTAIN if "://" in address or address.startswith("www.") else Levels(MEDIUM, HIGH)


URL = checked(
    rf"(?:weixin|whatsapp|tg)://[a-z0-9]{{1,63}}{_PATH}|(?:https?|ftp)://(?:{_HOST}[a-z0-9-]{{2,63}}|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}"
    rf"){_PATH}|www\.{_HOST}[a-z]{{2,24}}{_PATH}|{_HOST}(?:{_TOPS})(?![a-z0-9@-]|\.[a-z0-9]){_PATH}",
    _url,
    edges=(r"(?<![a-z0-9@._/-])", ""),
    met=r"[a-z]://[a-z0-9]|[a-z0-9-]\.[a-z]{2}",
)

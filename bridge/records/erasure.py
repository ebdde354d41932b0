"""Requests to be forgotten: until when they are answered, what the answer is, and the letter that says so.

Rules of this file: pure; whole sentences in three languages, as in `words`. GDPR Art. 12(3) and 17 give one
month, which may be made longer by two where many requests are difficult, if the person is told within the
first; Art. 17(3)(b) and (e) leave what a law or a claim requires to be kept. PIPL Art. 47 names no period:
the same month is taken. A letter says what keeps a record and until when, and never the name of a legal hold:
whoever is looked into is not to learn it from an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LAWS: Mapping[str, str] = {
    "gdpr": "GDPR (EU) 2016/679, Art. 17",
    "pipl": "PIPL (PRC), Art. 47",
}
"""The laws by which people ask."""

LANGUAGES = ("en", "zh-Hans", "zh-Hant")

ERASED, KEPT = "erased", "kept"


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of one record: `erased` once two people have agreed, or `kept` until a time (milliseconds,
    None: not known yet) because of a class and for these reasons."""

    message: int
    outcome: str
    until: int | None
    because: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it stands: about whom, by which law; who took it down, when and why; until when it is to
    be answered; the answers, and the disposal that erases (0: nothing to erase, or not answered yet)."""

    number: int
    about: str
    law: str
    person: str
    reason: str
    at: int
    due_at: int
    query: str
    answered_at: int = 0
    disposal: int = 0
    pairs: tuple[int, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def longest(self) -> int:
        """Until when it has to be answered at the very latest, if the person is told in time that it takes
        longer: two months more."""
        return months_later(self.at, 3)

    def count(self, outcome: str) -> int:
        """How many records have this outcome."""
        return sum(one.outcome == outcome for one in self.answers)


def months_later(at: int, months: int) -> int:
    """The same time so many calendar months later (milliseconds, UTC); the last day of a shorter month
    (Regulation 1182/71, Art. 3)."""
    start = datetime.fromtimestamp(at / 1000, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    first = start.replace(year=year, month=month + 1, day=1)
    after = first.replace(year=year + month // 11, month=(month + 1) % 12 + 1)
    last = (after - timedelta(days=1)).day
    return round(first.replace(day=min(start.day, last)).timestamp() * 1000)


def due(at: int) -> int:
    """Until when a request of this time has to be answered: one month."""
    return months_later(at, 1)


def letter(request: Request, language: str) -> Iterator[str]:
    """The answer as lines for the person who asked."""
    say = _TEXTS[language]
    yield say["title"].format(number=request.number, about=request.about)
    yield ""
    yield say["asked"].format(day=_day(request.at), law=LAWS[request.law])
    yield ""
    if not request.answers:
        yield say["nothing"]
    if erased := request.count(ERASED):
        yield say["erased"].format(count=erased, disposal=request.disposal)
    for (until, because, ordered), count in _kept(request.answers).items():
        yield say[_why(until, because, ordered)].format(count=count, until=_day(until or 0), because=because)
    yield ""
    yield say["rights"]


def _kept(answers: Sequence[Answer]) -> Mapping[tuple[int | None, str, bool], int]:
    """Records that are kept, by what keeps them."""
    found: Counter[tuple[int | None, str, bool]] = Counter()
    for one in answers:
        if one.outcome == KEPT:
            by_term = any(reason.startswith("retention") for reason in one.reasons)
            found[one.until if by_term else None, one.because if by_term else "", not by_term] += 1
    return dict(sorted(found.items(), key=lambda item: (item[0][0] or 0, item[0][1])))


def _why(until: int | None, because: str, ordered: bool) -> str:
    if ordered or not because:
        return "required"
    return "kept" if until else "open"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"


_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Answer to erasure request {number}: {about}",
        "asked": "You asked on {day} that your personal data in our business messages be erased ({law}).",
        "nothing": "We have no record of you.",
        "erased": "{count} record(s) will be erased, with their attachments, as soon as two persons have "
        "confirmed it (disposal {disposal}).",
        "kept": "{count} record(s) are kept until {until}, because a law requires it (rule {because}); they "
        "are erased after that.",
        "open": "{count} record(s) are kept because a law requires it (rule {because}): the period begins "
        "with an event that has not happened yet.",
        "required": "{count} record(s) are kept for now, because we are required to preserve them or their "
        "processing is not finished.",
        "rights": "You may complain to the data protection authority, and go to court.",
    },
    "zh-Hans": {
        "title": "对删除请求 {number} 的答复：{about}",
        "asked": "您于 {day} 请求删除业务消息中您的个人信息（{law}）。",
        "nothing": "我们没有您的记录。",
        "erased": "{count} 条记录及其附件将在两人确认后删除（处置 {disposal}）。",
        "kept": "{count} 条记录依法须保存至 {until}（规则 {because}），期满后删除。",
        "open": "{count} 条记录依法须保存（规则 {because}）：保存期自尚未发生的事件起算。",
        "required": "{count} 条记录暂时保留，因为我们负有保全义务，或其处理尚未完成。",
        "rights": "您可以向个人信息保护主管部门投诉，也可以向法院起诉。",
    },
    "zh-Hant": {
        "title": "對刪除請求 {number} 的答覆：{about}",
        "asked": "您於 {day} 請求刪除業務訊息中您的個人資料（{law}）。",
        "nothing": "我們沒有您的紀錄。",
        "erased": "{count} 筆紀錄及其附件將在兩人確認後刪除（處置 {disposal}）。",
        "kept": "{count} 筆紀錄依法須保存至 {until}（規則 {because}），期滿後刪除。",
        "open": "{count} 筆紀錄依法須保存（規則 {because}）：保存期自尚未發生的事件起算。",
        "required": "{count} 筆紀錄暫時保留，因為我們負有保全義務，或其處理尚未完成。",
        "rights": "您可以向個人資料保護主管機關投訴，也可以向法院起訴。",
    },
}

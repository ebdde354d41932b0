"""Requests to be forgotten: until when they are answered, what the answer is, and the letter that says so.

Rules of this file: pure; whole sentences in three languages, as in `words`. GDPR Art. 12(3) and 17 give one
month, which may be made longer by two where many requests are difficult, if the person is told within the
first; Art. 17(3)(b) and (e) leave what a law or a claim requires to be kept. PIPL Art. 47 names no period:
the same month is taken. A letter says what keeps a record and not before when it goes, and nothing from which
a legal hold could be told: whoever is looked into is not to learn it from an answer. So the grounds on which
records stay are listed in every letter, whichever of them there is; and no letter promises that what is kept
goes at the end of its period. It says that a law asks for it only where the period was taken from one. What
is known of a person beside records, by pairs and consents, is answered as they are: nobody is told that there
is nothing while there is something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

LAWS: Mapping[str, str] = {
    "gdpr": "GDPR (EU) 2016/679, Art. 17",
    "pipl": "PIPL (PRC), Art. 47",
}
"""The laws by which people ask."""

_LAWS_ZH: Mapping[str, Mapping[str, str]] = {
    "zh-Hans": {
        "gdpr": "欧盟《通用数据保护条例》（GDPR，第 2016/679 号条例）第十七条",
        "pipl": "《中华人民共和国个人信息保护法》第四十七条",
    },
    "zh-Hant": {
        "gdpr": "歐盟《一般資料保護規則》（GDPR，第 2016/679 號規則）第十七條",
        "pipl": "《中華人民共和國個人信息保護法》第四十七條",
    },
}

LANGUAGES = ("en", "zh-Hans", "zh-Hant")

ERASED, KEPT = "erased", "kept"


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of one record: `erased` once two people have agreed, or `kept` until a time (milliseconds,
    None: not known yet) because of a class and for these reasons. `rule` is the provision that asks for that
    time, "" where the firm alone does."""

    message: int
    outcome: str
    until: int | None
    because: str
    reasons: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Paired:
    """What becomes of the names, addresses and ids of two people who are or were paired: `erased` once two
    people have agreed, or `kept` for these reasons."""

    pair: int
    outcome: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """How far an erasure is: how many of its records are gone, since when the last of them is (milliseconds,
    0: none), until when its plan is good (0: it was withdrawn), whether it was carried out to its end; and of
    how many of its pairs the names are gone, with how many consents."""

    gone: int = 0
    at: int = 0
    expires_at: int = 0
    over: bool = False
    pairs: int = 0
    consents: int = 0

    def will_go_on(self, at: int) -> bool:
        """Whether at this time more of it is to come, once people agree."""
        return not self.over and at <= self.expires_at


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it stands: about whom, by which law; who took it down, when and why; until when it is to
    be answered; the answers, for records and for pairs, and how many consents go with these or stay, by
    outcome; the disposal that erases (0: nothing to erase, or not answered yet), and how far that is."""

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
    pairs: tuple[Paired, ...] = ()
    consents: Mapping[str, int] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    carried: Carried = Carried()

    @property
    def longest(self) -> int:
        """Until when it has to be answered at the very latest, if the person is told in time that it takes
        longer: two months more."""
        return months_later(self.at, 3)

    def count(self, outcome: str) -> int:
        """How many records have this outcome."""
        return sum(one.outcome == outcome for one in self.answers)

    def names(self, outcome: str) -> int:
        """Of how many pairs the names have this outcome."""
        return sum(one.outcome == outcome for one in self.pairs)


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


def letter(request: Request, language: str, *, sender: str, at: int) -> Iterator[str]:
    """The answer as lines for the person who asked, as `sender` gives it at a time (milliseconds)."""
    say = _TEXTS[language]
    yield sender
    yield say["dated"].format(day=_day(at))
    yield ""
    yield say["title"].format(number=request.number, about=request.about)
    yield ""
    law = _LAWS_ZH.get(language, LAWS)[request.law]
    yield say["asked"].format(day=_day(request.at), law=law, answered=_day(request.answered_at or at))
    yield ""
    if not (request.answers or request.pairs):
        yield say["nothing"]
    for key, count in _erased(request, at):
        day = _day(request.carried.at)
        yield say[key].format(count=count, records=_records(count), disposal=request.disposal, day=day)
    for (until, rule, named), count in _kept(request).items():
        yield say[named].format(count=count, records=_records(count), until=_day(until), rule=rule)
    for key, count, consents in _names(request, at):
        agreed = say["consents"].format(count=consents, consents=_counted(consents, "consent"))
        yield say[key].format(
            count=count,
            pairs=_counted(count, "conversation"),
            consents=agreed if consents else "",
            disposal=request.disposal,
        )
    if request.answers or request.pairs:
        yield ""
        yield say["grounds"]
    yield ""
    yield say["rights"]


def _records(count: int) -> str:
    return _counted(count, "record")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _erased(request: Request, at: int) -> Iterator[tuple[str, int]]:
    """What is said of the records that need not be kept, and of how many."""
    gone = request.carried.gone
    left = request.count(ERASED) - gone
    if gone:
        yield "gone", gone
    if left and not request.carried.over:
        yield "to-go" if request.carried.will_go_on(at) else "not-gone", left


def _kept(request: Request) -> Mapping[tuple[int, str, str], int]:
    """Records that are kept: until when, by which provision, and in which words that is said. What was to
    go and stayed, when the rest went, is among them."""
    found: Counter[tuple[int, str, str]] = Counter()
    for one in request.answers:
        if one.outcome == KEPT:
            found[_words_for(one)] += 1
    carried = request.carried
    if carried.over and (stayed := request.count(ERASED) - carried.gone):
        found[0, "", "now"] += stayed
    return dict(sorted(found.items()))


def _names(request: Request, at: int) -> Iterator[tuple[str, int, int]]:
    """What is said of the names of pairs, of how many, and with how many consents. What was to go and stayed,
    when the rest went, is kept."""
    carried, agreed = request.carried, request.consents
    left = request.names(ERASED) - carried.pairs
    lasting = agreed.get(ERASED, 0) - carried.consents
    kept, staying = request.names(KEPT), agreed.get(KEPT, 0)
    if carried.over:
        kept, staying, left = kept + left, staying + lasting, 0
    if carried.pairs:
        yield "names-gone", carried.pairs, carried.consents
    if left:
        yield "names-to-go" if carried.will_go_on(at) else "names-not-gone", left, lasting
    if kept:
        yield "names-now", kept, staying


def _words_for(one: Answer) -> tuple[int, str, str]:
    if not any(reason.startswith("retention") for reason in one.reasons):
        return 0, "", "now"
    if one.until is None and not any(reason.startswith("retention:") for reason in one.reasons):
        return 0, "", "now"
    if one.until is None:
        return 0, one.rule, "law-open" if one.rule else "house-open"
    return one.until, one.rule, "law" if one.rule else "house"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"


_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "dated": "{day}",
        "title": "Answer to erasure request {number}: {about}",
        "asked": "You asked on {day} that your personal data in our business messages be erased ({law}). We "
        "looked at every record on {answered}; what follows is how it stood then, and what was done since.",
        "nothing": "We have no record of you.",
        "gone": "Erased: {records}, with the attachments that no other record has, the last on {day} "
        "(disposal {disposal}).",
        "to-go": "No longer to be kept: {records}, to be erased with all attachments as soon as two persons "
        "have confirmed it (disposal {disposal}).",
        "not-gone": "No longer to be kept: {records}, not erased yet.",
        "law": "Not erased before {until}: {records}, because a law requires that this be kept: {rule}.",
        "house": "Not erased before {until}: {records}, because our own retention rules say so.",
        "law-open": "Kept: {records}, because a law requires it: {rule}. The period begins with an event "
        "that has not happened yet.",
        "house-open": "Kept: {records}, because our own retention rules say so. The period begins with an "
        "event that has not happened yet.",
        "now": "Kept for now: {records}, on one of the grounds named below.",
        "names-gone": "Erased: the names, addresses and ids of {pairs}{consents} (disposal {disposal}).",
        "names-to-go": "No longer to be kept: the names, addresses and ids of {pairs}{consents}, to be "
        "erased as soon as two persons have confirmed it (disposal {disposal}).",
        "names-not-gone": "No longer to be kept: the names, addresses and ids of {pairs}{consents}, not "
        "erased yet.",
        "names-now": "Kept for now: the names, addresses and ids of {pairs}{consents}, on one of the grounds "
        "named below.",
        "consents": ", with {consents}",
        "grounds": "A record stays as long as a law or our own retention rules ask for it; while work on it "
        "is not finished, such as a delivery, a review, or a copy to an archive; and while it is needed for "
        "duties or claims of anybody. Names, addresses, ids and consents stay as long as the people may talk "
        "or a record of them stays, and on the same grounds. We list these grounds in every answer, "
        "whichever of them there is.",
        "rights": "You may complain to the data protection authority, and go to court.",
    },
    "zh-Hans": {
        "dated": "日期：{day}",
        "title": "对删除请求 {number} 的答复：{about}",
        "asked": "您于 {day} 请求删除业务消息中您的个人信息（{law}）。我们已于 {answered} 逐条核查，以下为"
        "当日情况及此后的处理。",
        "nothing": "我们没有您的记录。",
        "gone": "{count} 条记录及不属于其他记录的附件已删除，最后一条删除于 {day}（处置 {disposal}）。",
        "to-go": "{count} 条记录无须继续保存，其及附件将在两人确认后删除（处置 {disposal}）。",
        "not-gone": "{count} 条记录无须继续保存，但尚未删除。",
        "law": "{count} 条记录依法须保存，{until} 之前不删除：{rule}。",
        "house": "{count} 条记录按本机构自身的保存规则，{until} 之前不删除。",
        "law-open": "{count} 条记录依法须保存：{rule}。保存期自尚未发生的事件起算。",
        "house-open": "{count} 条记录按本机构自身的保存规则保存，保存期自尚未发生的事件起算。",
        "now": "{count} 条记录因下列理由之一暂时保留。",
        "names-gone": "{count} 个会话的姓名、地址和标识{consents}已删除（处置 {disposal}）。",
        "names-to-go": "{count} 个会话的姓名、地址和标识{consents}无须继续保存，将在两人确认后删除"
        "（处置 {disposal}）。",
        "names-not-gone": "{count} 个会话的姓名、地址和标识{consents}无须继续保存，但尚未删除。",
        "names-now": "{count} 个会话的姓名、地址和标识{consents}因下列理由之一暂时保留。",
        "consents": "及 {count} 项同意记录",
        "grounds": "记录在以下情形下保留：法律或本机构的保存规则要求的期间；与其有关的处理（如传送、审核、"
        "归档副本）尚未完成；为履行义务或任何一方的请求权所需。姓名、地址、标识和同意记录在双方仍可联系、或尚有"
        "其记录保留期间，以及上述情形下保留。每份答复均列出上述全部理由，不论涉及何者。",
        "rights": "您可以向个人信息保护主管部门投诉，也可以向法院起诉。",
    },
    "zh-Hant": {
        "dated": "日期：{day}",
        "title": "對刪除請求 {number} 的答覆：{about}",
        "asked": "您於 {day} 請求刪除業務訊息中您的個人資料（{law}）。我們已於 {answered} 逐筆核查，以下為"
        "當日情況及其後的處理。",
        "nothing": "我們沒有您的紀錄。",
        "gone": "{count} 筆紀錄及不屬於其他紀錄的附件已刪除，最後一筆刪除於 {day}（處置 {disposal}）。",
        "to-go": "{count} 筆紀錄無須繼續保存，其及附件將在兩人確認後刪除（處置 {disposal}）。",
        "not-gone": "{count} 筆紀錄無須繼續保存，但尚未刪除。",
        "law": "{count} 筆紀錄依法須保存，{until} 之前不刪除：{rule}。",
        "house": "{count} 筆紀錄按本機構自身的保存規則，{until} 之前不刪除。",
        "law-open": "{count} 筆紀錄依法須保存：{rule}。保存期自尚未發生的事件起算。",
        "house-open": "{count} 筆紀錄按本機構自身的保存規則保存，保存期自尚未發生的事件起算。",
        "now": "{count} 筆紀錄因下列理由之一暫時保留。",
        "names-gone": "{count} 個對話的姓名、地址和識別碼{consents}已刪除（處置 {disposal}）。",
        "names-to-go": "{count} 個對話的姓名、地址和識別碼{consents}無須繼續保存，將在兩人確認後刪除"
        "（處置 {disposal}）。",
        "names-not-gone": "{count} 個對話的姓名、地址和識別碼{consents}無須繼續保存，但尚未刪除。",
        "names-now": "{count} 個對話的姓名、地址和識別碼{consents}因下列理由之一暫時保留。",
        "consents": "及 {count} 項同意紀錄",
        "grounds": "紀錄在以下情形下保留：法律或本機構的保存規則要求的期間；與其有關的處理（如傳送、審核、"
        "歸檔副本）尚未完成；為履行義務或任何一方的請求權所需。姓名、地址、識別碼和同意紀錄在雙方仍可聯繫、或尚有"
        "其紀錄保留期間，以及上述情形下保留。每份答覆均列出上述全部理由，不論涉及何者。",
        "rights": "您可以向個人資料保護主管機關投訴，也可以向法院起訴。",
    },
}

"""The grammar of a policy file, as models: the single source of what may be written.

Rules of this file: one class per section, one field per key, the docstring or description is what staff
read. Input is text, lists and mappings only: every scalar arrives as it was written and is typed here,
never by YAML. `LATER` names keys that belong to the language and are not enforced by this version; using
one is an error (P050), because a rule that is silently not enforced is worse than none.
A custom error's type is the key of its text in `bridge.policy.diagnostics`.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

LANGUAGE = 1
LONGEST_WORD = 100  # characters of a word in a list
NAME = r"^\w[\w.-]*$"


class Section(BaseModel):
    """One mapping of the file: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    LATER: ClassVar[frozenset[str]] = frozenset()


# --- scalars, typed by the field they sit in ------------------------------------------------------------


def _refuse(key: str, **values: Any) -> PydanticCustomError:
    return PydanticCustomError(key, "{key}", {"key": key, **values})


def _listed(value: Any) -> Any:
    """One value stands for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _whole(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, int):
        return value
    raise _refuse("P013.number")


def _yes(value: Any) -> Any:
    if value in ("true", True):
        return True
    raise _refuse("P013.true")


def _yes_or_no(value: Any) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise _refuse("P013.switch")


def _yes_or_mapping(value: Any) -> Any:
    if value == "true":
        return {}
    if isinstance(value, dict | Section):
        return value
    raise _refuse("P013.true_or_mapping")


def _day(value: Any) -> Any:
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(value if len(value) == 10 else "")
    except (TypeError, ValueError):
        raise _refuse("P013.date")


def _moment(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.datetime.strptime(value, "%Y-%m-%d %H:%M")
    except (TypeError, ValueError):
        raise _refuse("P013.time")


def _duration(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return value
    written = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", value) if isinstance(value, str) else None
    if written is None:
        raise _refuse("P013.duration")
    unit = {"m": "minutes", "h": "hours", "d": "days"}[written[2]]
    return datetime.timedelta(**{unit: int(written[1])})


def _period(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,3}[dmy]", value):
        return value
    raise _refuse("P013.period")


def _size(value: Any) -> Any:
    if isinstance(value, int):
        return value
    written = re.fullmatch(r"([1-9][0-9]{0,5})(KB|MB|GB)", value) if isinstance(value, str) else None
    if written is None:
        raise _refuse("P013.size")
    return int(written[1]) << {"KB": 10, "MB": 20, "GB": 30}[written[2]]


def _percent(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", value):
        value = float(value)
    if isinstance(value, int | float) and 0 < value <= 100:
        return float(value)
    raise _refuse("P013.percent")


def _hours(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(
        r"([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)", value
    ):
        return value
    raise _refuse("P013.hours")


def _everybody(value: Any) -> Any:
    return () if value == "all" else _listed(value)


def _zone(value: Any) -> Any:
    try:
        zoneinfo.ZoneInfo(value)
    except (TypeError, ValueError, OSError, KeyError):
        raise _refuse("P013.timezone")
    return value


def _version(value: Any) -> Any:
    if value in (str(LANGUAGE), LANGUAGE):
        return LANGUAGE
    raise _refuse("P051")


Text = Annotated[str, StringConstraints(min_length=1)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_WORD)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Whole = Annotated[int, BeforeValidator(_whole)]
Yes = Annotated[Literal[True], BeforeValidator(_yes)]
YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Day = Annotated[datetime.date, BeforeValidator(_day)]
Moment = Annotated[datetime.datetime, BeforeValidator(_moment)]
Duration = Annotated[datetime.timedelta, BeforeValidator(_duration)]
Period = Annotated[str, BeforeValidator(_period)]
Size = Annotated[int, BeforeValidator(_size)]
Percent = Annotated[float, BeforeValidator(_percent)]
Hours = Annotated[str, BeforeValidator(_hours)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_listed)]

Mode = Literal["off", "monitor", "enforce"]
Direction = Literal["to_weixin", "to_symphony", "both"]
Confidence = Literal["low", "medium", "high"]
OutcomeWord = Literal["deliver", "annotate", "redact", "hold", "block"]
KindWord = Literal[
    "text",
    "image",
    "voice",
    "video",
    "file",
    "sticker",
    "location",
    "link",
    "card",
    "app",
    "record",
    "recall",
]
# fmt: off
Stop = Literal["hold", "block"]
Pass = Literal["deliver", "hold", "block"]
FileType = Literal[
    "pdf", "png", "jpg", "gif", "webp", "heic", "bmp", "tiff", "doc", "docx", "xls", "xlsx", "ppt", "pptx",
    "odt", "ods", "odp", "rtf", "txt", "csv", "html", "xml", "json", "eml", "msg", "zip", "7z", "rar", "gz",
    "amr", "mp3", "m4a", "wav", "silk", "mp4", "mov", "exe", "elf", "unknown",
]
# fmt: on
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Literal["all", "weekdays", "trading"]
Calendar = Literal["XHKG", "XSHG", "XSHE", "XNYS", "XLON", "XSES"]
Evasion = Literal["pinyin", "split", "separators", "lookalike"]
ListLanguage = Literal["en", "zh", "zh-Hans", "zh-Hant"]
Brand = Literal["visa", "mastercard", "amex", "unionpay", "jcb", "discover", "diners"]
PassportCountry = Literal["CN", "HK", "TW"]
Coin = Literal["btc", "eth", "trx"]
# fmt: off
Region = Literal[
    "CN", "HK", "MO", "TW", "SG", "JP", "KR", "MY", "TH", "ID", "PH", "VN", "IN", "AU", "NZ", "US", "CA",
    "BR", "GB", "IE", "DE", "FR", "CH", "IT", "ES", "NL", "LU", "IL", "AE",
]
# fmt: on


# --- who and what words ---------------------------------------------------------------------------------


class Defaults(Section):
    """What happens when nothing else is said."""

    mode: Mode = Field(default="enforce", description="mode of rules that name none")
    unmatched: Literal["deliver", "hold"] = Field(default="deliver", description="no rule decided")
    unpaired: Literal["block", "hold"] = Field(default="hold", description="the people are no approved pair")
    on_error: Literal["hold", "block"] = Field(default="hold", description="something could not be read")


class Group(Section):
    """People: e-mail addresses and patterns with `*` in Symphony, `tag:…` and external ids in Weixin."""

    symphony: Texts = ()
    weixin: Texts = ()


class WordList(Section):
    """Words, written here or in columns of a CSV file beside the policy."""

    words: Words | None = None
    file: Text | None = None
    columns: Names | None = None
    stale_after: Duration | None = Field(
        default=None, description="a file older than this holds messages: 30m, 24h, 7d"
    )
    unless_words: dict[Word, Words] = Field(
        default={}, description="for a word, the longer words in which it is innocent"
    )
    evasion: Annotated[tuple[Evasion, ...], BeforeValidator(_listed)] = Field(
        default=(), description="disguises in which the words are found as well"
    )
    owner: Text | None = None
    languages: Annotated[tuple[ListLanguage, ...], BeforeValidator(_listed)] = ()
    review_by: Day | None = None

    @model_validator(mode="after")
    def _one_source(self) -> WordList:
        if (self.words is None) == (self.file is None):
            raise _refuse("P014.list")
        if (self.file is None) != (self.columns is None):
            raise _refuse("P014.columns")
        if self.stale_after is not None and self.file is None:
            raise _refuse("P014.stale")
        return self


# --- detectors ------------------------------------------------------------------------------------------


class Context(Section):
    """Words that must be near: at most `within` characters away."""

    words: Words
    within: Whole = Field(default=20, ge=1, le=1000)
    messages: Whole = Field(
        default=0, ge=0, le=5, description="so many earlier messages of the sender are searched for them too"
    )


class Certainty(Section):
    """How sure a finding is, without and with a context word near."""

    alone: Confidence = "low"
    with_context: Confidence = "high"


class Contextual(Section):
    """What every detector can say: which words make it surer, and how sure it is without and with them."""

    context: Context | None = None
    confidence: Certainty | None = None


class WordsDetector(Contextual):
    """Any word of the named lists."""

    type: Literal["words"]
    list: Names


class PatternDetector(Contextual):
    """A pattern in RE2 syntax. `boundary` says what may not touch it: more digits, or letters and digits."""

    type: Literal["pattern"]
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    boundary: Literal["none", "digits", "word"] = "none"


class PaymentCardDetector(Contextual):
    """Payment card numbers: 13 to 19 digits, the brand's ranges, and the Luhn check digit."""

    type: Literal["payment_card"]
    brands: Annotated[tuple[Brand, ...], BeforeValidator(_listed)] = ()


class PassportDetector(Contextual):
    """Passport numbers of the named countries: a format, sure only beside a word."""

    type: Literal["passport"]
    countries: Annotated[tuple[PassportCountry, ...], BeforeValidator(_listed)] = ("CN", "HK", "TW")


class PhoneDetector(Contextual):
    """Telephone numbers: international ones, and those of the named regions as people there write them."""

    type: Literal["phone"]
    regions: Annotated[tuple[Region, ...], BeforeValidator(_listed)] = ("CN", "HK")


class CryptoWalletDetector(Contextual):
    """Addresses of crypto wallets with their checksums."""

    type: Literal["crypto_wallet"]
    coins: Annotated[tuple[Coin, ...], BeforeValidator(_listed)] = ("btc", "eth", "trx")


class NumberDetector(Contextual):
    """Numbers and addresses that need no options: identity documents, registers, addresses, secrets."""

    type: Literal[
        "china_resident_id",
        "hkid",
        "taiwan_id",
        "macau_bir",
        "home_return_permit",
        "taiwan_permit",
        "iban",
        "bic",
        "lei",
        "isin",
        "uscc",
        "email",
        "url",
        "secret",
    ]


Detector = Annotated[
    WordsDetector
    | PatternDetector
    | PaymentCardDetector
    | PassportDetector
    | PhoneDetector
    | CryptoWalletDetector
    | NumberDetector,
    Field(discriminator="type"),
]


# --- rules ----------------------------------------------------------------------------------------------


class Outside(Section):
    """Outside working time, by the clock of the policy's `timezone`: other hours, or another day.

    `days` is `all`, `weekdays`, `trading` (needs `calendar`), or a list of weekdays.
    """

    hours: Hours = "00:00-24:00"
    days: Days | Annotated[tuple[Weekday, ...], BeforeValidator(_listed)] = "all"
    calendar: Calendar | None = Field(default=None, description="the exchange whose holidays count")

    @model_validator(mode="after")
    def _trading_needs_a_calendar(self) -> Outside:
        if (self.days == "trading") != (self.calendar is not None):
            raise _refuse("P014.calendar")
        return self


class Count(Section):
    """How often: hits in this message or, with `within`, messages of the sender that match in that time."""

    at_least: Whole = Field(ge=2, le=50)
    within: Duration | None = Field(default=None, description="at most 24h")


class FileTest(Section):
    """Attachments: one of them has one of the types, is larger, or has such a name (with `*`)."""

    types: Annotated[tuple[FileType, ...], BeforeValidator(_listed)] | None = None
    larger_than: Size | None = None
    name: Texts | None = None


class OneOf(Section):
    """One way in which a condition may hold. All keys must hold; one value of a list is enough."""

    direction: Direction | None = None
    finds: Names | None = None
    confidence: Confidence = "medium"
    sender: Texts | None = None
    groups: Names | None = None
    kind: Annotated[tuple[KindWord, ...], BeforeValidator(_listed)] | None = None
    recipient: Texts | None = None
    conversation: Texts | None = Field(default=None, description="ids of chats, as `audit show` prints them")
    outside: Outside | None = None
    count: Count | None = None
    files: FileTest | None = None
    edited: YesNo | None = Field(default=None, description="the message replaces an earlier one")
    recalled: YesNo | None = Field(default=None, description="the message takes an earlier one back")


class Unless(OneOf):
    """What takes the match away. All keys must hold; one value of a list is enough."""

    any: Annotated[tuple[OneOf, ...], BeforeValidator(_listed)] | None = Field(
        default=None, description="one of these must hold as well"
    )


class When(Unless):
    """When the rule matches. All keys must hold; one value of a list is enough."""

    direction: Direction


class Redact(Section):
    """Masking: `position` keeps the length, `fixed` hides it; `keep_last` characters stay readable."""

    keep_last: Whole = Field(default=0, ge=0, le=8)
    style: Literal["position", "fixed"] = "position"


class Hold(Section):
    """Waiting for a person; `conversation: wait` makes later messages wait behind it."""

    queue: Name = "review"
    conversation: Literal["wait", "pass"] = "pass"
    decide_within: Duration | None = Field(default=None, description="how soon a reviewer must decide: 15m")
    if_late: Literal["escalate", "block"] | None = Field(
        default=None, description="what happens after that; never a release"
    )


class Tell(Section):
    """What the sender is told, by language. `zh` serves both scripts where the exact one is missing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)
    en: Text | None = None
    zh: Text | None = None
    zh_hans: Text | None = Field(default=None, alias="zh-Hans")
    zh_hant: Text | None = Field(default=None, alias="zh-Hant")

    def texts(self) -> dict[str, str]:
        """The texts that are there, by language tag."""
        return self.model_dump(by_alias=True, exclude_none=True)


class SampleOf(Section):
    """Review after delivery: so many percent of the messages, drawn when the day is over."""

    percent: Percent
    queue: Name = "review"
    reason: Text | None = None


class Then(Section):
    """What follows. The strictest outcome of all rules wins; everything else adds up."""

    deliver: Yes | None = None
    redact: Annotated[Redact, BeforeValidator(_yes_or_mapping)] | None = None
    hold: Annotated[Hold, BeforeValidator(_yes_or_mapping)] | None = None
    block: Yes | None = None
    annotate: Tell | None = Field(default=None, description="a text that goes below the message")
    tag: Names = ()
    notify: Texts = Field(default=(), description="staff who are told that the rule acted, by address")
    sample: SampleOf | None = None
    review: Literal["all"] | None = Field(default=None, description="every one is reviewed after delivery")
    tell_sender: Tell | None = None
    show_match: YesNo = False

    @model_validator(mode="after")
    def _says_something(self) -> Then:
        acts = [key for key in ("redact", "hold", "block", "annotate") if getattr(self, key) is not None]
        if self.deliver and acts:
            raise _refuse("P014.deliver", other=acts[0])
        effects = self.tag or self.tell_sender or self.notify or self.sample or self.review
        if not (acts or self.deliver or effects):
            raise _refuse("P014.nothing")
        if self.show_match and self.tell_sender is None:
            raise _refuse("P014.show_match")
        return self


class Trial(Section):
    """A test: a message and what must become of it."""

    given: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = Field(
        description="the message; of several, one sender's messages, the last is judged"
    )
    from_: Literal["symphony", "weixin"] | None = Field(default=None, alias="from")
    sender: Text | None = None
    recipient: Text | None = None
    kind: KindWord | None = None
    consent: YesNo | None = Field(default=None, description="whether the client has agreed to the gates")
    at: Moment | None = Field(default=None, description="YYYY-MM-DD HH:MM in the policy's timezone")
    expect: OutcomeWord
    becomes: Text | None = None
    would: OutcomeWord | None = None
    tags: Names | None = None
    rule: Name | None = None
    note: Text | None = None


class Rollout(Section):
    """Enforced for a part, monitored for the rest: the conversations of some groups, or so many percent."""

    groups: Names | None = None
    percent: Percent | None = None
    by: Literal["conversation"] = "conversation"

    @model_validator(mode="after")
    def _one_part(self) -> Rollout:
        if (self.groups is None) == (self.percent is None):
            raise _refuse("P014.rollout")
        return self


class Rule(Section):
    """When … then …, with its own proof."""

    id: Name
    title: Text
    because: Text | None = Field(default=None, description="the regulation or memo behind the rule")
    severity: Literal["low", "medium", "high", "critical"]
    mode: Mode | None = None
    rollout: Rollout | None = None
    review_by: Day | None = None
    when: When
    unless: Unless | None = None
    then: Then
    tests: tuple[Trial, ...] = ()

    @model_validator(mode="after")
    def _mask_has_a_target(self) -> Rule:
        if self.then.redact is not None and not self.when.finds:
            raise _refuse("P014.redact")
        return self


# --- sections beside the rules --------------------------------------------------------------------------


class AppliesTo(Section):
    """The conversations that the file is for: those with somebody of these groups in them."""

    groups: Names


class Barrier(Section):
    """Who may not talk at all. No rule and no reviewer opens it, only an exception that names it.

    `between` works both ways; `from` and `to` one way. With `finds`, only messages with such findings.
    """

    id: Name
    between: Names | None = Field(default=None, description="two groups")
    from_: Names | None = Field(default=None, alias="from")
    to: Names | None = None
    finds: Names | None = None
    then: Stop = "block"
    because: Text | None = None

    @model_validator(mode="after")
    def _two_sides(self) -> Barrier:
        one_way = self.from_ is not None and self.to is not None
        two_ways = self.between is not None and len(self.between) == 2
        if one_way == two_ways or (self.between is not None and (self.from_ or self.to)):
            raise _refuse("P014.barrier")
        return self


class Attachments(Section):
    """What may be attached. Types are told by content, never by name alone."""

    allow: Annotated[tuple[FileType, ...], BeforeValidator(_listed)] | None = Field(
        default=None, description="types that may pass; without it, all"
    )
    not_allowed: Pass = "block"
    max_size: Size | None = None
    too_large: Pass = "block"
    wrong_type: Pass = Field(default="block", description="the name claims another type")
    encrypted: Pass = "block"
    macros: Pass = "block"
    read_text: YesNo = Field(default=True, description="detectors look at the text inside, too")
    unreadable: Pass = Field(default="hold", description="the text inside cannot be read")
    virus_scan: Literal["clamav", "none"] = "none"
    infected: Stop = "block"


class Consent(Section):
    """Clients are asked before anything else passes to them; `agree` are the answers that mean yes."""

    from_: Annotated[Names, Field(alias="from")]
    text: Tell
    agree: Words = ("同意", "我同意", "agree", "i agree", "yes")
    until_given: Stop = "hold"
    renew_every: Period | None = None


class Disclaimer(Section):
    """A text of the firm's, below a message: every time, or once a day, a week, or for good."""

    id: Name
    direction: Direction
    every: Literal["message", "day", "week", "once"] = "day"
    for_: Annotated[tuple[Name, ...], BeforeValidator(_everybody)] = Field(default=(), alias="for")
    text: Tell


class Keep(Section):
    """How long records live: a period, or the preset of a regulation. The longest that applies wins."""

    id: Name | None = None
    preset: Name | None = None
    keep: Period | None = None
    start: Name = Field(default="creation", description="`creation`, or the event after which it runs")
    for_: Annotated[tuple[Name, ...], BeforeValidator(_everybody)] = Field(default=(), alias="for")
    direction: Direction = "both"
    kind: Annotated[tuple[KindWord, ...], BeforeValidator(_listed)] | None = None
    worm: YesNo = Field(default=False, description="only write-once media will do")
    first: Period | None = Field(default=None, description="the period in which it must be readable at once")

    @model_validator(mode="after")
    def _one_period(self) -> Keep:
        if (self.preset is None) == (self.keep is None):
            raise _refuse("P014.keep")
        return self


class ArchiveTo(Section):
    """Where else copies must lie. A message is archived only when all destinations have it."""

    id: Name
    to: Text
    format: Literal["native", "eml", "jsonl"] = "native"
    object_lock: Literal["governance", "compliance"] | None = None
    region: Name | None = None
    for_: Annotated[tuple[Name, ...], BeforeValidator(_everybody)] = Field(default=(), alias="for")


class LegalHold(Section):
    """Records of these people are never disposed of while it stands."""

    id: Name
    people: Texts
    since: Day | None = None
    approved_by: Text
    because: Text | None = None


class ExceptionFrom(Section):
    """One rule or barrier of this file does not apply: to whom, for what, until when, by whose leave."""

    id: Name
    rule: Name
    for_: Annotated[Texts, Field(alias="for")]
    only: Words | None = Field(default=None, description="only where nothing but these words was found")
    expires: Day
    approved_by: Text
    because: Text


class PolicyFile(Section):
    """One policy: a head, people, words, detectors, rules, and the fixed sections beside them."""

    policy: Name
    language: Annotated[Literal[1], BeforeValidator(_version)]
    title: Text
    owner: Text
    timezone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    applies_to: AppliesTo | None = None
    defaults: Defaults = Defaults()
    groups: dict[Name, Group] = {}
    lists: dict[Name, WordList] = {}
    detectors: dict[Name, Detector] = {}
    barriers: tuple[Barrier, ...] = ()
    rules: tuple[Rule, ...] = ()
    attachments: Attachments | None = None
    kinds: dict[KindWord, Pass] = Field(default={}, description="what becomes of a kind of message")
    consent: Consent | None = None
    disclaimers: tuple[Disclaimer, ...] = ()
    retention: tuple[Keep, ...] = ()
    archive: tuple[ArchiveTo, ...] = ()
    legal_holds: tuple[LegalHold, ...] = ()
    exceptions: tuple[ExceptionFrom, ...] = ()

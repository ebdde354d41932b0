"""The grammar of a policy file, as models: the single source of what may be written.

Rules of this file: one class per section, one field per key, the docstring or description is what staff
read. Input is text, lists and mappings only: every scalar arrives as it was written and is typed here,
never by YAML. A condition that would say nothing, and a list that would name nobody, is refused: each would
read like a rule and act like none, or like one for everybody.
A custom error's type is the key of its text in `bridge.policy.catalogue`.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

LANGUAGE = 1
NAMED, LISTED = "named", "listed"  # the two ways to write days, as they stand in the places of errors
LONGEST_WORD = 100  # characters of a word in a list
NAME = r"^\w[\w.-]*$"


class Section(BaseModel):
    """One mapping of the file: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- scalars, typed by the field they sit in ------------------------------------------------------------


def _refuse(key: str, **values: Any) -> PydanticCustomError:
    """An error with the text `key`; `at` names the key of the section that it is about."""
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


def calendar_day(written: str) -> datetime.date:
    """The day that YYYY-MM-DD names. Raises ValueError for anything else."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
        raise ValueError("not YYYY-MM-DD")
    return datetime.date.fromisoformat(written)


def _day(value: Any) -> Any:
    if isinstance(value, datetime.date):
        return value
    try:
        return calendar_day(value)
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


def _within_a_day(value: datetime.timedelta) -> datetime.timedelta:
    if value > datetime.timedelta(days=1):
        raise _refuse("P013.day")
    return value


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
    time = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    if not isinstance(value, str) or not re.fullmatch(rf"{time}-(?:{time}|24:00)", value):
        raise _refuse("P013.hours")
    begin, _, end = value.partition("-")
    if begin >= end:
        raise _refuse("P013.hours.order")
    return value


_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
_PORT = (
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"  # up to 65535
)
_ATOM = r"[A-Za-z0-9!$&'*+=^_`{|}~-]+"
_REST = r"[^?#\x00-\x20\x7f]*"
ADDRESS = (
    rf"(s3://[a-z0-9][a-z0-9.-]{{0,62}}(/{_REST})?"
    rf"|smtps?://{_HOST}(:{_PORT})?/{_ATOM}(\.{_ATOM})*@{_HOST}"
    rf"|file:///(?!.*%00)[^/?#\x00-\x20\x7f]{_REST})"
)
"""An archive's address, with the same meaning in ECMA 262. It has no room for a user name or a password: they
belong in the settings."""


def _address(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(ADDRESS, value):
        return value
    raise _refuse("P013.address")


def _everybody(value: Any) -> Any:
    """`all` is everybody, held as an empty tuple; an empty list is nobody and surely a mistake."""
    if value == "all" or value == ():
        return ()
    if value == []:
        raise _refuse("P013.empty")
    return _listed(value)


def _two(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) != 2:
        raise _refuse("P013.two")
    return value


def _named_or_listed(value: Any) -> str:
    """Which of the two ways to write days was used: a word for all of them, or weekdays by name."""
    return LISTED if isinstance(value, list | tuple) or value in get_args(Weekday) else NAMED


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
Address = Annotated[str, BeforeValidator(_address)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_listed)]
# The same in conditions, where an empty list would name nothing or nobody.
SomeTexts = Annotated[Texts, Field(min_length=1)]
SomeNames = Annotated[Names, Field(min_length=1)]
SomeWords = Annotated[Words, Field(min_length=1)]

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
Kinds = Annotated[tuple[KindWord, ...], BeforeValidator(_listed), Field(min_length=1)]
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
WorkingDays = Annotated[
    Annotated[Days, Tag(NAMED)]
    | Annotated[tuple[Weekday, ...], BeforeValidator(_listed), Field(min_length=1), Tag(LISTED)],
    Discriminator(_named_or_listed),
]
Calendar = Literal["XHKG", "XSHG", "XSHE", "XNYS", "XLON", "XSES"]
Evasion = Literal["pinyin", "split", "separators", "lookalike", "numerals", "initials"]
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
    unmatched: Literal["deliver", "hold"] = Field(
        default="deliver",
        description="no rule delivered, held or blocked; to mask or annotate is no permission",
    )
    unpaired: Literal["block", "hold"] = Field(default="hold", description="the people are no approved pair")
    on_error: Literal["hold", "block"] = Field(default="hold", description="something could not be read")
    deliver_after: Literal["local", "all_sinks"] = Field(
        default="local",
        description="whether what passes goes out once it is archived here, or once all of `archive` have it",
    )


class Group(Section):
    """People: e-mail addresses and patterns with `*` in Symphony, `tag:…` and external ids in Weixin."""

    symphony: Texts = Field(
        default=(), description='e-mail addresses of staff; `*` stands for any characters: "*@bank.example"'
    )
    weixin: Texts = Field(
        default=(), description='clients: "tag:…" for a tag of the contact, or an external id'
    )


class Dates(Section):
    """Columns of a CSV file with the first and the last day (YYYY-MM-DD) on which a row's words count.

    Days begin and end by the clock of the policy's `timezone`. An empty cell sets no limit.
    """

    from_: Name | None = Field(default=None, alias="from", description="the column with the first day")
    until: Name | None = Field(default=None, description="the column with the last day")

    @model_validator(mode="after")
    def _one_column(self) -> Dates:
        if self.from_ is None and self.until is None:
            raise _refuse("P014.dates")
        return self


class WordList(Section):
    """Words, written here or in columns of a CSV file beside the policy."""

    words: Words | None = Field(default=None, description="the words, written here")
    file: Text | None = Field(
        default=None, description="a CSV file beside the policy, with a first line of column names"
    )
    columns: SomeNames | None = Field(default=None, description="the columns of the file that hold words")
    dates: Dates | None = Field(default=None, description="columns of the file that say when a row counts")
    stale_after: Duration | None = Field(
        default=None, description="a file older than this holds messages: 30m, 24h, 7d"
    )
    unless_words: dict[Word, Words] = Field(
        default={}, description="for a word, the longer words in which it is innocent"
    )
    evasion: Annotated[tuple[Evasion, ...], BeforeValidator(_listed)] = Field(
        default=(), description="disguises in which the words are found as well"
    )
    owner: Text | None = Field(default=None, description="who keeps the list")
    languages: Annotated[tuple[ListLanguage, ...], BeforeValidator(_listed)] = Field(
        default=(), description="the languages of its words"
    )
    review_by: Day | None = Field(
        default=None, description="the day by which somebody has to look at it again"
    )

    @model_validator(mode="after")
    def _one_source(self) -> WordList:
        if (self.words is None) == (self.file is None):
            raise _refuse("P014.list")
        if (self.file is None) != (self.columns is None):
            raise _refuse("P014.columns")
        if self.stale_after is not None and self.file is None:
            raise _refuse("P014.stale", at="stale_after")
        if self.dates is not None and self.file is None:
            raise _refuse("P014.dated", at="dates")
        return self


# --- detectors ------------------------------------------------------------------------------------------


class Context(Section):
    """Words that must be near: at most `within` characters away."""

    words: SomeWords = Field(description="words of which one must be near")
    within: Whole = Field(default=20, ge=1, le=1000, description="how many characters away they may be")
    messages: Whole = Field(
        default=0, ge=0, le=5, description="so many earlier messages of the sender are searched for them too"
    )


class Certainty(Section):
    """How sure a finding is, without and with a context word near."""

    alone: Confidence = Field(default="low", description="without a context word near")
    with_context: Confidence = Field(default="high", description="with one")


class Contextual(Section):
    """What every detector can say: which words make it surer, and how sure it is without and with them."""

    context: Context | None = Field(default=None, description="words that make a finding surer")
    confidence: Certainty | None = Field(
        default=None, description="how sure a finding is, without and with a context word near"
    )


class WordsDetector(Contextual):
    """Any word of the named lists."""

    type: Literal["words"] = Field(description="what is looked for")
    list: SomeNames = Field(description="the lists whose words are looked for")


class PatternDetector(Contextual):
    """A pattern in RE2 syntax. `boundary` says what may not touch it: more digits, or letters and digits."""

    type: Literal["pattern"] = Field(description="what is looked for")
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="a regular expression in RE2 syntax, best in single quotes"
    )
    boundary: Literal["none", "digits", "word"] = Field(
        default="none",
        description="what may not touch it: `digits` no further digit, `word` no letter or digit",
    )


class PaymentCardDetector(Contextual):
    """Payment card numbers: 13 to 19 digits, the brand's ranges, and the Luhn check digit."""

    type: Literal["payment_card"] = Field(description="what is looked for")
    brands: Annotated[tuple[Brand, ...], BeforeValidator(_listed)] = Field(
        default=(), description="only these brands; without it, all"
    )


class PassportDetector(Contextual):
    """Passport numbers of the named countries: a format, sure only beside a word."""

    type: Literal["passport"] = Field(description="what is looked for")
    countries: Annotated[tuple[PassportCountry, ...], BeforeValidator(_listed)] = Field(
        default=("CN", "HK", "TW"), description="whose passports"
    )


class PhoneDetector(Contextual):
    """Telephone numbers: international ones, and those of the named regions as people there write them."""

    type: Literal["phone"] = Field(description="what is looked for")
    regions: Annotated[tuple[Region, ...], BeforeValidator(_listed)] = Field(
        default=("CN", "HK"), description="the regions whose national numbers are known"
    )


class CryptoWalletDetector(Contextual):
    """Addresses of crypto wallets with their checksums."""

    type: Literal["crypto_wallet"] = Field(description="what is looked for")
    coins: Annotated[tuple[Coin, ...], BeforeValidator(_listed)] = Field(
        default=("btc", "eth", "trx"), description="the coins whose addresses are known"
    )


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
    ] = Field(description="what is looked for")


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

    hours: Hours = Field(default="00:00-24:00", description='working hours: "09:00-18:30"')
    days: WorkingDays = Field(
        default="all", description="working days: `all`, `weekdays`, `trading`, or a list of weekdays"
    )
    calendar: Calendar | None = Field(
        default=None,
        description="the exchange whose holidays count, those of the mainland as far as they are published; "
        "a half day is a whole one",
    )

    @model_validator(mode="after")
    def _trading_needs_a_calendar(self) -> Outside:
        if (self.days == "trading") != (self.calendar is not None):
            raise _refuse("P014.calendar")
        if not self.model_fields_set:
            raise _refuse("P014.outside")
        return self


class Count(Section):
    """How often: hits in this message or, with `within`, messages of the sender that match in that time."""

    at_least: Whole = Field(ge=2, le=50, description="so many hits, or messages")
    within: Annotated[Duration, AfterValidator(_within_a_day)] | None = Field(
        default=None, description="at most 24h"
    )


class FileTest(Section):
    """An attachment that is all of this: of one of the types, larger, and of such a name (with `*`)."""

    types: Annotated[tuple[FileType, ...], BeforeValidator(_listed), Field(min_length=1)] | None = Field(
        default=None, description="types of files, told by content"
    )
    larger_than: Size | None = Field(default=None, description="a file larger than this: 20MB")
    name: SomeTexts | None = Field(default=None, description="names of files, with `*`")


class OneOf(Section):
    """One way in which a condition may hold. All keys must hold; one value of a list is enough."""

    direction: Direction | None = Field(default=None, description="the way the message goes")
    finds: SomeNames | None = Field(default=None, description="detectors of which one must find something")
    confidence: Confidence = Field(default="medium", description="how sure a finding has to be")
    sender: SomeTexts | None = Field(
        default=None, description="addresses, ids or `tag:…` of the sender, with `*`"
    )
    groups: SomeNames | None = Field(default=None, description="groups of which somebody takes part")
    kind: Kinds | None = Field(default=None, description="kinds of message")
    recipient: SomeTexts | None = Field(
        default=None, description="addresses, ids or `tag:…` of the recipient, with `*`"
    )
    conversation: SomeTexts | None = Field(
        default=None, description="ids of chats, as `audit show` prints them"
    )
    outside: Outside | None = Field(default=None, description="outside working time")
    count: Count | None = Field(default=None, description="how often")
    files: FileTest | None = Field(default=None, description="what is attached")
    edited: YesNo | None = Field(default=None, description="the message replaces an earlier one")
    recalled: YesNo | None = Field(default=None, description="the message takes an earlier one back")

    @model_validator(mode="after")
    def _says_something(self) -> OneOf:
        if not self.model_fields_set - {"confidence"}:
            raise _refuse("P014.condition")
        if self.count is not None and self.count.within is None and not self._looks():
            raise _refuse("P014.count", at="count")
        return self

    def _looks(self) -> bool:
        return self.finds is not None


class Unless(OneOf):
    """What takes the match away. All keys must hold; one value of a list is enough."""

    any: Annotated[tuple[OneOf, ...], BeforeValidator(_listed), Field(min_length=1)] | None = Field(
        default=None, description="one of these must hold as well"
    )

    def _looks(self) -> bool:
        return self.finds is not None or any(way.finds is not None for way in self.any or ())


class When(Unless):
    """When the rule matches. All keys must hold; one value of a list is enough."""

    direction: Direction = Field(description="the way the message goes")


class Redact(Section):
    """Masking: `position` keeps the length, `fixed` hides it; `keep_last` characters stay readable."""

    keep_last: Whole = Field(
        default=0, ge=0, le=8, description="how many characters at the end stay readable"
    )
    style: Literal["position", "fixed"] = Field(
        default="position", description="`position` keeps the length, `fixed` hides it"
    )


class Hold(Section):
    """Waiting for a person; `conversation: wait` makes later messages wait behind it."""

    queue: Name = Field(default="review", description="the queue of reviewers in which it waits")
    conversation: Literal["wait", "pass"] = Field(
        default="pass", description="`wait` makes later messages of the conversation wait behind it"
    )
    decide_within: Duration | None = Field(default=None, description="how soon a reviewer must decide: 15m")
    if_late: Literal["escalate", "block"] | None = Field(
        default=None, description="what happens after that; never a release"
    )

    @model_validator(mode="after")
    def _late_after_some_time(self) -> Hold:
        if self.if_late is not None and self.decide_within is None:
            raise _refuse("P014.late", at="if_late")
        return self


class Tell(Section):
    """What the sender is told, by language. `zh` serves both scripts where the exact one is missing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)
    en: Text | None = Field(default=None, description="English")
    zh: Text | None = Field(default=None, description="Chinese, for both scripts")
    zh_hans: Text | None = Field(
        default=None, alias="zh-Hans", description="Chinese in Simplified characters"
    )
    zh_hant: Text | None = Field(
        default=None, alias="zh-Hant", description="Chinese in Traditional characters"
    )

    @model_validator(mode="after")
    def _in_some_language(self) -> Tell:
        if not self.model_fields_set:
            raise _refuse("P014.language")
        return self

    def texts(self) -> dict[str, str]:
        """The texts that are there, by language tag."""
        return self.model_dump(by_alias=True, exclude_none=True)


class SampleOf(Section):
    """Review after delivery: so many percent of the messages, drawn when the day is over."""

    percent: Percent = Field(description="how many of a hundred")
    queue: Name = Field(default="review", description="the queue of reviewers")
    reason: Text | None = Field(default=None, description="why, for the reviewer")


class Then(Section):
    """What follows. The strictest outcome of all rules wins; everything else adds up."""

    deliver: Yes | None = Field(default=None, description="a decision to let it pass")
    redact: Annotated[Redact, BeforeValidator(_yes_or_mapping)] | None = Field(
        default=None, description="what was found is masked"
    )
    hold: Annotated[Hold, BeforeValidator(_yes_or_mapping)] | None = Field(
        default=None, description="the message waits for a person"
    )
    block: Yes | None = Field(default=None, description="the message is not delivered")
    annotate: Tell | None = Field(default=None, description="a text that goes below the message")
    tag: Names = Field(default=(), description="marks in the records")
    notify: Texts = Field(default=(), description="staff who are told that the rule acted, by address")
    sample: SampleOf | None = Field(default=None, description="a part is reviewed after delivery")
    review: Literal["all"] | None = Field(default=None, description="every one is reviewed after delivery")
    tell_sender: Tell | None = Field(
        default=None,
        description="what the sender is told, by language, where nothing stricter becomes of the message",
    )
    show_match: YesNo = Field(default=False, description="the sender is also shown what was found")

    @model_validator(mode="after")
    def _says_something(self) -> Then:
        acts = [key for key in ("redact", "hold", "block", "annotate") if getattr(self, key) is not None]
        if self.deliver and acts:
            raise _refuse("P014.deliver", at="deliver", other=acts[0])
        effects = self.tag or self.tell_sender or self.notify or self.sample or self.review
        if not (acts or self.deliver or effects):
            raise _refuse("P014.nothing")
        if self.show_match and self.tell_sender is None:
            raise _refuse("P014.show_match", at="show_match")
        return self


class Trial(Section):
    """A test: a message and what must become of it."""

    given: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)] = Field(
        description='the message ("" for one without text, such as a voice message); of several, one '
        "sender's messages, the last is judged"
    )
    from_: Literal["symphony", "weixin"] | None = Field(
        default=None, alias="from", description="the network it comes from"
    )
    sender: Text | None = Field(default=None, description="the sender's address, id or `tag:…`")
    recipient: Text | None = Field(default=None, description="the recipient's address, id or `tag:…`")
    kind: KindWord | None = Field(default=None, description="the kind of message")
    consent: YesNo | None = Field(default=None, description="whether the client has agreed to the gates")
    at: Moment | None = Field(default=None, description="YYYY-MM-DD HH:MM in the policy's timezone")
    would: OutcomeWord | None = Field(
        default=None, description="the strictest outcome of the rules that are only monitored"
    )
    expect: OutcomeWord = Field(description="what has to become of it")
    becomes: Text | None = Field(default=None, description="the exact text after masking")
    tags: Names | None = Field(default=None, description="the tags it gets, all of them")
    rule: Name | None = Field(default=None, description="the rule that has to decide")
    note: Text | None = Field(default=None, description="why, for the reader")


class Rollout(Section):
    """Enforced for a part, monitored for the rest: the conversations of some groups, or so many percent."""

    groups: SomeNames | None = Field(
        default=None, description="enforced in conversations with somebody of these groups"
    )
    percent: Percent | None = Field(
        default=None, description="enforced in so many of a hundred conversations"
    )
    by: Literal["conversation"] = Field(default="conversation", description="what is counted")

    @model_validator(mode="after")
    def _one_part(self) -> Rollout:
        if (self.groups is None) == (self.percent is None):
            raise _refuse("P014.rollout")
        return self


class Rule(Section):
    """When … then …, with its own proof."""

    id: Name = Field(description="the name of the rule; it never changes")
    title: Text = Field(description="what the rule is for, in a few words")
    because: Text | None = Field(default=None, description="the regulation or memo behind the rule")
    severity: Literal["low", "medium", "high", "critical"] = Field(description="how bad a match is")
    mode: Mode | None = Field(
        default=None,
        description="`off`, `monitor` (recorded only) or `enforce`; without it, the file's default",
    )
    rollout: Rollout | None = Field(default=None, description="enforced for a part only")
    review_by: Day | None = Field(
        default=None, description="the day by which somebody has to look at it again"
    )
    when: When = Field(description="when the rule matches")
    unless: Unless | None = Field(default=None, description="what takes the match away")
    then: Then = Field(description="what follows")
    tests: tuple[Trial, ...] = Field(default=(), description="messages, and what must become of them")

    @model_validator(mode="after")
    def _mask_has_a_target(self) -> Rule:
        ways = self.when.any or ()
        if self.then.redact is not None and not (self.when.finds or (ways and all(w.finds for w in ways))):
            raise _refuse("P014.redact")
        return self


# --- sections beside the rules --------------------------------------------------------------------------


class AppliesTo(Section):
    """The conversations that the file is for: those with somebody of these groups in them."""

    groups: SomeNames = Field(description="groups of which somebody takes part")


class Barrier(Section):
    """Who may not talk at all. No rule and no reviewer opens it, only an exception that names it.

    `between` works both ways; `from` and `to` one way. With `finds`, only messages with such findings.
    """

    id: Name = Field(description="the name of the barrier")
    between: Annotated[Names, AfterValidator(_two)] | None = Field(default=None, description="two groups")
    from_: SomeNames | None = Field(
        default=None, alias="from", description="groups that may not write to `to`"
    )
    to: SomeNames | None = Field(default=None, description="groups that `from` may not write to")
    finds: SomeNames | None = Field(
        default=None, description="detectors: only messages in which one finds something"
    )
    then: Stop = Field(default="block", description="what becomes of the message")
    because: Text | None = Field(default=None, description="the regulation or memo behind it")

    @model_validator(mode="after")
    def _two_sides(self) -> Barrier:
        written = (self.between is not None, self.from_ is not None, self.to is not None)
        if written not in ((True, False, False), (False, True, True)):
            raise _refuse("P014.barrier")
        return self


class Attachments(Section):
    """What may be attached. Types are told by content, never by name alone."""

    allow: Annotated[tuple[FileType, ...], BeforeValidator(_listed)] | None = Field(
        default=None, description="types that may pass; without it, all"
    )
    not_allowed: Pass = Field(default="block", description="the type is not among `allow`")
    max_size: Size | None = Field(default=None, description="the largest file: 20MB")
    too_large: Pass = Field(default="block", description="the file is larger than `max_size`")
    wrong_type: Pass = Field(default="block", description="the name claims another type")
    encrypted: Pass = Field(default="block", description="the file needs a password")
    macros: Pass = Field(default="block", description="the file holds macros")
    read_text: YesNo = Field(default=True, description="detectors look at the text inside, too")
    unreadable: Pass = Field(default="hold", description="the text inside cannot be read")
    virus_scan: Literal["clamav", "none"] = Field(default="none", description="who looks for viruses")
    infected: Stop = Field(default="block", description="a virus was found")


class Consent(Section):
    """Clients are asked before anything else passes to them; `agree` are the answers that mean yes."""

    from_: Annotated[SomeNames, Field(alias="from", description="groups of clients who are asked")]
    text: Tell = Field(description="what they are asked, by language")
    agree: SomeWords = Field(
        default=("同意", "我同意", "agree", "i agree", "yes"), description="answers that mean yes"
    )
    until_given: Stop = Field(default="hold", description="what becomes of messages before that")
    renew_every: Period | None = Field(default=None, description="asked again after this: 365d")


class Disclaimer(Section):
    """A text of the firm's, below a message: every time, or once a day, a week, or for good."""

    id: Name = Field(description="the name of the text")
    direction: Direction = Field(description="the way the message goes")
    every: Literal["message", "day", "week", "once"] = Field(default="day", description="how often")
    for_: Annotated[tuple[Name, ...], BeforeValidator(_everybody)] = Field(
        default=(), alias="for", description="groups of which somebody takes part; without it, everybody"
    )
    text: Tell = Field(description="the text, by language")


class Keep(Section):
    """How long records live: a period, or the preset of a regulation. The longest that applies wins."""

    id: Name | None = Field(default=None, description="a name for it")
    preset: Name | None = Field(default=None, description="a regulation's period, by name")
    keep: Period | None = Field(default=None, description="the period: 7y, 18m, 90d")
    start: Name = Field(default="creation", description="`creation`, or the event after which it runs")
    for_: Annotated[tuple[Name, ...], BeforeValidator(_everybody)] = Field(
        default=(), alias="for", description="groups of which somebody takes part; without it, everybody"
    )
    direction: Direction = Field(default="both", description="the way the message goes")
    kind: Kinds | None = Field(default=None, description="kinds of message; without it, all")
    worm: YesNo = Field(default=False, description="only write-once media will do")
    first: Period | None = Field(default=None, description="the period in which it must be readable at once")

    @model_validator(mode="after")
    def _one_period(self) -> Keep:
        if (self.preset is None) == (self.keep is None):
            raise _refuse("P014.keep")
        if self.preset is not None and "start" in self.model_fields_set:
            raise _refuse("P014.preset", at="start")
        return self


class ArchiveTo(Section):
    """Where else copies must lie. A message is archived only when all destinations have it."""

    id: Name = Field(description="the name of the destination")
    to: Address = Field(description="where: s3://BUCKET/PREFIX, smtp://HOST:PORT/ADDRESS, file:///FOLDER")
    format: Literal["native", "eml", "jsonl"] = Field(default="native", description="the form of the copies")
    object_lock: Literal["governance", "compliance"] | None = Field(
        default=None, description="how the destination keeps them from being changed"
    )
    region: Name | None = Field(default=None, description="the region of the store, such as CN")
    approval: Name | None = Field(
        default=None, description="the id of what allows records of a walled region to go there"
    )
    for_: Annotated[tuple[Name, ...], BeforeValidator(_everybody)] = Field(
        default=(), alias="for", description="groups of which somebody takes part; without it, everybody"
    )

    @model_validator(mode="after")
    def _locks_where_it_can(self) -> ArchiveTo:
        if self.object_lock is not None and not self.to.startswith("s3://"):
            raise _refuse("P014.lock", at="object_lock")
        return self


class LegalHold(Section):
    """Records of these people are never disposed of while it stands."""

    id: Name = Field(description="the name of the case")
    people: SomeTexts = Field(description="addresses or ids")
    since: Day | None = Field(default=None, description="the first day that matters; without it, everything")
    approved_by: Text = Field(description="who ordered it")
    because: Text | None = Field(default=None, description="why")


class ExceptionFrom(Section):
    """One rule or barrier of this file does not apply: to whom, for what, until when, by whose leave."""

    id: Name = Field(description="the name of the exception")
    rule: Name = Field(description="the rule or barrier that does not apply")
    for_: Annotated[SomeTexts, Field(alias="for", description="addresses, ids or groups")]
    only: SomeWords | None = Field(default=None, description="only where nothing but these words was found")
    expires: Day = Field(description="the last day")
    approved_by: Text = Field(description="who allowed it")
    because: Text = Field(description="why")


class PolicyFile(Section):
    """One policy: a head, people, words, detectors, rules, and the fixed sections beside them."""

    policy: Name = Field(description="the name of the policy; no two files share one")
    language: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="the version of the language"
    )
    title: Text = Field(description="what the file is for")
    owner: Text = Field(description="who answers for it")
    timezone: Annotated[str, BeforeValidator(_zone)] = Field(
        default="UTC", description="the clock of its hours and days: Asia/Hong_Kong"
    )
    applies_to: AppliesTo | None = Field(
        default=None, description="the conversations the file is for; without it, all"
    )
    defaults: Defaults = Field(default=Defaults(), description="what happens when nothing is said")
    groups: dict[Name, Group] = Field(default={}, description="people, by name of the group")
    lists: dict[Name, WordList] = Field(default={}, description="words, by name of the list")
    detectors: dict[Name, Detector] = Field(
        default={}, description="what to look for, by name of the detector"
    )
    barriers: tuple[Barrier, ...] = Field(default=(), description="who may not talk at all")
    rules: tuple[Rule, ...] = Field(
        default=(), description="when … then …, with tests; their order does not matter"
    )
    attachments: Attachments | None = Field(default=None, description="what may be attached")
    kinds: dict[KindWord, Pass] = Field(default={}, description="what becomes of a kind of message")
    consent: Consent | None = Field(default=None, description="clients agree before anything else passes")
    disclaimers: tuple[Disclaimer, ...] = Field(default=(), description="texts of the firm's below messages")
    retention: tuple[Keep, ...] = Field(default=(), description="how long records live")
    archive: tuple[ArchiveTo, ...] = Field(default=(), description="where else copies lie")
    legal_holds: tuple[LegalHold, ...] = Field(default=(), description="records that are never disposed of")
    exceptions: tuple[ExceptionFrom, ...] = Field(default=(), description="named, dated and approved")

    def mode_of(self, rule: Rule) -> Mode:
        """The mode in which `rule` runs: as it says, else as the file says."""
        return rule.mode or self.defaults.mode

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
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed)]
Words = Annotated[tuple[Word, ...], BeforeValidator(_listed)]

Mode = Literal["off", "monitor", "enforce"]
Direction = Literal["to_weixin", "to_symphony", "both"]
Confidence = Literal["low", "medium", "high"]
OutcomeWord = Literal["deliver", "redact", "hold", "block"]
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

    LATER = frozenset({"messages"})
    words: Words
    within: Whole = Field(default=20, ge=1, le=1000)


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

_LATER_CONDITIONS = frozenset(
    ["recipient", "conversation", "outside", "count", "files", "edited", "recalled", "any"]
)


class Unless(Section):
    """What takes the match away. All keys must hold; one value of a list is enough."""

    LATER = _LATER_CONDITIONS
    direction: Direction | None = None
    finds: Names | None = None
    confidence: Confidence = "medium"
    sender: Texts | None = None
    groups: Names | None = None
    kind: Annotated[tuple[KindWord, ...], BeforeValidator(_listed)] | None = None


class When(Unless):
    """When the rule matches. All keys must hold; one value of a list is enough."""

    direction: Direction


class Redact(Section):
    """Masking: `position` keeps the length, `fixed` hides it; `keep_last` characters stay readable."""

    keep_last: Whole = Field(default=0, ge=0, le=8)
    style: Literal["position", "fixed"] = "position"


class Hold(Section):
    """Waiting for a person; `conversation: wait` makes later messages wait behind it."""

    LATER = frozenset({"decide_within", "if_late"})
    queue: Name = "review"
    conversation: Literal["wait", "pass"] = "pass"


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


class Then(Section):
    """What follows. The strictest outcome of all rules wins; tags and texts add up."""

    LATER = frozenset({"notify", "sample", "annotate", "review"})
    deliver: Yes | None = None
    redact: Annotated[Redact, BeforeValidator(_yes_or_mapping)] | None = None
    hold: Annotated[Hold, BeforeValidator(_yes_or_mapping)] | None = None
    block: Yes | None = None
    tag: Names = ()
    tell_sender: Tell | None = None
    show_match: YesNo = False

    @model_validator(mode="after")
    def _says_something(self) -> Then:
        acts = [key for key in ("redact", "hold", "block") if getattr(self, key) is not None]
        if self.deliver and acts:
            raise _refuse("P014.deliver", other=acts[0])
        if not (acts or self.deliver or self.tag or self.tell_sender):
            raise _refuse("P014.nothing")
        if self.show_match and self.tell_sender is None:
            raise _refuse("P014.show_match")
        return self


class Trial(Section):
    """A test: a message and what must become of it."""

    LATER = frozenset({"recipient", "consent"})
    given: Text
    from_: Literal["symphony", "weixin"] | None = Field(default=None, alias="from")
    sender: Text | None = None
    at: Moment | None = Field(default=None, description="YYYY-MM-DD HH:MM in the policy's timezone")
    expect: OutcomeWord
    becomes: Text | None = None
    would: OutcomeWord | None = None
    tags: Names | None = None
    rule: Name | None = None
    note: Text | None = None


class Rule(Section):
    """When … then …, with its own proof."""

    LATER = frozenset({"rollout"})
    id: Name
    title: Text
    because: Text | None = Field(default=None, description="the regulation or memo behind the rule")
    severity: Literal["low", "medium", "high", "critical"]
    mode: Mode | None = None
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


class PolicyFile(Section):
    """One policy: a head, people, words, detectors, and rules."""

    LATER = frozenset(
        [
            "applies_to",
            "barriers",
            "attachments",
            "kinds",
            "consent",
            "disclaimers",
            "retention",
            "archive",
            "legal_holds",
            "exceptions",
        ]
    )
    policy: Name
    language: Annotated[Literal[1], BeforeValidator(_version)]
    title: Text
    owner: Text
    timezone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    defaults: Defaults = Defaults()
    groups: dict[Name, Group] = {}
    lists: dict[Name, WordList] = {}
    detectors: dict[Name, Detector] = {}
    rules: tuple[Rule, ...] = ()

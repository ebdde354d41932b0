"""Messages as a search sees them, made in memory: one by hand, or many by chance.

Rules of this file: what chance makes is small and full of collisions (few words, few names), because queries
that never match anything prove nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from bridge.flow import DeliveryState, MessageState
from bridge.message import Annotation, Cause, Inspection, Kind, Match, Outcome, Verdict
from bridge.search.document import Attached, Decided, Delivered, Document, Held, Person
from bridge.search.query import Query, parse

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
ALICE = Person("symphony", "7001", "Alice Wong", "alice.wong@bank.example", frozenset({"research"}))
LI_LEI = Person("weixin", "wmLiLei", "李雷", "", frozenset({"client"}))
BOB = Person("symphony", "7002", "Bob Li", "bob.li@bank.example")


@dataclass(frozen=True)
class Specimen:
    """A `Document` with everything in its hand."""

    number: int = 12
    at: int = 1_795_339_800_000  # 2026-11-22 09:30 UTC
    sent_at: int = 0
    lane: int = 0
    entry: int = 40
    leaf: bytes = bytes.fromhex("9f86d081884c7d65") * 4
    network: str = "symphony"
    conversation: str = "chat/one"
    source_id: str = "msg-1"
    kind: str = "text"
    state: str = "passed"
    pair: int | None = 1
    notice_for: int | None = None
    text: str = ""
    permitted: str = ""
    sent: str = ""
    quote: str = ""
    defect: str = ""
    sender: Person = ALICE
    reader: Person | None = LI_LEI
    files: Sequence[Attached] = ()
    decisions: Sequence[Decided] = ()
    held: Held | None = None
    deliveries: Sequence[Delivered] = ()
    edits: Sequence[int] = ()
    recalls: Sequence[int] = ()


def wrote(text: str, **fields: Any) -> Specimen:
    """A message of Alice's."""
    return replace(Specimen(text=text), **fields)


def decided(outcome: Outcome = Outcome.DELIVER, *matches: Match, **fields: Any) -> Decided:
    """A verdict of the policy `desk`."""
    plain = {"reason": "no rule matched", "policies": (("desk", "ab12cd34" * 8),), "text": ""}
    return Decided(5, Verdict(outcome, Cause.RULE, matches=matches, **plain | fields))


def ask(text: str) -> Query:
    """A query, read on a Sunday in Hong Kong."""
    return parse(text, NOW, HONG_KONG)


def finds(query: str, document: Document) -> bool:
    """Whether the query accepts the document."""
    return ask(query).accepts(document)


# --- by chance ------------------------------------------------------------------------------------------

_PIECES = (
    "内幕", "消息", "騰訊", "腾讯", "腾", "A股", "iPhone15手机", "insider", "Insider", "tip", "café",
    "cafe", "don't", "５００", "500", "😀", "€", "ＡＢＣ", "abc", "に", "ab\u200bc", "e\u0301", "_", "-",
    ",", "。", " ", "  ", "\n", "(", '"', "·", "Ⅳ", "тест",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(_PIECES), max_size=8).map("".join) | st.text(max_size=12)
_NAMES = st.sampled_from(("", "Alice Wong", "李雷", "Bob Li", "alice", "O'Brien"))
_IDS = st.sampled_from(("7001", "wmLiLei", "alice", "li_lei-1"))
_PEOPLE = st.builds(
    Person,
    st.sampled_from(("symphony", "weixin")),
    _IDS,
    _NAMES,
    st.sampled_from(("", "alice.wong@bank.example", "bob.li@bank.example")),
    st.frozensets(st.sampled_from(("research", "客户")), max_size=2),
)
_RULES = st.sampled_from(("mnpi", "mask-identity", "内幕"))
_MATCHES = st.builds(
    Match,
    st.just("desk"),
    _RULES,
    st.just("a title"),
    st.sampled_from(Outcome),
    enforced=st.booleans(),
    detectors=st.sampled_from(((), ("hkid",), ("insider", "hkid"))),
    exception=st.sampled_from(("", "ipo-team")),
)
_VERDICTS = st.builds(
    Verdict,
    st.sampled_from(Outcome),
    st.just(Cause.RULE),
    TEXTS,
    reason=st.sampled_from(("", "rule mnpi", "内幕消息")),
    matches=st.lists(_MATCHES, max_size=2).map(tuple),
    tags=st.sampled_from(((), ("mnpi",))),
    policies=st.sampled_from(((), (("desk", "ab12cd34" * 8),))),
    queue=st.sampled_from(("", "compliance", "compliance, legal")),
    annotations=st.sampled_from(((), (Annotation("desk/d", {"en": "x"}),))),
    ask=st.sampled_from(({}, {"en": "agree?"})),
    agreed=st.sampled_from(((), ("desk/gate",))),
    lists=st.sampled_from(((), (("desk/restricted", 1),))),
)
_DECIDED = st.builds(
    Decided, st.integers(1, 9), _VERDICTS, st.sampled_from(("", "bob.li@bank.example")), TEXTS
)
_FOUND = st.none() | st.builds(
    Inspection, st.just("x"), st.sampled_from(("pdf", "docx")), st.just(9), text=TEXTS, macros=st.booleans()
)
_FILES = st.builds(
    Attached,
    st.sampled_from(("", "report.pdf", "报告 final.docx", "noending")),
    st.sampled_from(Kind),
    st.sampled_from((-1, 0, 999, 1_000_000)),
    st.sampled_from(("", "ab12cd34" * 8)),
    _FOUND,
)
_HELD = st.none() | st.builds(
    Held, st.sampled_from(("open", "released", "expired")), st.just("compliance"), st.just(1),
    st.integers(0, 3), st.integers(0, 3), st.integers(0, 1),
)  # fmt: skip
_SOME_NUMBERS = st.sampled_from(((), (14,)))
DOCUMENTS = st.builds(
    Specimen,
    number=st.integers(1, 20),
    at=st.integers(1_795_000_000_000, 1_795_400_000_000),
    lane=st.integers(0, 2),
    entry=st.integers(0, 60),
    leaf=st.sampled_from((b"", bytes.fromhex("9f86d081884c7d65") * 4)),
    network=st.sampled_from(("symphony", "weixin")),
    conversation=st.sampled_from(("chat", "wk1/wm2", "wk1/")),
    source_id=st.sampled_from(("msg-1", "12", "Ab/c=")),
    kind=st.sampled_from(Kind).map(str),
    state=st.sampled_from(MessageState).map(str),
    pair=st.none() | st.just(1),
    notice_for=st.none() | st.just(3),
    text=TEXTS,
    permitted=TEXTS,
    sent=TEXTS,
    quote=TEXTS,
    defect=st.sampled_from(("", "cut")),
    sender=_PEOPLE,
    reader=st.none() | _PEOPLE,
    files=st.lists(_FILES, max_size=2),
    decisions=st.lists(_DECIDED, max_size=2),
    held=_HELD,
    deliveries=st.lists(
        st.builds(Delivered, st.just("p"), st.just("weixin"), st.sampled_from(DeliveryState).map(str)),
        max_size=2,
    ),
    edits=_SOME_NUMBERS,
    recalls=_SOME_NUMBERS,
)

_SEARCHABLE = st.lists(st.sampled_from(_PIECES[:16] + _PIECES[17:22]), min_size=1, max_size=3).map(" ".join)
_PHRASES = _SEARCHABLE.map(lambda text: '"' + text.replace('"', "") + '"')
_PLAIN = st.sampled_from(
    (
        "内幕",
        "腾讯",
        "騰",
        "insider",
        "insid*",
        "tip",
        "A股",
        "iphone15手机",
        "500",
        "😀",
        "abc",
        "に",
        "тест",
        "a",
    )
)
TERMS = _PLAIN | _PHRASES
_NAMED = st.sampled_from(("from", "to", "with", "actor", "reviewer", "contact"))
_SOMEBODY = st.sampled_from(
    ("alice", "wong", "李", "李雷", "alice.wong@bank.example", "@bank.example", "7001", "li_lei-1", "bo*",
     '="Alice Wong"', "=wmLiLei", "alice,李雷", '"bob li"')
)  # fmt: skip
_LOOKING = st.sampled_from(("text", "orig", "sent", "quote", "file", "inside", "reason"))
_CONDITIONS = st.sampled_from(
    (
        "side:weixin", "dir:to_weixin", "network:symphony", "group:research", "group:客户", "in:wk1",
        "in:chat", "kind:text,image", "type:pdf", "size:>0", "size:..1KB", "lang:zh", "lang:zh-hant",
        "lang:en,ru", "action:held", "would:block", "rule:mnpi", "rule:desk/mnpi", "rule:内幕",
        "detector:hkid", "list:restricted", "tag:mnpi", "policy:desk", "policy:ab12cd34ab",
        "exception:ipo-team", "queue:legal", "is:held", "is:released,late", "is:delivered", "is:notice",
        "is:unpaired", "is:edited", "is:unreviewed", "has:attachment", "has:mask,note", "has:disclaimer",
        "has:quote", "has:macros", "consent:missing", "consent:given", "during:today", "during:last-30d",
        "at:2026-11..", "after:2026-11-20", "before:2026-11-21", "at:>2026-11-19", "hour:18..08", "hour:9",
        "day:weekend", "day:fri..mon", "id:12", "id:=12", "id:3..9", "id:>=14", "id:msg-1", "seq:10..40",
        "seq:2/..30", "hash:9f86d081", "hash:ab12cd34ab",
    )
)  # fmt: skip
_ATOMS = (
    TERMS
    | st.builds("{}:{}".format, _NAMED, _SOMEBODY)
    | st.builds("{}:{}{}".format, _LOOKING, st.sampled_from(("", "=")), TERMS)
    | st.builds("near({},{},{})".format, TERMS, TERMS, st.integers(1, 6))
    | _CONDITIONS
)
QUERIES = st.recursive(
    _ATOMS,
    lambda inner: (
        st.builds("({} OR {})".format, inner, inner)
        | st.builds("{} {}".format, inner, inner)
        | st.builds("-({})".format, inner)
    ),
    max_leaves=5,
)

"""Bodies: what people wrote goes in and comes out the same, today's and yesterday's.

Rules of this file: `bodies-v1.jsonl` is history; its lines are never edited. READ says what each means.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.message import (
    SYMPHONY,
    WEIXIN,
    Annotation,
    Cause,
    File,
    Inspection,
    Kind,
    Match,
    Message,
    Outcome,
    Retention,
    Sample,
    Verdict,
    mend,
)
from bridge.store.codec import (
    Known,
    dump,
    inspection_body,
    inspection_from,
    known_from,
    message_body,
    message_from,
    verdict_body,
    verdict_from,
    verdict_text,
)

START = 1_767_600_000_000
OLD = Path(__file__).with_name("bodies-v1.jsonl").read_bytes().splitlines()

PLAIN = Message(SYMPHONY, "m1", "stream", "7001", 1_767_600_000_000, text="Good morning, 李雷 👋")
FULL = Message(
    network=WEIXIN,
    id="msg-2",
    conversation="wkDesk/wmLiLei",
    sender="wmLiLei",
    sent_at=1_767_600_060_000,
    kind=Kind.IMAGE,
    text="[Image]\n第二行",
    sender_name="李雷",
    address="bob.li@bank.example",
    files=(
        File("media-1", "图表.png", Kind.IMAGE, "image/png", 2048),
        File("media-2", "", Kind.VOICE),
    ),
    replaces="msg-0",
    refers_to="msg-1",
    quote="上一条",
    defect="unknown field",
    raw=b'{"msgid": "msg-2"}',
)
NOBODYS = Message(SYMPHONY, "m3", "", "", 0, Kind.UNKNOWN, defect="not an item known here")
HELD = Verdict(
    outcome=Outcome.HOLD,
    cause=Cause.RULE,
    text="Good morning, **** 👋",
    reason="names a person",
    matches=(
        Match("conduct", "names", "Names", Outcome.HOLD, True, ("list",), ((14, 16), (17, 18)), "of a list"),
        Match("conduct", "greetings", "Greetings", Outcome.REDACT, False),
    ),
    tell={"en": "Please wait.", "zh": "请稍候。"},
    tags=("client", "morning"),
    waits=True,
    policies=(("conduct", "5f" * 32), ("privacy", "6e" * 32)),
)
WHOLE = replace(
    HELD,
    matches=(replace(HELD.matches[0], exception="conduct/press"),),
    queue="control-room",
    decide_within=900_000,
    if_late="escalate",
    annotations=(Annotation("conduct/notice", {"en": "Not advice.", "zh-Hans": "不构成建议。"}),),
    notify=("bob.li@bank.example",),
    samples=(Sample("conduct/names", "review", 2.5, "supervision"),),
    ask={"en": "Do you agree?"},
    agreed=("conduct/consent",),
    gated=True,
    retention=(Retention("conduct/orders", "7y", "creation", True, "2y"),),
    legal_holds=("conduct/case-7",),
    archives=("conduct/vault",),
    after_archives=True,
    lists=(("conduct/restricted", 1_767_600_000_000),),
    directory="7d" * 32,
    engine="weighbridge 0.3",
)
PASSED = Verdict(Outcome.DELIVER, Cause.DEFAULT, PLAIN.text)

READ: list[Message | Verdict] = [PLAIN, replace(FULL, raw=b""), NOBODYS, HELD, PASSED]

KINDS = st.sampled_from(list(Kind))
TEXTS = st.text()
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
FILES = st.builds(File, TEXTS, TEXTS, KINDS, TEXTS, st.integers(-1, 2**53))
MESSAGES = st.builds(
    Message,
    network=st.sampled_from([SYMPHONY, WEIXIN]),
    id=NAMES,
    conversation=NAMES,
    sender=NAMES,
    sent_at=st.integers(0, 2**53),
    kind=KINDS,
    text=TEXTS,
    sender_name=TEXTS,
    address=TEXTS,
    files=st.lists(FILES, max_size=3).map(tuple),
    replaces=NAMES,
    refers_to=NAMES,
    quote=TEXTS,
    defect=TEXTS,
    raw=st.binary(),
)
SPANS = st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), max_size=3).map(tuple)
MATCHES = st.builds(
    Match,
    policy=TEXTS,
    rule=TEXTS,
    title=TEXTS,
    outcome=st.sampled_from(list(Outcome)),
    enforced=st.booleans(),
    detectors=st.lists(TEXTS, max_size=3).map(tuple),
    spans=SPANS,
    why=TEXTS,
)
VERDICTS = st.builds(
    Verdict,
    outcome=st.sampled_from(list(Outcome)),
    cause=st.sampled_from(list(Cause)),
    text=TEXTS,
    reason=TEXTS,
    matches=st.lists(MATCHES, max_size=3).map(tuple),
    tell=st.dictionaries(TEXTS, TEXTS, max_size=3),
    tags=st.lists(TEXTS, max_size=3).map(tuple),
    waits=st.booleans(),
    policies=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
)
# What a network's JSON may hold beside real text: halves of a surrogate pair.
BROKEN_TEXTS = st.text(
    st.sampled_from("a李👋\x00") | st.characters(categories=["Cs"]), min_size=1, max_size=6
).filter(lambda text: any("\ud800" <= one <= "\udfff" for one in text))
TEXT_FIELDS = [
    *("id", "conversation", "sender", "text", "sender_name", "address"),
    *("replaces", "refers_to", "quote"),
]


# --- old bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "means"), list(zip(OLD, READ, strict=True)))
def test_old_bodies_still_read(body: bytes, means: Message | Verdict) -> None:
    """What was archived in the past means what it meant."""
    if isinstance(means, Message):
        assert message_from(body, b"") == means
    else:
        assert verdict_from(body, PLAIN.text) == means


@pytest.mark.parametrize("body", OLD)
def test_bodies_are_plain_json(body: bytes) -> None:
    """Any JSON reader of any time can read a body, without this program."""
    assert json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == (
        body.decode()
    )


def test_every_kind_outcome_and_cause_keeps_its_word() -> None:
    """The words in old bodies are never renamed; new ones may join them."""
    assert {*map(str, Kind)} >= {
        *("text", "image", "voice", "video", "file", "sticker", "location", "link", "card", "app"),
        *("record", "recall", "failed", "note", "unknown"),
    }
    assert {*map(str, Outcome)} >= {"deliver", "redact", "hold", "block"}
    assert {*map(str, Cause)} >= {"rule", "default", "failure", "person"}


# --- round trips ------------------------------------------------------------------------------------------


@given(MESSAGES)
def test_a_message_comes_back(message: Message) -> None:
    """Body and raw bytes give the message that went in: every field, every character."""
    assert message_from(message_body(message), message.raw) == message


@given(VERDICTS, TEXTS)
def test_a_verdict_comes_back(verdict: Verdict, text: str) -> None:
    """A verdict and the text that it is on give the verdict again."""
    body = verdict_body(verdict, text)
    assert verdict_from(body, text) == verdict
    assert verdict_text(body, text) == verdict.text


@given(MESSAGES)
def test_the_same_message_has_the_same_body(message: Message) -> None:
    """Writing is deterministic: what is read can be digested again."""
    body = message_body(message)
    assert message_body(message_from(body, b"")) == body


def test_a_body_leaves_out_what_is_empty_and_what_is_raw() -> None:
    """A plain message is a short body; the raw bytes are kept beside it, not in it."""
    assert json.loads(message_body(replace(PLAIN, raw=b"raw bytes"))) == {
        "network": SYMPHONY,
        "id": "m1",
        "conversation": "stream",
        "sender": "7001",
        "sent_at": 1_767_600_000_000,
        "kind": "text",
        "text": PLAIN.text,
    }


def test_every_field_of_a_message_is_written() -> None:
    """A field added to Message and forgotten here would be lost without a word."""
    assert set(json.loads(message_body(FULL))) == {field.name for field in fields(Message)} - {"raw"}


def test_every_field_of_a_verdict_is_written() -> None:
    """The same for Verdict; an unchanged text is not written twice."""
    written = set(json.loads(verdict_body(WHOLE, PLAIN.text)))
    assert written == {field.name for field in fields(Verdict)}
    assert set(json.loads(verdict_body(WHOLE, HELD.text))) == written - {"text"}
    assert set(json.loads(verdict_body(PASSED, PLAIN.text))) == {"outcome", "cause"}


KNOWN = Known(START, 3, (1, 2), {"conduct/consent": START}, {"conduct/notice": START - 1})


@pytest.mark.parametrize("known", [KNOWN, Known(START), None])
def test_what_a_verdict_rested_on_comes_back(known: Known | None) -> None:
    """The judge's clock, the pair, earlier messages, consent and what was said; nothing where nothing was."""
    body = verdict_body(WHOLE, PLAIN.text, known)
    assert known_from(body) == known
    assert verdict_from(body, PLAIN.text) == WHOLE


def test_what_an_old_verdict_rested_on_is_not_known() -> None:
    """Bodies from before this was recorded say so."""
    assert [known_from(body) for body, means in zip(OLD, READ, strict=True) if means == HELD] == [None]


# --- inspections ------------------------------------------------------------------------------------------

INSPECTED = Inspection(
    "图表.docx", "docx", 0, "pdf", True, True, "内幕消息", True, "it is locked", True, "Eicar"
)


@pytest.mark.parametrize("inspection", [Inspection("a.png", "png", 9), INSPECTED])
def test_an_inspection_comes_back(inspection: Inspection) -> None:
    """What was found in an attachment is read again as it was written."""
    assert inspection_from(inspection_body(inspection)) == inspection


def test_every_field_of_an_inspection_is_written() -> None:
    """A field added to Inspection and forgotten here would be lost without a word; a size of 0 is one."""
    assert set(json.loads(inspection_body(INSPECTED))) == {field.name for field in fields(Inspection)}


def test_an_old_inspection_still_reads() -> None:
    """What was written first is read for ever."""
    body = b'{"claims":"pdf","name":"a.pdf","size":9,"text":"hi","type":"zip","unreadable":"no","virus":"x"}'
    assert inspection_from(body) == Inspection(
        "a.pdf", "zip", 9, "pdf", text="hi", unreadable="no", virus="x"
    )


# --- text that JSON cannot carry --------------------------------------------------------------------------


@given(MESSAGES, BROKEN_TEXTS, st.sampled_from(TEXT_FIELDS))
def test_a_mended_message_can_be_kept(message: Message, broken: str, name: str) -> None:
    """Lone surrogates become "?", in whichever field, and so does a NUL in a name; all else stays, and
    the message comes back."""
    changes: dict[str, Any] = {name: broken}
    mended = mend(replace(message, **changes))
    assert message_from(message_body(mended), message.raw) == mended
    expected = "".join("?" if "\ud800" <= one <= "\udfff" else one for one in broken)
    if name in ("id", "conversation", "sender", "replaces", "refers_to"):
        expected = expected.replace("\0", "?")
    assert mended == replace(message, **{name: expected})


@given(MESSAGES)
def test_a_sound_message_is_not_touched(message: Message) -> None:
    """What UTF-8 can carry needs no mending: the very same object comes back."""
    assert mend(message) is message


@given(MESSAGES, BROKEN_TEXTS)
def test_a_files_name_cannot_break_a_message(message: Message, broken: str) -> None:
    """Lone surrogates in an attachment's name or in a defect are mended where they are written."""
    odd = replace(message, files=(File("ref", broken),), defect=broken)
    again = message_from(message_body(odd), message.raw)
    assert (again.text, again.files[0].ref) == (message.text, "ref")
    assert len(again.files[0].name) == len(broken) == len(again.defect)


@given(st.dictionaries(TEXTS | BROKEN_TEXTS, TEXTS | BROKEN_TEXTS | st.lists(BROKEN_TEXTS), max_size=4))
def test_any_body_can_be_written(value: dict[str, object]) -> None:
    """A person's reason with half a character in it is recorded like any other."""
    assert isinstance(json.loads(dump(value)), dict)


def test_keys_are_sorted() -> None:
    """The order in which a body is put together leaves no trace."""
    assert dump({"b": 1, "a": {"d": 1, "c": 2}}) == b'{"a":{"c":2,"d":1},\n"b":1}'

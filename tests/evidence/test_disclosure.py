"""What is kept back is nowhere in a package, in no encoding and no place, and the package still holds."""

from __future__ import annotations

import orjson
import pytest
from evidence_rig import NAMES, SECRETS, files_of, key_of, leaks, make, verified
from story import CHAT, CONTACT, REVIEWER, Terminal

from bridge.errors import Conflict
from bridge.evidence import package
from bridge.evidence.disclosure import (
    CONTAINS,
    EVERYTHING,
    RULE,
    TEXT,
    as_client,
    disclosing,
    may_contain,
    named,
)
from bridge.evidence.disclosure import NAMES as CHOICES
from bridge.evidence.exhibits import Attachment, Case, Exhibit, Life
from bridge.ledger.content import written
from bridge.ledger.entry import Entry, encode
from bridge.message import Inspection, Kind, Message, Verdict
from bridge.record import _SCALARS, _WRITERS

WITHHELD: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # what is typed; what is nowhere; what is still there
    "words": (("--black-out", "text"), SECRETS[:2], ("李雷",)),
    "names": (("--black-out", "names"), (*NAMES, CONTACT, CHAT), ("ProjectZephyr",)),
    "one name": (("--black-out", "sender_name"), NAMES[:2], ("ProjectZephyr",)),
    "attachments": (("--black-out", "files"), SECRETS[2:], ("ProjectZephyr", "李雷")),
    "a message": (("--black-out", "message:1"), SECRETS[:2], ("再见", "李雷")),
    "several": (("--black-out", "text,names", "--black-out", "files"), (*SECRETS, *NAMES), ()),
    "reviewers": (("--black-out", "reviewers"), (REVIEWER, "is public by now"), ("ProjectZephyr",)),
    "rules": (("--black-out", "matches"), ("Payment card numbers", "payment_card"), ("ProjectZephyr",)),
    "policies": (("--black-out", "policies"), ("泄密词", "words.csv"), ("ProjectZephyr",)),
    "others": (("--only-contact", "李雷"), ("韩梅梅", "你好"), ("ProjectZephyr", REVIEWER)),
    "a client's copy": (
        ("--client-copy", CHAT),
        ("韩梅梅", REVIEWER, "泄密词", "Payment card numbers", "is public by now", "Held for review."),
        ("ProjectZephyr", "李雷"),
    ),
}


@pytest.mark.parametrize("choice", WITHHELD)
def test_what_is_kept_back_is_nowhere(terminal: Terminal, choice: str) -> None:
    """Not in records, lists, reports, names, PDF streams or prints, whatever the encoding; the rest is."""
    options, gone, there = WITHHELD[choice]
    package = make(terminal, *options)
    assert leaks(package, gone) == []
    assert {word for _, word in leaks(package, there)} == set(there)
    code, out = verified(package, key_of(terminal.folder))
    assert code == 0, out
    assert "fields are withheld" in out


def test_the_search_for_leaks_finds_them(terminal: Terminal) -> None:
    """With nothing kept back, every word is found, in records, reports and PDF alike."""
    found = leaks(make(terminal), (*SECRETS, *NAMES))
    assert {word for _, word in found} == {*SECRETS, *NAMES}
    assert {"report.html", "entries/0.jsonl", "the PDF's text"} <= {where for where, _ in found}


def test_what_was_asked_for_may_say_what_is_kept_back(terminal: Terminal) -> None:
    """Query and reason stand in a whole package, and in none in which anything is kept back."""
    whole = orjson.loads(files_of(make(terminal))["manifest.json"])
    assert (whole["reason"], whole["query"]) == ("the regulator asked", "messages 1,4,6,7,8")
    part = make(terminal, "--black-out", "text", "--case", "2026/17", name="part.zip")
    said = orjson.loads(files_of(part)["manifest.json"])
    assert said["case"] == "2026/17"
    assert not {"reason", "query"} & set(said)
    assert leaks(part, ("the regulator asked",)) == []


def test_what_belongs_to_a_message_goes_with_it(terminal: Terminal) -> None:
    """Edits, notices, the quotation in an answer; a pair's names stay while another message of it is
    shown."""
    listed = orjson.loads(files_of(make(terminal, "--black-out", "message:1"))["manifest.json"])
    hidden = {one["number"] for one in listed["messages"] if one["withheld"]}
    assert hidden == {1, 2, 3, 5}
    assert {one["message"] for one in listed["exclusions"]} >= hidden
    only = make(terminal, "--black-out", "message:1", messages="1,7", name="only.zip")
    assert leaks(only, NAMES[:1]) == []


@pytest.mark.parametrize("word", ["texts", "message:x", "message:", "17"])
def test_what_cannot_be_kept_back_is_refused(terminal: Terminal, word: str) -> None:
    """A word that means nothing here: nothing is made, and what can be written is said."""
    out = terminal.folder / "none.zip"
    answer = terminal.type(
        *("audit", "evidence", "--message", "1", "--out", str(out), "--reason", "r", "--black-out", word)
    )
    assert answer.code == 1
    assert "message:17, or one of" in answer.err
    assert not out.exists()


def test_a_message_that_is_not_there_cannot_be_kept_back(terminal: Terminal) -> None:
    """Somebody would believe that it was; nor can a thread be shown of which nothing was found."""
    for options, words in (
        (("--black-out", "message:8"), "message 8"),
        (("--only-contact", "nobody"), "nobody"),
    ):
        out = terminal.folder / "none.zip"
        typed = ("audit", "evidence", "--message", "1", "--out", str(out), "--reason", "r", *options)
        answer = terminal.type(*typed)
        assert answer.code == 1
        assert words in answer.err
        assert not out.exists()


# --- the table ----------------------------------------------------------------------------------------------


def exhibit(kind: str, body: dict[str, object], raw: bytes = b"") -> Exhibit:
    """An entry of some kind with this content."""
    return Exhibit(encode(Entry(0, 1, 2, kind, "message/1", {"message": 1})), (), b"s", written(body), raw)


def test_every_field_that_is_written_is_in_the_table() -> None:
    """Messages, verdicts and inspections: a field that somebody adds is kept back until somebody thinks of
    it."""
    plain = {"raw"}
    assert set(Message.__dataclass_fields__) - plain <= set(CONTAINS["message:archived"])
    assert {"outcome", "cause", "text", "known", *_SCALARS, *_WRITERS} <= set(CONTAINS["message:judged"])
    assert set(Verdict.__dataclass_fields__) <= set(CONTAINS["message:judged"])
    assert {*Inspection.__dataclass_fields__, "sha256"} <= set(CONTAINS["file:archived"])


def test_what_nobody_thought_of_may_contain_everything() -> None:
    """An unknown field, an unknown kind of content, a body that is not written field by field."""
    assert may_contain(exhibit("message:archived", {"new": 1}), "new") == EVERYTHING
    assert may_contain(exhibit("hold:released", {"note": "x"}), "note") == EVERYTHING
    assert may_contain(exhibit("message:archived", {}), "(body)") == EVERYTHING
    assert may_contain(exhibit("message:judged", {"a": 1}, b"raw"), "(raw)") == EVERYTHING


def test_names_become_things() -> None:
    """Several words, and messages by number; anything else is an error."""
    assert named(["text", "matches", "message:17"]) == (CHOICES["text"] | CHOICES["matches"], frozenset({17}))
    assert {TEXT, RULE} <= named(["text", "matches"])[0]
    with pytest.raises(Conflict, match="message:17"):
        named(["everything"])


def test_raw_bytes_go_with_whatever_is_in_them() -> None:
    """Where a word, a name or a file is kept back, so are the bytes that the network sent; with quotations
    only where the message answers another."""
    plain = may_contain(exhibit("message:archived", {"text": "x"}, b"raw"), "(raw)")
    for choice in ("text", "sender_name", "sender", "address", "names", "files", "raw"):
        assert plain & CHOICES[choice], choice
    assert not plain & (CHOICES["matches"] | CHOICES["quote"] | CHOICES["reviewers"])
    answer = may_contain(exhibit("message:archived", {"refers_to": "s1"}, b"raw"), "(raw)")
    assert answer & CHOICES["quote"]


# --- a client's copy ----------------------------------------------------------------------------------------

ARCHIVED, JUDGED, PERMITTED = "message:archived", "message:judged", "delivery:permitted"
SENT, PARKED, FAILED = "delivery:sent", "delivery:parked", "delivery:failed"
SECRET, MASKED = {"text": "card 4111"}, {"text": "card ****"}

Step = tuple[str, dict[str, object]]


def shown_to_client(
    *steps: Step, network: str = "symphony", kind: str = ARCHIVED, what: str = "text"
) -> list[str] | None:
    """The words of a message's life that stand in a client's copy; None where all of it is kept back."""
    exhibits = []
    for seq, (step, said) in enumerate(((kind, SECRET), *steps), 1):
        delivery = step.startswith("delivery:")
        first = {"network": network, "kind": what}
        facts = {"ids": said["ids"]} if "ids" in said else first if seq == 1 else {}
        subject = "delivery/p" if delivery else "message/1"
        body = None if delivery else written(said)
        exhibits.append(Exhibit(encode(Entry(0, seq, 2, step, subject, facts)), (), b"s", body))
    places = {one.place: one for one in exhibits}
    case = Case(places, (Life(1, 1, "asked for", 1, tuple(places)),), ())
    disclosure = as_client(case, disclosing(case, frozenset(), frozenset()))
    if 1 in disclosure.messages:
        assert not any(disclosure.shows(one, name) for one in exhibits for name, _ in one.pieces)
        return None
    told = [(one, orjson.loads(one.body)) for one in exhibits if one.body and disclosure.shows(one, "text")]
    return [said["text"] for _, said in told if "text" in said]


IN_CLIENTS_COPY: dict[str, tuple[list[Step], list[str] | None]] = {
    "as written": ([(JUDGED, {}), (PERMITTED, {}), (SENT, {"ids": ["1"]})], ["card 4111"]),
    "masked": ([(JUDGED, MASKED), (PERMITTED, {}), (SENT, {"ids": ["1"]})], ["card ****"]),
    "released as written": (
        [(JUDGED, MASKED), (JUDGED, {}), (PERMITTED, {}), (SENT, {"ids": ["1"]})],
        ["card 4111"],
    ),
    "released masked": (
        [(JUDGED, SECRET), (JUDGED, MASKED), (PERMITTED, {}), (SENT, {"ids": ["1"]})],
        ["card ****"],
    ),
    "judged again later": (
        [(JUDGED, MASKED), (PERMITTED, {}), (SENT, {"ids": ["1"]}), (JUDGED, {"text": "x"})],
        ["card ****"],
    ),
    "in part": ([(JUDGED, MASKED), (PERMITTED, {}), (PARKED, {"ids": ["1"]})], ["card ****"]),
    "held": ([(JUDGED, MASKED)], None),
    "not yet sent": ([(JUDGED, {}), (PERMITTED, {})], None),
    "never taken": ([(JUDGED, {}), (PERMITTED, {}), (PARKED, {"ids": []})], None),
    "lost": ([(JUDGED, {}), (PERMITTED, {}), (SENT, {"ids": ["1"]}), (FAILED, {})], None),
}


@pytest.mark.parametrize("fate", IN_CLIENTS_COPY)
def test_a_client_gets_what_he_was_shown(fate: str) -> None:
    """Of what an advisor wrote: the words that reached the client, never those before the mask; nothing of
    what did not reach him."""
    steps, words = IN_CLIENTS_COPY[fate]
    assert shown_to_client(*steps) == words


@pytest.mark.parametrize(("end", "whole"), [(SENT, True), (PARKED, False)])
def test_a_client_gets_no_file_that_perhaps_never_reached_him(end: str, whole: bool) -> None:
    """Of what arrived in part: neither name nor bytes nor what was found in them, and that is listed."""
    steps: list[tuple[str, dict[str, object], dict[str, object] | None]] = [
        (ARCHIVED, {"network": "symphony"}, {"text": "see file", "files": [{"name": "internal.pdf"}]}),
        ("file:archived", {}, {"sha256": "ab", "name": "internal.pdf", "text": "inside"}),
        (JUDGED, {}, {}),
        (PERMITTED, {}, None),
        (end, {"ids": ["1"]}, None),
    ]
    exhibits = [
        Exhibit(
            encode(Entry(0, seq, 2, step, "delivery/p" if said is None else "message/1", facts)),
            (),
            b"s",
            None if said is None else written(said),
        )
        for seq, (step, facts, said) in enumerate(steps, 1)
    ]
    places = {one.place: one for one in exhibits}
    file = Attachment(0, exhibits[1].place, "sealed", 3, "pdf")
    life = Life(1, 1, "asked for", 1, tuple(places), (file,))
    case = Case(places, (life,), ())
    disclosure = as_client(case, disclosing(case, frozenset(), frozenset()))
    named = [one for one in exhibits[:2] for name, _ in one.pieces if disclosure.shows(one, name)]
    assert disclosure.shows(exhibits[0], "text")
    assert disclosure.shows(exhibits[0], "files") == disclosure.shows(exhibits[1], "name") == whole
    assert (exhibits[1] in named, bool(package.attached(case, life, disclosure))) == (whole, whole)
    told = package.exclusions(case, disclosure, package.records(case, disclosure))
    assert [one["what"] for one in told] == ([] if whole else ["attachments"])


def test_a_client_gets_his_own_words() -> None:
    """Not what others got to see of them, nor what his network says in his name; and of the bridge's notices
    those alone that were for him."""
    steps: list[Step] = [(JUDGED, MASKED), (PERMITTED, {}), (SENT, {"ids": ["1"]})]
    assert shown_to_client(*steps, network="weixin") == ["card 4111"]
    assert shown_to_client(network="weixin") == ["card 4111"]
    for remark in (Kind.NOTE, Kind.FAILED):
        assert shown_to_client(*steps, network="weixin", what=remark) is None
    notice = "notice:archived"
    assert shown_to_client(*steps[1:], network="weixin", kind=notice) == ["card 4111"]
    assert shown_to_client(*steps[1:], kind=notice) is None
    assert shown_to_client(network="weixin", kind=notice) is None

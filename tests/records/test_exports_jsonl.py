"""Our own package: everything is in it, and the standard library reads it back."""

from __future__ import annotations

import json
from dataclasses import replace

import corpus
import pytest

from bridge.records.exports.jsonl import JSONL
from bridge.records.exports.naming import attachment


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, exported."""
    memory = corpus.Memory()
    JSONL.write(corpus.request(), corpus.slices(), {}, memory)
    return memory


def rows(out: corpus.Memory, name: str) -> list[dict]:
    """The lines of one type."""
    return [json.loads(line) for line in out.files[f"{name}-00001.jsonl"].split(b"\n") if line]


def test_every_message_is_as_it_was(out: corpus.Memory) -> None:
    """Texts, what the other side saw, links, states, readers: field by field, control signs and all."""
    lines = [line for one in corpus.slices() for line in one.lines]
    found = rows(out, "messages")
    assert len(found) == len(lines)
    for row, line in zip(found, lines, strict=True):
        plain = ("number", "sender", "readers", "files", "decisions", "deliveries", "later", "leaf")
        fields = [name for name in line.__slots__ if name not in plain]
        assert {name: row[name] for name in fields} == {name: getattr(line, name) for name in fields}
        assert row["message"] == line.number
        assert [(one["message"], one["event"]) for one in row["later"]] == [
            (one.number, "recall" if one.recall else "edit") for one in line.later
        ]
        assert row["leaf"] == line.leaf.hex()
        assert row["sender"] == f"{line.sender.network}/{line.sender.id}"
        assert row["readers"] == [f"{one.network}/{one.id}" for one in line.readers]
        assert [one["permit"] for one in row["deliveries"]] == [one.permit for one in line.deliveries]


def test_attachments_lie_beside_with_their_bytes(out: corpus.Memory) -> None:
    """What has a digest is a file; what is missing says why."""
    for row in rows(out, "messages"):
        for one in row["attachments"]:
            if one["sha256"]:
                assert out.files[one["file"]] == corpus.BLOBS[one["sha256"]]
            else:
                assert (one["file"], bool(one["missing"])) == ("", True)
    (told, *_) = corpus.slices()
    names = [attachment(line, n, one) for line in told.lines for n, one in enumerate(line.files)]
    assert {name for name in out.files if name.startswith("attachments/")} == set(names[:3])


def test_decisions_say_who_and_why(out: corpus.Memory) -> None:
    """Each decision, by policy or person, with rules and hashes."""
    found = rows(out, "decisions")
    assert [(one["message"], one["person"]) for one in found] == [
        (1, ""),
        (2, ""),
        (2, "bob.li@bank.example"),
    ]
    assert found[2]["reason"] == corpus.RELEASED.reason
    assert found[0]["policies"] == [{"name": "cards", "hash": "a" * 64}]


def test_joins_leaves_edits_and_recalls_are_events(out: corpus.Memory) -> None:
    """What happened beside messages, in order, each linked to what it is about."""
    found = [(one["event"], one.get("message"), one.get("of")) for one in rows(out, "events")]
    assert found == [
        ("join", None, None),
        ("edit", 3, 2),
        ("recall", 4, 3),
        ("leave", None, None),
    ]


def test_an_edit_of_what_nobody_has_is_an_event_as_well() -> None:
    """As a recall is: nobody knows of which message."""
    one = corpus.slices()[0]
    lines = (corpus.line(1, "anew", replaces="w0"), corpus.line(2, "", kind="recall", refers_to="w0"))
    memory = corpus.Memory()
    JSONL.write(corpus.request(), [replace(one, items=lines)], {}, memory)
    found = [(event["event"], event["message"], event["of"]) for event in rows(memory, "events")]
    assert found == [("edit", 1, None), ("recall", 2, None)]


def test_everybody_has_an_address(out: corpus.Memory) -> None:
    """No participant is without one, and everybody who is named anywhere is a participant."""
    people = {one["id"]: one for one in rows(out, "participants")}
    assert all("@" in one["address"] for one in people.values())
    assert {one["sender"] for one in rows(out, "messages")} <= set(people)
    assert {who for one in rows(out, "conversations") for who in one["present"]} <= set(people)

"""The record as JSON is the record: nothing missing, nothing changed."""

from __future__ import annotations

import dataclasses
import json

import corpus
import pytest

from bridge.records.exports.natives import custodian, everybody, mark, native, native_change, native_slice
from bridge.records.transcript import Came, Line


@pytest.mark.parametrize("text", [*corpus.TEXTS, "\ud800 alone \udfff"])
def test_every_text_survives(text: str) -> None:
    """Control signs and lone surrogates, too; and only ASCII is written."""
    written = native(corpus.line(1, text))
    assert json.loads(written)["text"] == text
    assert written.isascii()
    assert written.endswith(b"}\n")


def test_every_field_of_a_message_stands_in_it() -> None:
    """A field that is added to a message later is in its native at once."""
    for line in corpus.slices()[0].lines:
        read = json.loads(native(line))
        assert read.pop("record") == f"message/{line.number}"
        assert set(read) == {field.name for field in dataclasses.fields(Line)}
        assert [one["digest"] for one in read["files"]] == [one.digest for one in line.files]
        assert [one["reason"] for one in read["decisions"]] == [one.reason for one in line.decisions]
        assert [one["state"] for one in read["deliveries"]] == [one.state for one in line.deliveries]
        assert bytes.fromhex(read["leaf"]) == line.leaf


def test_presence_and_conversations_have_natives_too() -> None:
    """Who came and who was there is a record like any other."""
    told = corpus.slices()[0]
    (came, _) = [item for item in told.items if isinstance(item, Came)]
    assert json.loads(native_change(came, told))["party"]["id"] == came.party.id
    read = json.loads(native_slice(told))
    assert read["messages"] == [line.number for line in told.lines]
    assert [one["id"] for one in read["present"]] == ["7001", "wmLiLei"]


def test_whoever_wrote_belongs_to_everybody_and_the_firm_keeps_the_record() -> None:
    """Nobody who spoke is left out because a list forgot him; the custodian is the firm's own person."""
    told = dataclasses.replace(corpus.slices()[0], participants=())
    assert [one.name for one in everybody(told)] == ["Alice Wong", "李雷", "Bob Li", "weighbridge"]
    assert custodian(told) == corpus.ALICE


def test_marks_follow_from_content() -> None:
    """The same parts, the same mark; parts do not run into each other."""
    assert mark("a", 1) == mark("a", "1") != mark("a1")

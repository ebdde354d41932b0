"""Actiance XML: valid against the documented elements, and read back message by message."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import corpus
import pytest
import xmlschema

from bridge.errors import ConfigError
from bridge.records.exports.actiance import ACTIANCE
from bridge.records.exports.legible import FORBIDDEN, spelled
from bridge.records.transcript import Line, Slice

SCHEMA = Path(__file__).parent / "schemas" / "actiance.xsd"


def _zip(*slices: Slice, options: Mapping[str, object] | None = None) -> zipfile.ZipFile:
    out = corpus.Memory()
    ACTIANCE.write(corpus.request(), slices or corpus.slices(), options or {}, out)
    (octets,) = out.files.values()
    return zipfile.ZipFile(io.BytesIO(octets))


@pytest.fixture(scope="module")
def place() -> zipfile.ZipFile:
    """The corpus, written once."""
    return _zip()


def _dump(place: zipfile.ZipFile) -> ElementTree.Element:
    return ElementTree.fromstring(place.read("actiance_export.xml"))


def _lines() -> dict[str, Line]:
    return {f"message/{line.number}": line for one in corpus.slices() for line in one.lines}


def test_it_is_valid(place: zipfile.ZipFile) -> None:
    """Against a schema written from the documented elements and their order, in both units."""
    schema = xmlschema.XMLSchema(SCHEMA)
    schema.validate(place.read("actiance_export.xml").decode())
    schema.validate(_zip(*corpus.slices()[1:], options={"unit": "s"}).read("actiance_export.xml").decode())


def test_every_message_is_there_as_it_was(place: zipfile.ZipFile) -> None:
    """Id, author, time in milliseconds, text with every break; recalls say what they took back."""
    lines, found = _lines(), _dump(place).findall("*/Message")
    assert {one.findtext("MessageId") for one in found} == set(lines)
    assert len(found) == len(lines)
    for one in found:
        line = lines[str(one.findtext("MessageId"))]
        assert one.findtext("LoginName") == line.sender.address
        assert one.findtext("UserType") == ("bot" if line.sender == corpus.OURS else "user")
        assert one.findtext("DateTimeUTC") == str(line.sent_at)
        expected = "delete a deal, said anew" if line.recalls else line.gone or line.text
        assert (one.findtext("Content") or "") == spelled(expected, FORBIDDEN)


def test_edits_and_recalls_are_linked_to_what_they_are_about(place: zipfile.ZipFile) -> None:
    """The words of `UpdatedType`, when, and the id of what follows."""
    found = {
        one.findtext("MessageId"): tuple(
            one.findtext(name) for name in ("UpdatedType", "UpdatedDateTimeUTC", "EditedNewMsgId")
        )
        for one in _dump(place).findall("*/Message")
        if one.find("UpdatedType") is not None
    }
    at = {line.number: str(line.sent_at) for line in _lines().values()}
    assert found == {
        "message/2": ("EditedOriginalMsg", at[3], "message/3"),
        "message/3": ("EditedNewMsg", at[4], "message/4"),
        "message/4": ("Deleted", at[4], None),
    }


def test_a_later_version_that_lies_elsewhere_is_named() -> None:
    """Whether the export has it or not: the original never reads as if it stood."""
    edit, recall = corpus.became(3, "anew", here=False), corpus.became(4, "", recall=True, here=False)
    for later, expected in (
        ((edit,), ("EditedOriginalMsg", "message/3")),
        ((recall,), ("Deleted", "message/4")),
        ((edit, recall), ("Deleted", "message/4")),
    ):
        one = replace(corpus.slices()[0], items=(corpus.line(2, "a deal", later=later),))
        (found,) = _dump(_zip(one)).findall("*/Message")
        assert (found.findtext("UpdatedType"), found.findtext("EditedNewMsgId")) == expected


def test_who_could_see_is_there(place: zipfile.ZipFile) -> None:
    """Everybody enters and leaves once; the day runs from midnight to midnight of the desk."""
    told = _dump(place)[0]
    entered = [
        (one.findtext("LoginName"), one.findtext("DateTimeUTC")) for one in told.iter("ParticipantEntered")
    ]
    left = [(one.findtext("LoginName"), one.findtext("DateTimeUTC")) for one in told.iter("ParticipantLeft")]
    midnight = 1789920000000  # 2026-09-21 00:00 in Hong Kong
    assert told.findtext("StartTimeUTC") == str(midnight)
    assert told.findtext("EndTimeUTC") == str(midnight + 86_400_000 - 1)
    assert ("bob.li@bank.example", str(corpus.START + 2500)) in entered
    assert ("bob.li@bank.example", str(corpus.START + 8500)) in left
    assert sorted(str(one) for one, _ in entered) == sorted(str(one) for one, _ in left)
    assert ("alice.wong@bank.example", str(midnight)) in entered


def _presences(dump: ElementTree.Element, name: str) -> list[tuple[str | None, str | None]]:
    return [(one.findtext("LoginName"), one.findtext("DateTimeUTC")) for one in dump.iter(name)]


def test_two_accounts_of_one_address_are_one_participant() -> None:
    """A reader that knows people by their address sees nobody enter who is there, or leave twice."""
    twin = replace(corpus.ALICE, network="weixin", id="wmAlice")
    told = replace(corpus.slices()[0], present=(corpus.ALICE,), items=(corpus.line(1, "x", sender=twin),))
    (dump,) = _dump(_zip(told))
    for name in ("ParticipantEntered", "ParticipantLeft"):
        assert [one for one, _ in _presences(dump, name)] == [corpus.ALICE.address]


def test_events_are_in_the_order_of_time(place: zipfile.ZipFile) -> None:
    """As the format demands."""
    for one in _dump(place):
        times = [int(at.text or "0") for child in one for at in child.findall("DateTimeUTC")]
        assert times == sorted(times)


def test_attachments_lie_in_folders_of_their_day(place: zipfile.ZipFile) -> None:
    """By digest; a missing one failed, and `warning.txt` says why."""
    ends = _dump(place).findall("*/FileTransferEnded")
    files = _lines()["message/6"].files
    assert [one.findtext("UserFileName") for one in ends] == [file.name for file in files]
    assert [one.findtext("Status") for one in ends] == ["Completed"] * 3 + ["Failed"]
    for one, file in zip(ends[:3], files, strict=False):
        name = str(one.findtext("FileName"))
        assert name.startswith("2026-09-21/")
        assert hashlib.sha256(place.read(name)).hexdigest() == file.digest
    assert place.read("warning.txt") == b"message/6 attachment 4: the network did not give it: gone\n"
    assert len(_dump(place).findall("*/FileTransferStarted")) == len(ends)


def test_what_has_no_element_stands_beside(place: zipfile.ZipFile) -> None:
    """Decisions, deliveries, what the other side saw, and texts with the signs that XML forbids."""
    records = [json.loads(line) for line in place.read("records.jsonl").splitlines()]
    messages = {one["record"]: one for one in records if one["record"].startswith("message/")}
    lines = _lines()
    assert messages.keys() == lines.keys()
    assert all(messages[name]["text"] == line.text for name, line in lines.items())
    assert all(messages[name]["sent"] == line.sent for name, line in lines.items())
    assert messages["message/2"]["decisions"][1]["reason"] == "已核對: his own card"
    assert sum(one["record"] == "presence" for one in records) == 2


def test_the_unit_of_time_is_chosen() -> None:
    """Seconds where the archive was set up for seconds; anything else is refused."""
    (one,) = _dump(_zip(corpus.slices()[1], options={"unit": "s"})).findall("*/Message")
    assert one.findtext("DateTimeUTC") == str(next(corpus.slices()[1].lines).sent_at // 1000)
    with pytest.raises(ConfigError, match="ms, s"):
        _zip(options={"unit": "minutes"})


def test_perspective_is_the_conversation_or_chosen() -> None:
    """An archive may want one word for all."""
    assert _dump(_zip(corpus.slices()[0]))[0].get("Perspective") == "Alice Wong ↔ 李雷"
    assert _dump(_zip(corpus.slices()[1], options={"perspective": "WX"}))[0].get("Perspective") == "WX"


def test_a_later_piece_of_a_day_begins_with_its_first_item() -> None:
    """And lone surrogates are spelled out."""
    one = replace(corpus.slices()[0], piece=2, items=(corpus.line(7, "\ud800"),))
    dump = _dump(_zip(one))
    assert dump[0].findtext("StartTimeUTC") == str(one.items[0].at - 250)
    assert dump[0].findtext("Message/Content") == "⟦U+D800⟧"


def test_the_same_bytes_every_time() -> None:
    """No time of making anywhere."""
    outs = [corpus.Memory(), corpus.Memory()]
    for out in outs:
        ACTIANCE.write(corpus.request(), corpus.slices()[1:], {}, out)
    assert outs[0].files == outs[1].files

"""RSMF 2.0: one mail, one attachment, a manifest that is valid and says everything."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import corpus
import jsonschema
import pytest

from bridge.records.exports.rsmf import RSMF
from bridge.records.transcript import Came, Line, Slice

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "rsmf.json").read_text("utf-8"))


class Opened:
    """One file: its mail, its ZIP, its manifest."""

    def __init__(self, octets: bytes) -> None:
        mail = message_from_bytes(octets, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mail = mail
        (self.attachment,) = mail.iter_attachments()
        self.zip = zipfile.ZipFile(io.BytesIO(self.attachment.get_payload(decode=True)))
        self.manifest: dict[str, Any] = json.loads(self.zip.read("rsmf_manifest.json"))


def _written(*slices: Slice, options: Mapping[str, object] | None = None) -> dict[str, bytes]:
    out = corpus.Memory()
    RSMF.write(corpus.request(), slices or corpus.slices(), options or {}, out)
    return out.files


@pytest.fixture(scope="module")
def files() -> list[Opened]:
    """The corpus, written once."""
    return [Opened(octets) for octets in _written().values()]


def _custom(event: Mapping[str, Any], name: str) -> list[str]:
    return [one["value"] for one in event["custom"] if one["name"] == name]


def test_the_mail_is_one_that_relativity_takes(files: list[Opened]) -> None:
    """The version, exactly one attachment in base64 called rsmf.zip, and the roll-up in headers."""
    for one, file in zip(corpus.slices(), files, strict=True):
        mail = file.mail
        assert mail["X-RSMF-Version"] == "2.0.0"
        assert file.attachment.get_filename() == "rsmf.zip"
        assert file.attachment["Content-Transfer-Encoding"] == "base64"
        assert file.zip.testzip() is None
        assert mail["X-RSMF-EventCount"] == str(len(one.items))
        assert mail["X-RSMF-EventCollectionID"] == one.key
        assert mail["X-RSMF-AttachmentCount"] == str(sum(len(line.files) for line in one.lines))
        assert len(mail["From"].addresses) == 1
    assert files[0].mail["X-RSMF-Participants"] == "Alice Wong, 李雷, Bob Li, weighbridge"
    assert files[0].mail["X-RSMF-Custodian"] == "Alice Wong"
    assert files[0].mail["X-RSMF-BeginDate"] == "2026-09-21T14:13:20.750Z"


def test_manifests_are_valid(files: list[Opened]) -> None:
    """Against a schema written from the documentation, stricter than the vendor's."""
    for file in files:
        jsonschema.validate(file.manifest, SCHEMA, format_checker=jsonschema.FormatChecker())


def test_what_events_name_is_there(files: list[Opened]) -> None:
    """Participants, conversation, parents and files: no id leads nowhere, none is given twice."""
    for file in files:
        manifest = file.manifest
        people = [one["id"] for one in manifest["participants"]]
        (conversation,) = manifest["conversations"]
        ids = [one["id"] for one in manifest["events"]]
        assert len(set(people)) == len(people)
        assert len(set(ids)) == len(ids)
        assert set(conversation["participants"]) <= set(people)
        assert conversation.get("custodian", people[0]) in people
        for one in manifest["events"]:
            assert one["participant"] in people
            assert one["conversation"] == conversation["id"]
            assert one.get("parent", one["id"]) in ids
            assert all(file.zip.getinfo(part["id"]) for part in one.get("attachments", ()))


def test_every_item_is_an_event_as_it_was(files: list[Opened]) -> None:
    """Text to the last sign, author, time, what was sent, decisions and deliveries."""
    for one, file in zip(corpus.slices(), files, strict=True):
        for item, event in zip(one.items, file.manifest["events"], strict=True):
            if isinstance(item, Came):
                assert event["type"] == ("join" if item.joined else "leave")
                assert (event["body"], event["participant"]) == (item.reason, "symphony/7002")
            else:
                _same(item, event)


def _same(line: Line, event: Mapping[str, Any]) -> None:
    assert event["id"] == f"message/{line.number}"
    assert event["body"] == (line.gone or line.text)
    assert event["participant"] == f"{line.sender.network}/{line.sender.id}"
    assert event["deleted"] == (line.number in (2, 3))
    assert len(_custom(event, "Decision")) == len(line.decisions)
    assert len(_custom(event, "Delivery")) == len(line.deliveries)
    assert _custom(event, "Sent") == ([line.sent] if line.sent not in ("", line.text) else [])
    expected = [file.name for file in line.files]
    assert [one["display"] for one in event.get("attachments", ())] == expected


def test_edits_and_recalls_stand_at_the_original_and_for_themselves(files: list[Opened]) -> None:
    """The version before, the version after, who and when; the recall marks the message as deleted."""
    events = {one["id"]: one for one in files[0].manifest["events"]}
    (edit,) = events["message/2"]["edits"]
    assert (edit["previous"], edit["new"]) == ("a deal", "a deal, said anew")
    assert edit["timestamp"] == "2026-09-21T14:13:22.750Z"
    assert events["message/2"]["deleted"] is True
    assert [events[f"message/{n}"].get("parent") for n in (3, 4, 5)] == [
        "message/2",
        "message/3",
        "message/2",
    ]


def test_a_later_version_that_lies_elsewhere_marks_the_original() -> None:
    """Deleted, and edited by whom and when; the words of what was not asked for are not there."""
    later = (corpus.became(3, "anew", here=False), corpus.became(4, "", recall=True, here=False))
    one = replace(corpus.slices()[0], items=(corpus.line(2, "a deal", later=later),))
    (octets,) = _written(one).values()
    (event,) = Opened(octets).manifest["events"]
    assert event["deleted"] is True
    (edit,) = event["edits"]
    assert edit == {
        "participant": "symphony/7001",
        "timestamp": "2026-09-21T14:13:22.750Z",
        "previous": "a deal",
    }


def test_kinds_of_events_are_told_apart(files: list[Opened]) -> None:
    """The bridge's own words are disclaimers; what could not be read, or is gone, is unknown."""
    types = {one["id"]: one["type"] for one in files[0].manifest["events"]}
    assert [types[f"message/{n}"] for n in (1, 5, 7, 8)] == ["message", "disclaimer", "unknown", "unknown"]


def test_who_was_there_decides_the_type(files: list[Opened]) -> None:
    """Where people come and go it is a channel with those who were there first; else everybody, directly."""
    first, _, last = (file.manifest["conversations"][0] for file in files)
    assert (first["type"], first["participants"]) == ("channel", ["symphony/7001", "weixin/wmLiLei"])
    assert (last["type"], last["participants"]) == ("direct", ["symphony/7001", "weixin/wmLiLei"])


def test_whose_record_it_is_stands_there_though_nobody_was_there_at_first() -> None:
    """A custodian has to be there at the beginning: where he came later, a property names him. What an edit
    of another day is about is one as well, for a parent cannot lead out of a file."""
    items = (Came(corpus.START, corpus.ALICE, True), corpus.line(9, "anew", edits=2, sender=corpus.ALICE))
    one = replace(corpus.slices()[0], present=(), items=items, participants=(corpus.ALICE,))
    (octets,) = _written(one).values()
    manifest = Opened(octets).manifest
    (conversation,) = manifest["conversations"]
    assert (conversation["participants"], "custodian" in conversation) == ([], False)
    assert _custom(conversation, "Custodian") == ["symphony/7001"]
    edit = manifest["events"][1]
    assert ("parent" in edit, _custom(edit, "Replaces")) == (False, ["message/2"])
    jsonschema.validate(manifest, SCHEMA)


def test_attachments_are_inside_by_digest(files: list[Opened]) -> None:
    """A missing one is a file that says why: reviewers see that there was something."""
    stored = {one["id"]: one for one in files[0].manifest["events"]}["message/6"]["attachments"]
    expected = next(line.files for line in corpus.slices()[0].lines if line.number == 6)
    for one, file in zip(stored[:3], expected, strict=False):
        assert hashlib.sha256(files[0].zip.read(one["id"])).hexdigest() == file.digest
        assert one["size"] == file.size
    assert files[0].zip.read(stored[3]["id"]).decode().endswith("the network did not give it: gone\n")


def test_the_body_is_what_becomes_extracted_text(files: list[Opened]) -> None:
    """A readable transcript, Chinese included."""
    body = files[0].mail.get_body(("plain",)).get_content()
    assert "卡号 ************1111" in body
    assert "Bob Li (symphony 7002) joined: paired" in body


def test_more_events_than_a_file_takes_become_files() -> None:
    """None has more, together they have all, and each knows who was there when it began."""
    told = corpus.slices()[0]
    items = tuple(replace(item, files=()) if isinstance(item, Line) else item for item in told.items)
    written = _written(replace(told, items=items), options={"events": 4})
    found = [Opened(octets) for octets in written.values()]
    assert [len(one.manifest["events"]) for one in found] == [4, 4, 2]
    assert "symphony/7002" in found[1].manifest["conversations"][0]["participants"]
    assert len({one.mail["X-RSMF-EventCollectionID"] for one in found}) == 1


def test_lone_surrogates_survive() -> None:
    """JSON can write them."""
    one = replace(corpus.slices()[0], items=(corpus.line(1, "\ud800\x00"),))
    (octets,) = _written(one).values()
    assert Opened(octets).manifest["events"][0]["body"] == "\ud800\x00"


def test_the_same_bytes_every_time() -> None:
    """Boundaries and ids follow from content; a platform's name can be chosen."""
    assert _written(*corpus.slices()[1:]) == _written(*corpus.slices()[1:])
    (octets,) = _written(corpus.slices()[1], options={"platform": "wechat"}).values()
    assert Opened(octets).manifest["conversations"][0]["platform"] == "wechat"

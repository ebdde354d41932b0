"""EDRM XML: valid against the documented elements, families whole, values read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import corpus
import pytest
import xmlschema

from bridge.errors import ConfigError
from bridge.records.exports.edrm import EDRM, FIELDS
from bridge.records.exports.legible import FORBIDDEN, spelled

SCHEMA = Path(__file__).parent / "schemas" / "edrm.xsd"


def _written(options: Mapping[str, object] | None = None) -> corpus.Memory:
    out = corpus.Memory()
    EDRM.write(corpus.request(), corpus.slices(), options or {}, out)
    return out


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, written once."""
    return _written()


def _load(out: corpus.Memory) -> ElementTree.Element:
    return ElementTree.fromstring(out.files["edrm-0001.xml"])


def _tags(document: ElementTree.Element) -> dict[str, str]:
    return {str(tag.get("TagName")): str(tag.get("TagValue")) for tag in document.iter("Tag")}


def _documents(out: corpus.Memory) -> dict[str, ElementTree.Element]:
    return {str(one.get("DocID")): one for one in _load(out).iter("Document")}


@pytest.mark.parametrize("version", ["1.2", "1.1"])
def test_it_is_valid(version: str) -> None:
    """In both versions; 1.1 has no fields. Every relationship leads to documents that are there."""
    out = _written({"version": version})
    xmlschema.XMLSchema(SCHEMA).validate(out.files["edrm-0001.xml"].decode())
    root = _load(out)
    assert f"{root.get('MajorVersion')}.{root.get('MinorVersion')}" == version
    assert [one.get("Key") for one in root.iter("Field")] == (list(FIELDS) if version == "1.2" else [])


def test_every_message_is_a_document_as_it_was(out: corpus.Memory) -> None:
    """Author, readers, time, text, what was sent, decisions and deliveries."""
    found = _documents(out)
    for line in (line for one in corpus.slices() for line in one.lines):
        tags = _tags(found[f"WB{line.number:09d}"])
        assert tags.get("Message", "") == spelled(line.text, FORBIDDEN)
        assert tags.get("Sent", "") == spelled(line.sent, FORBIDDEN)
        assert line.sender.address in tags["#From"]
        assert all(one.address in tags["#To"] for one in line.readers)
        assert tags["#AttachmentCount"] == str(len(line.files))
        remarks = tags["Remarks"].split("\n")
        assert len([one for one in remarks if one.startswith("Decision: ")]) == len(line.decisions)
        assert len([one for one in remarks if one.startswith("Delivery: ")]) == len(line.deliveries)


def test_edits_recalls_and_presence_are_there(out: corpus.Memory) -> None:
    """Links by record, and a document for whoever came or went."""
    found = _documents(out)
    assert "Replaces: message/2" in _tags(found["WB000000003"])["Remarks"]
    assert "Takes back: message/3" in _tags(found["WB000000004"])["Remarks"]
    kinds = [_tags(one)["Kind"] for one in found.values()]
    assert (kinds.count("join"), kinds.count("leave"), kinds.count("conversation")) == (1, 1, 3)


def test_families_are_relationships(out: corpus.Memory) -> None:
    """Attachments belong to their message, messages to their conversation."""
    ends = [
        (one.get("Type"), one.get("ParentDocId"), one.get("ChildDocId"))
        for one in _load(out).iter("Relationship")
    ]
    attached = [("Attachment", "WB000000006", f"WB000000006.000{n}") for n in (1, 2, 3, 4)]
    assert [one for one in ends if one[0] == "Attachment"] == attached
    group = _tags(_documents(out)["WB000000001"])["ConversationDocument"]
    assert ("Container", group, "WB000000001") in ends


def test_files_are_where_they_are_said_to_be(out: corpus.Memory) -> None:
    """With size and digests; every file of the export is named, but the load file."""
    named = {"edrm-0001.xml"}
    for document in _documents(out).values():
        for file in document.iter("ExternalFile"):
            path = f"{file.get('FilePath')}/{file.get('FileName')}"
            named.add(path)
            if file.get("Hash"):
                octets = out.files[path]
                assert file.get("Hash") == hashlib.md5(octets, usedforsecurity=False).hexdigest()
                assert file.get("FileSize") == str(len(octets))
                assert _tags(document)["SHA-256"] == hashlib.sha256(octets).hexdigest()
    assert named == set(out.files)
    digests = {_tags(one).get("SHA-256") for one in _documents(out).values()}
    assert {file.digest for line in corpus.slices()[0].lines for file in line.files if file.digest} <= digests
    assert _tags(_documents(out)["WB000000006.0004"])["Missing"] == "the network did not give it: gone"


def test_what_xml_cannot_write_is_told(out: corpus.Memory) -> None:
    """With the numbers of the messages."""
    told = [number for code, number, _ in out.warnings if code == "xml"]
    lines = [line for one in corpus.slices() for line in one.lines]
    assert told == [line.number for line in lines if spelled(line.text, FORBIDDEN) != line.text]


def test_the_same_bytes_every_time_and_known_options_only(out: corpus.Memory) -> None:
    """Nothing depends on when it is written."""
    assert _written().files == out.files
    with pytest.raises(ConfigError):
        _written({"version": "2.0"})

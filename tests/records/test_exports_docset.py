"""Documents for review platforms: stable ids, families, natives that are the record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import corpus

from bridge.records.exports.docset import Shelf, Stored, documents
from bridge.records.exports.natives import native
from bridge.records.transcript import Enclosure


def _stored() -> tuple[corpus.Memory, list[Stored]]:
    out = corpus.Memory(3)
    shelf = Shelf(corpus.request(), out)
    return out, [shelf.store(document) for document in documents(corpus.slices(), "WB")]


def test_everything_is_a_document() -> None:
    """Conversations, messages, comings and goings, attachments; no id twice."""
    found = list(documents(corpus.slices(), "WB"))
    kinds = [one.kind for one in found]
    assert kinds.count("conversation") == 3
    assert kinds.count("message") == sum(1 for one in corpus.slices() for _ in one.lines)
    assert (kinds.count("attachment"), kinds.count("join"), kinds.count("leave")) == (4, 1, 1)
    assert len({one.id for one in found}) == len(found)


def test_ids_follow_from_the_record_alone() -> None:
    """A message keeps its id whatever else was found with it."""
    told = corpus.slices()[0]
    whole = {one.id for one in documents([told], "WB") if one.kind != "conversation"}
    part = {one.id for one in documents([replace(told, items=told.items[4:])], "WB")}
    assert len(part - whole) == 1  # the conversation, of which there is a part only
    assert "WB000000006" in part


def test_families_name_their_first_and_last() -> None:
    """A message and its attachments know each other."""
    found = {one.id: one for one in documents(corpus.slices(), "X-")}
    parent, last = found["X-000000006"], found["X-000000006.0004"]
    assert parent.children == tuple(f"X-000000006.000{n}" for n in (1, 2, 3, 4))
    assert parent.family == last.family == ("X-000000006", "X-000000006.0004")
    assert (last.parent, parent.parent) == ("X-000000006", "")
    assert found["X-000000001"].family == ("X-000000001", "X-000000001")


def test_natives_are_the_record_and_digests_are_theirs() -> None:
    """MD5 and SHA-256 of the bytes that were written; an attachment is the archived one."""
    out, stored = _stored()
    for one in stored:
        line, file = one.document.line, one.document.file
        assert one.text in out.files
        if file is not None and not file.digest:
            assert not one.native
            assert file.missing in out.files[one.text].decode()
            continue
        octets = out.files[one.native]
        assert one.sha256 == hashlib.sha256(octets).hexdigest() == (file.digest if file else one.sha256)
        assert one.md5 == hashlib.md5(octets, usedforsecurity=False).hexdigest()
        assert one.size == len(octets)
        if line is not None and file is None:
            assert octets == native(line)
        if file is None:
            assert json.loads(octets)["record"]


def test_texts_are_for_reading() -> None:
    """Line ends of Windows only; whatever is spelled out is told."""
    out, stored = _stored()
    (one,) = [one for one in stored if one.document.id == "WB000000113"]
    text = out.files[one.text].decode()
    assert "⟦U+2028⟧" in text
    assert text.count("\n") == text.count("\r\n")
    assert 113 in [number for code, number, _ in out.warnings if code == "spelled"]


def test_a_reason_may_hold_anything() -> None:
    """Why an attachment is missing was said by a network."""
    out = corpus.Memory()
    lost = Enclosure("x", "", -1, missing="\ud800")
    one = replace(corpus.slices()[0], items=(corpus.line(1, "x", files=(lost,)),))
    for document in documents([one], "WB"):
        Shelf(corpus.request(), out).store(document)
    assert out.files["text/0001/WB000000001.0001.txt"].decode() == "Not in the archive: ⟦U+D800⟧\r\n"


def test_files_lie_in_folders_of_their_part() -> None:
    """Parts of one export do not write each other's names."""
    out, _ = _stored()
    assert {name.split("/")[1] for name in out.files} == {"0003"}

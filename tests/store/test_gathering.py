"""Checkpoints are found wherever they were kept: in folders, in files, inside what people exported."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from proportion import in_proportion

from bridge.errors import ConfigError
from bridge.ledger.checkpoint import verified
from bridge.store.gathering import gathered, notes_in, placed
from bridge.store.signing import drawn

SIGNER = drawn()
NOTES = [SIGNER.sign(lane, size, bytes([size]) * 32) for lane, size in ((0, 7), (2, 40))]
POSTED = "<pre>" + NOTES[0].replace("\n", "<br/>") + "</pre><p>Kept.</p>"


def test_folders_are_read_by_name_and_by_content(tmp_path: Path) -> None:
    """A file in our own layout is what its name says, any other what it says itself."""
    ours = tmp_path / "0/00000/000000000007.note"
    ours.parent.mkdir(parents=True)
    ours.write_text("damaged, and still number 7")
    (tmp_path / "given to me.note").write_text(NOTES[1])
    assert [(one.lane, one.size) for one in gathered([tmp_path])] == [(0, 7), (2, 40)]
    assert placed("prefix/0/00002/000000278312.note") == (0, 278312)
    assert placed("prefix/0/notes.txt") is None


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(NOTES),
        "From: alice.wong@bank.example\r\n\r\n> " + "\n".join(NOTES).replace("\n", "\r\n> "),
        json.dumps([{"message": note} for note in NOTES]),
        json.dumps([{"message": note} for note in NOTES], ensure_ascii=False).replace("/", "\\/"),
        "<html><body>" + "".join(f"<pre>{html.escape(note)}</pre>" for note in NOTES),
        "".join(f"<td>{note}</td>".replace("\n", "<br/>").replace("—", "&mdash;") for note in NOTES),
        json.dumps({"html": "".join(f"<p>{note}</p>".replace("\n", "<br>") for note in NOTES)}),
        "  | ".join(" ".join(note.split()) for note in NOTES),
    ],
    ids=["text", "mail", "json", "json-slashes", "html", "html-breaks", "html-in-json", "one-line"],
)
def test_notes_are_found_inside_any_text(text: str) -> None:
    """Each comes out with the very bytes that were signed."""
    found = list(notes_in(text))
    assert found == NOTES
    assert verified(found[0], [SIGNER.verifier(0)]).size == 7


def test_a_file_is_searched_and_so_are_texts_in_a_folder(tmp_path: Path) -> None:
    """An export of a room, given alone or in a folder; in our own folders nothing but checkpoints counts."""
    export = tmp_path / "room.html"
    export.write_text(POSTED + html.escape(NOTES[1]))
    assert [(one.lane, one.size, one.where) for one in gathered([export])] == [
        (0, 7, str(export)), (2, 40, str(export)),
    ]  # fmt: skip
    assert [one.read().decode() for one in gathered([tmp_path])] == NOTES
    assert gathered([tmp_path], strict=True) == []


def test_what_only_looks_like_a_note_is_none() -> None:
    """A root that is no hash in base64's one form, a signature cut short."""
    root = NOTES[0].splitlines()[2]
    assert list(notes_in(NOTES[0].replace(root, root[:-2] + "/="))) == []
    assert list(notes_in(NOTES[0][:-40])) == []


def test_a_large_text_is_searched_in_linear_time() -> None:
    """Long words full of slashes and digits, as attachments in mails are, do not hold an auditor up."""
    in_proportion(lambda size: list(notes_in("a/1" * size + "\n" + "/1 1 " * (size // 2))), 100_000)


def test_a_place_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A path that is neither a folder nor a checkpoint leads to a finding or an error, never to silence."""
    (tmp_path / "a file").write_text("nothing signed")
    assert [one.size for one in gathered([tmp_path / "a file"])] == [0]
    assert gathered([tmp_path]) == []
    locked = tmp_path / "gone.note"
    locked.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot be read there"):
        gathered([tmp_path])

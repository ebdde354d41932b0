"""The documents of a package: the same case gives the same bytes, and everything in it is listed."""

from __future__ import annotations

import hashlib
import json
from unittest import mock

from evidence_rig import POLICY, SOURCE, files_of, make
from story import Terminal

from bridge.evidence import package
from bridge.evidence.exhibits import Attachment, Lane, Life
from bridge.ledger.checkpoint import read

AT = 1_790_000_900_000


def test_the_same_case_gives_the_same_bytes(terminal: Terminal) -> None:
    """At the same moment, for the same person: two packages are equal, byte for byte."""
    with mock.patch("bridge.cli.compose.WallClock.now", return_value=AT):
        one, other = make(terminal, name="a.zip"), make(terminal, name="b.zip")
    assert one.read_bytes() == other.read_bytes()


def test_everything_is_listed_with_its_digest(terminal: Terminal) -> None:
    """All files but the list and its signature; counts, exclusions, version, who and when."""
    files = files_of(make(terminal))
    listed = json.loads(files["manifest.json"])
    assert set(listed["files"]) == set(files) - {"manifest.json", "manifest.note"}
    for name, said in listed["files"].items():
        assert (hashlib.sha256(files[name]).hexdigest(), len(files[name])) == (said["sha256"], said["size"])
    assert listed["made_by"] == "auditor@bank.example"
    assert listed["counts"]["messages"] == 8
    assert listed["counts"]["asked_for"] == 5
    assert listed["counts"]["attachments"] == 1
    assert listed["weighbridge"]


def test_names_of_files_are_harmless(terminal: Terminal) -> None:
    """Nothing that anybody typed or sent is a name; a kind that nobody knows is `bin`."""
    for name in files_of(make(terminal)):
        assert name.isascii()
        assert not name.startswith(("/", "."))
        assert ".." not in name
    life = Life(17, 17, "asked for", 0, ())
    assert package.file_name(life, Attachment(0, (0, 1), "", 1, "pdf")) == "files/000017-1.pdf"
    assert package.file_name(life, Attachment(1, (0, 1), "", 1, "../exe")) == "files/000017-2.bin"


def test_the_policy_that_decided_is_there_with_its_lists(terminal: Terminal) -> None:
    """Its very bytes, and when it came into force; the list of files says which entry has them."""
    files = files_of(make(terminal))
    assert files[f"policies/{POLICY[0][1][:16]}.yaml"] == SOURCE.data
    assert files[f"policies/{POLICY[0][1][:16]}-list-1.txt"] == SOURCE.files["words.csv"]
    kinds = [json.loads(json.loads(line)["entry"])["kind"] for line in files["entries/0.jsonl"].splitlines()]
    assert {"policy:stored", "policy:activated", "pair:made"} <= set(kinds)


def test_who_reads_it_is_told_how_to_check_it(terminal: Terminal) -> None:
    """In two lines, with the key to compare."""
    files = files_of(make(terminal))
    text = files["README.txt"].decode()
    assert "python3 verify.py THIS-FILE.zip --key THE-KEY-YOU-WERE-GIVEN.pub" in text
    assert files["key.pub"].decode().strip() in text
    assert max(map(len, text.splitlines())) < 130


def test_time_stamps_lie_beside_their_checkpoints() -> None:
    """Where somebody else stamped a checkpoint, his answer is a file of the same name."""
    lane = Lane(0, 9, "new\n", ((5, "old\n", ()),), {5: b"0\x82token"})
    assert dict(package.checkpoints(lane)) == {
        "checkpoints/0/000000000005.note": b"old\n",
        "checkpoints/0/000000000005.tst": b"0\x82token",
        "checkpoints/0/000000000009.note": b"new\n",
    }


def test_what_is_signed_of_a_list_is_no_checkpoint() -> None:
    """Nobody can take a signature on a list for one on a tree."""
    text = package.signed_text(b"{}")
    try:
        read(f"{text}\n— weighbridge/0 AAAAAAAA\n")
    except ValueError as error:
        assert "no checkpoint" in str(error)
    else:
        raise AssertionError("it reads as a checkpoint")

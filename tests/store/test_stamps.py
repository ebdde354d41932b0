"""Time stamps in the store are looked at again: by whom, of which checkpoint, since when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import Authority
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder
from spoiled import Spoiled

from bridge.ledger.timestamp import roots_in
from bridge.store.verify import Finding, Summary, verify

BY = "rfc3161+https://tsa.example/tsr"
INSERT = "INSERT INTO witnessed VALUES (0, ?, ?, 5, ?)"


class Stamped(Spoiled):
    """The story, every checkpoint of it stamped by an authority, and a post in a room."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = Authority(folder / "authority")
        self.roots = roots_in(self.authority.roots.read_bytes())
        for row in self.rows("checkpoints"):
            self.db.execute(INSERT, (row["size"], BY, self.stamp(row["note"])))
        self.sizes = [row["size"] for row in self.rows("checkpoints")]
        self.db.execute(INSERT, (self.sizes[0], "symphony:room", b"message-1"))

    def stamp(self, note: bytes) -> bytes:
        """What the authority answers about a note."""
        asked = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).build()
        return self.authority.reply(asked.as_bytes())

    def findings(self) -> tuple[list[Finding], Summary]:
        """What `verify` finds about time stamps."""
        found: list[Finding] = []
        with self.engine.connect() as db:
            summary = verify(
                db, self.blobs, found.append, keys=self.keys, anchors=self.anchors, tsa_roots=self.roots
            )
        return [one for one in found if one.table == "witnessed"], summary


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamped]:
    """Nothing has happened yet; every look is followed by a rollback."""
    story = Stamped(tmp_path_factory.mktemp("stamped"))
    yield story
    story.db.close()


def test_good_stamps_say_since_when(story: Stamped) -> None:
    """How many, by whom, and what the first and the newest prove; posts in rooms are no stamps."""
    found, summary = story.findings()
    assert found == []
    (stamps,) = summary.stamps
    assert (stamps.by, stamps.lane, stamps.count) == (BY, 0, len(story.sizes))
    assert (stamps.first[0], stamps.newest[0]) == (story.sizes[0], story.sizes[-1])
    assert stamps.first[1] <= stamps.newest[1]


def test_without_roots_nothing_is_proven_and_nothing_accused(story: Stamped) -> None:
    """The responses are counted."""
    roots, story.roots = story.roots, []
    found, summary = story.findings()
    story.roots = roots
    assert (found, summary.stamps, summary.unstamped) == ([], [], len(story.sizes))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE witnessed SET answer = substr(answer, 1, 300) WHERE size = ?", "no response"),
        ("UPDATE witnessed SET answer = (SELECT max(answer) FROM witnessed WHERE size <> ?1 AND witness LIKE "
         "'rfc%') WHERE size = ?1", "about other bytes"),
        ("UPDATE checkpoints SET note = note || ' ' WHERE size = ?", "about other bytes"),
        ("DELETE FROM checkpoints WHERE size = ?", "stamps a checkpoint that is gone"),
    ],
    ids=["damaged", "another", "note", "gone"],
)  # fmt: skip
def test_what_is_wrong_is_named(story: Stamped, statement: str, why: str) -> None:
    """By lane, size and authority."""
    size = story.sizes[2]
    (finding,) = story.spoil(statement, size)
    assert finding.key == f"lane 0 size {size}, {BY}"
    assert why in finding.meaning


def test_an_authority_that_nobody_trusts_is_named(story: Stamped, tmp_path: Path) -> None:
    """Whoever can write to the database can have stamps of his own making: other roots do not accept them."""
    forger = Authority(tmp_path)
    story.authority, authority = forger, story.authority
    ((note,),) = story.db.execute("SELECT note FROM checkpoints WHERE size = ?", (story.sizes[0],))
    forged = story.stamp(note)
    story.authority = authority
    (finding,) = story.spoil("UPDATE witnessed SET answer = ? WHERE size = ?", forged, story.sizes[0])
    assert "not signed by an authority that is trusted" in finding.meaning

"""What somebody did to the ledger is found against what had been signed, in the table and outside.

The attacks here are consistent: every hash that can be computed anew was. What gives them away is a
checkpoint that was signed before, and the better it is hidden, the farther away that one has to be.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from story import ENTRIES, copy_of_the_story

from bridge.ledger.checkpoint import Signer, signer_from
from bridge.ledger.entry import Entry, decode, encode
from bridge.ledger.tree import Frontier, leaf_hash
from bridge.store.anchors import AnchorFolder
from bridge.store.database import open_engine
from bridge.store.gathering import gathered
from bridge.store.signing import verifiers
from bridge.store.verify import Finding, Summary, verify


class Crime:
    """The story on the disk, and somebody who can write to all of it and knows how it is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = copy_of_the_story(folder)
        self.anchors = folder / "checkpoints"
        self.summary = Summary()

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """Change the database behind everybody's back, or read it."""
        db = sqlite3.connect(self.path)
        with db:
            rows = db.execute(statement, values).fetchall()
        db.close()
        return rows

    def signed(self) -> list[int]:
        """The sizes of all checkpoints in the table."""
        return [size for (size,) in self.sql("SELECT size FROM checkpoints ORDER BY size")]

    def files(self) -> list[Path]:
        """The anchored checkpoints, the smallest first."""
        return sorted(self.anchors.rglob("*.note"))

    def key(self) -> Signer:
        """The signing key, stolen."""
        return signer_from((self.folder / "secrets/checkpoint-key").read_text().strip())

    def cut(self, size: int) -> None:
        """Let the ledger end after `size` entries, with head and right edge to match, and no checkpoint."""
        for table in ("ledger", "content"):
            self.sql(f"DELETE FROM {table} WHERE seq >= ?", size)
        for table in ("heads", "checkpoints"):
            self.sql(f"DELETE FROM {table} WHERE size > ?", size)
        self.compute()

    def rewrite(self, seq: int, change: Callable[[Entry], Entry]) -> None:
        """Put another entry into the place of one, and every hash after it to match."""
        ((data,),) = self.sql("SELECT entry FROM ledger WHERE seq = ?", seq)
        self.sql("UPDATE ledger SET entry = ? WHERE seq = ?", encode(change(decode(data))), seq)
        self.compute()

    def compute(self) -> None:
        """Leaves, heads and right edge anew."""
        heads = {size for (size,) in self.sql("SELECT size FROM heads")}
        frontier = Frontier()
        for seq, data in self.sql("SELECT seq, entry FROM ledger ORDER BY seq"):
            self.sql("UPDATE ledger SET leaf = ? WHERE seq = ?", leaf_hash(data), seq)
            frontier.append(leaf_hash(data))
            if frontier.size in heads:
                self.sql("UPDATE heads SET root = ? WHERE size = ?", frontier.root(), frontier.size)
        self.sql("INSERT OR IGNORE INTO heads VALUES (0, ?, ?)", frontier.size, frontier.root())
        self.sql("UPDATE lanes SET size = ?, frontier = ?", frontier.size, frontier.to_bytes())

    def sign_anew(self) -> None:
        """With the stolen key: every checkpoint in the table fits again."""
        roots = dict(self.sql("SELECT size, root FROM heads"))
        for size in self.signed():
            note = self.key().sign(0, size, roots[size])
            self.sql("UPDATE checkpoints SET note = ? WHERE size = ?", note.encode(), size)

    def findings(self, *anchors: Path, strict: bool = True) -> list[Finding]:
        """What `verify` says about checkpoints, inside and outside."""
        found: list[Finding] = []
        keys = verifiers([self.folder / "secrets/checkpoint-key.pub"])
        kept = gathered(anchors or [self.anchors], strict=strict)
        engine = open_engine(f"sqlite:///{self.path}")
        with engine.connect() as db, db.begin():
            self.summary = verify(db, self.folder / "blobs", found.append, keys=keys, anchors=kept)
        engine.dispose()
        return [one for one in found if one.table in ("checkpoints", "anchors", "heads")]


@pytest.fixture
def crime(tmp_path: Path) -> Crime:
    """Nothing has happened yet."""
    return Crime(tmp_path)


def later(entry: Entry) -> Entry:
    """The same entry with another time: nothing but the hashes can tell."""
    return Entry(
        entry.lane, entry.seq, entry.at, entry.kind, entry.subject, {**entry.facts, "x": 1}, entry.digest
    )


def test_an_honest_store_is_not_accused(crime: Crime) -> None:
    """Every checkpoint is met, in the table and outside."""
    assert crime.findings() == []
    assert crime.summary.checkpoints == crime.summary.anchored == len(crime.signed()) == 6


# --- the ledger's own history -----------------------------------------------------------------------------


def test_a_cut_tail_is_found_by_what_was_signed_beyond(crime: Crime) -> None:
    """Rows, content, heads, right edge and checkpoints all end earlier: the folder knows of more."""
    signed = crime.signed()
    crime.cut(signed[3])
    gone, beyond = crime.findings()
    assert (gone.table, gone.key) == ("checkpoints", f"lane 0 size {signed[4]}")
    assert (beyond.table, beyond.key.split("/")[-1]) == ("anchors", f"{signed[4]:012d}.note")
    assert beyond.meaning.endswith("cut off") and "cut off (and 1 more" in str(beyond)


def test_a_tail_cut_without_its_checkpoints_is_found_without_any_folder(crime: Crime) -> None:
    """Whoever forgets the table of checkpoints is found from inside."""
    before = crime.sql("SELECT * FROM checkpoints")
    crime.cut(200)
    for row in before[-1:]:
        crime.sql("INSERT INTO checkpoints VALUES (?, ?, ?)", *row)
    shutil.rmtree(crime.anchors)
    crime.anchors.mkdir()
    (finding,) = crime.findings()
    assert (finding.table, finding.key) == ("checkpoints", f"lane 0 size {ENTRIES}")


def test_a_rewritten_history_is_found_by_its_signatures(crime: Crime) -> None:
    """One entry changed and every hash after it computed anew: the checkpoints after it do not fit."""
    crime.rewrite(100, later)
    after = [size for size in crime.signed() if size > 100]
    (finding,) = crime.findings()
    assert (finding.table, finding.key) == ("checkpoints", f"lane 0 size {after[0]}")
    assert f"{len(after) - 1} more, to lane 0 size {ENTRIES}" in finding.follow


def test_a_history_rewritten_and_signed_anew_is_found_outside(crime: Crime) -> None:
    """With the stolen key the database is consistent in itself; what was left outside is not with it."""
    crime.rewrite(100, later)
    crime.sign_anew()
    after = [size for size in crime.signed() if size > 100]
    (finding,) = crime.findings()
    assert finding.table == "anchors"
    assert f"{after[0]:012d}.note" in finding.key
    assert "does not match the entries" in finding.meaning


def test_one_old_checkpoint_far_away_is_enough(crime: Crime, tmp_path: Path) -> None:
    """Folder and database rewritten alike: a single file that an auditor kept gives it away."""
    mine = tmp_path / "what I was given.txt"
    shutil.copy(crime.files()[2], mine)
    crime.rewrite(5, later)
    crime.sign_anew()
    shutil.rmtree(crime.anchors)
    roots = dict(crime.sql("SELECT size, note FROM checkpoints"))
    for size, note in roots.items():
        AnchorFolder(crime.anchors).put(0, size, note.decode())
    assert crime.findings() == []
    (finding,) = crime.findings(mine, strict=False)
    assert (finding.table, finding.key) == ("anchors", str(mine))


# --- checkpoints themselves -------------------------------------------------------------------------------


def test_a_forged_checkpoint_is_named(crime: Crime) -> None:
    """Signed with another key, under the same name."""
    size = crime.signed()[2]
    ((root,),) = crime.sql("SELECT root FROM heads WHERE size = ?", size)
    forged = Signer(crime.key().name, bytes(32)).sign(0, size, root)
    crime.sql("UPDATE checkpoints SET note = ? WHERE size = ?", forged.encode(), size)
    (finding,) = crime.findings()
    assert (finding.table, finding.key, finding.column) == ("checkpoints", f"lane 0 size {size}", "note")
    assert "not signed by a key that is known" in finding.meaning


def test_a_missing_checkpoint_is_named_while_a_folder_has_it(crime: Crime) -> None:
    """All of them deleted: one finding, from the first to the last."""
    signed = crime.signed()
    crime.sql("DELETE FROM checkpoints")
    (finding,) = crime.findings()
    assert (finding.table, finding.key) == ("checkpoints", f"lane 0 size {signed[0]}")
    assert f"5 more, to lane 0 size {signed[-1]}" in finding.follow


def test_a_checkpoint_in_anothers_place_is_named(crime: Crime) -> None:
    """A good note kept as another: of another size, or of another lane."""
    signed = crime.signed()
    crime.sql("UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = ?) WHERE size = ?",
              signed[1], signed[2])  # fmt: skip
    (finding,) = crime.findings()
    assert (finding.key, finding.column) == (f"lane 0 size {signed[2]}", "size")
    crime.sql("UPDATE checkpoints SET lane = 3 WHERE size = ?", signed[2])
    assert {(one.key, one.meaning.split(",")[0]) for one in crime.findings()} == {
        (f"lane 0 size {signed[2]}", "is gone"),
        (f"lane 3 size {signed[2]}", "belongs to no lane"),
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n1", b"\n2", 1) if b"\n1" in data else data[:40] + b"x" + data[41:],
        lambda data: data[:-10],
        lambda data: b"",
        lambda data: b"\xff" + data,
    ],
    ids=["digit", "end", "empty", "bytes"],
)
def test_an_edited_file_is_named(crime: Crime, change: Callable[[bytes], bytes]) -> None:
    """Any other byte in an anchored file."""
    path = crime.files()[2]
    path.chmod(0o600)
    path.write_bytes(change(path.read_bytes()))
    (finding,) = crime.findings()
    assert (finding.table, finding.key) == ("anchors", str(path))


def test_a_file_taken_out_of_our_own_folder_is_named(crime: Crime) -> None:
    """One from the middle is missed; the last may not have come yet, the first may have been put away."""
    files = crime.files()
    files[0].unlink()
    files[-1].unlink()
    assert crime.findings() == []
    files[2].unlink()
    (finding,) = crime.findings()
    assert finding.table == "anchors"
    assert f"size {crime.signed()[2]}" in finding.key
    assert "before and after" in finding.meaning
    assert crime.findings(strict=False) == []  # an auditor may have kept any of them


def test_a_daemon_that_signs_meanwhile_is_not_accused(crime: Crime) -> None:
    """Files are gathered before the database is read: newer rows than files are in order."""
    newest = crime.files()[-1]
    newest.unlink()
    assert crime.findings() == []


def test_missing_entries_do_not_accuse_the_signatures(crime: Crime) -> None:
    """With a gap in the ledger no root can be computed: the gap is told, no checkpoint is called wrong."""
    crime.sql("DELETE FROM ledger WHERE seq = 61")
    assert crime.findings() == []

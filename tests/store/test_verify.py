"""`verify` finds what was changed: any value flipped, any row gone, any attachment touched, and names it.

The store is small and has a bit of everything (`story`). The sweep takes rows of every table and spoils
each of their columns in turn, in memory, and looks at what is said: once for all rows of a column, where each
is named by itself, with its column; and once for each value of which that cannot be said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import rig
from postgres import Server
from spoiled import Spoiled
from sqlalchemy import Connection, Engine, Table, text
from story import Story, copy_of_the_story

from bridge.keepers import KeyFile
from bridge.ledger.entry import decode, encode
from bridge.ledger.tree import leaf_hash
from bridge.sealing import BODY
from bridge.store import schema
from bridge.store.database import open_engine
from bridge.store.engines import partition
from bridge.store.gathering import gathered
from bridge.store.signing import verifiers
from bridge.store.verify import OPERATIONAL, WHILE_OPEN, Finding, verify

NOT_EVIDENCE = {"cursors", "chats", "said", "witnessed"}  # answers have tests of their own (test_stamps)
NOT_EVIDENCE |= {"disposals", "disposal_list", "disposed", "erasures"}  # nor have disposals (test_absence)
META = ("frozen", "installation", "pairs", "policy")
ODD = ("odd", b"\xff\xfe", 7.5)
EVIDENCE = sorted(set(schema.metadata.tables) - NOT_EVIDENCE)


def flipped(value: object) -> object:
    """The value with one bit other than it was."""
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"x"
    if value is None:
        return 1
    return chr(ord(str(value)[0]) ^ 1) + str(value)[1:] if value else "x"


def chosen(rows: list[dict]) -> list[dict]:
    """One row of each state and outcome, and the first and the last: what is alike is spoiled once."""
    kinds = {(row.get("state"), row.get("outcome"), row.get("notice_for") is None): row for row in rows}
    picked = {row["_at"]: row for row in [rows[0], *kinds.values(), rows[-1]]}
    return list(picked.values())


#: By table, what its findings call a row by, where that is not its primary key.
CALLED = {"deliveries": ["permit"], "consents": ["entry"]}


class Spoil(NamedTuple):
    """Another value in one column of one row."""

    table: str
    column: str
    row: dict
    value: object

    def statement(self) -> tuple[str, tuple[object, ...]]:
        """What puts it there."""
        return f"UPDATE {self.table} SET {self.column} = ? WHERE rowid = ?", (self.value, self.row["_at"])

    def named(self, found: Iterable[Finding]) -> bool:
        """Whether a finding names this very row, and this column."""
        keys = schema.metadata.tables[self.table].primary_key
        called = {str(self.row[name]) for name in CALLED.get(self.table, keys.columns.keys())}
        places = (one.key.split() for one in found if (one.table, one.column) == (self.table, self.column))
        return any(called.issubset(place) for place in places)


def alone(spoiled: Spoiled, spoils: Sequence[Spoil]) -> list[Spoil]:
    """Those of one column that one look at all of them does not tell apart. Without its key a row may take
    the name of another: keys are looked at one by one."""
    if len(spoils) < 2 or schema.metadata.tables[spoils[0].table].columns[spoils[0].column].primary_key:
        return list(spoils)
    try:
        found = spoiled.spoil_all([one.statement() for one in spoils])
    except sqlite3.IntegrityError:
        return list(spoils)
    return [one for one in spoils if not one.named(found)]


def columns_of(table: str) -> list[str]:
    """The names of a table's columns."""
    return [column.name for column in schema.metadata.tables[table].columns]


def operational(table: str, column: str, row: dict) -> bool:
    """Whether this value says how to go on and not what happened."""
    if table == "deliveries" and column in WHILE_OPEN and row["state"] not in ("sent", "failed"):
        return True
    if table == "meta" and row["key"] not in META:
        return True
    return column in OPERATIONAL.get(table, ())


# --- the sweep ------------------------------------------------------------------------------------------


def test_a_store_that_nobody_touched_has_no_finding(spoiled: Spoiled) -> None:
    """Everything that the store itself writes is in order, and everything is counted."""
    found, summary = spoiled.findings()
    assert found == []
    for table in ("messages", "verdicts", "deliveries", "receipts"):
        assert getattr(summary, table) == len(spoiled.rows(table))
    assert (summary.entries, summary.contents) == (len(spoiled.rows("ledger")), len(spoiled.rows("content")))
    assert summary.blobs == 1
    assert summary.checkpoints == summary.anchored == 6
    assert summary.bytes > 10_000


@pytest.mark.parametrize("table", EVIDENCE)
def test_any_flipped_value_is_found_and_named(spoiled: Spoiled, table: str) -> None:
    """One bit of any column of any evidence table: there is a finding, and one that names the table."""
    rows = chosen(spoiled.rows(table))
    missed = []
    for column in columns_of(table):
        evidence = [row for row in rows if not operational(table, column, row)]
        for one in alone(spoiled, [Spoil(table, column, row, flipped(row[column])) for row in evidence]):
            try:
                found = spoiled.spoil_all([one.statement()])
            except sqlite3.IntegrityError:
                continue  # the neighbour has this key already: SQLite itself refuses
            if not any(finding.table == table for finding in found):
                missed.append(one)
    assert missed == []


@pytest.mark.parametrize("table", EVIDENCE)
def test_any_missing_row_is_found_and_named(spoiled: Spoiled, table: str) -> None:
    """Any row of any evidence table deleted: there is a finding, and one that names the table."""
    missed = []
    for row in chosen(spoiled.rows(table)):
        if operational(table, "", row):
            continue
        found = spoiled.spoil(f"DELETE FROM {table} WHERE rowid = ?", row["_at"])
        if not any(finding.table == table for finding in found):
            missed.append(row)
    assert missed == []


def test_what_is_not_evidence_is_named_in_a_table() -> None:
    """Every exception is a column that exists, in a table that is swept."""
    for table, columns in OPERATIONAL.items():
        assert table in EVIDENCE
        known = {column.name for column in schema.metadata.tables[table].columns}
        assert columns <= known
    assert NOT_EVIDENCE.issubset(schema.metadata.tables)


# --- the ledger -----------------------------------------------------------------------------------------


def test_a_changed_entry_is_named_by_its_place(spoiled: Spoiled) -> None:
    """The finding says lane, place and column; the neighbours are not accused."""
    row = spoiled.rows("ledger")[40]
    found = spoiled.spoil("UPDATE ledger SET entry = ? WHERE seq = 40", flipped(row["entry"]))
    places = {(finding.table, finding.key, finding.column) for finding in found}
    assert ("ledger", "lane 0 seq 40", "leaf") in places
    assert {key for table, key, _ in places if table == "ledger"} == {"lane 0 seq 40"}


def test_a_forged_entry_breaks_the_tree(spoiled: Spoiled) -> None:
    """Entry and leaf changed together: the tree's heads give it away, and say between which entries."""
    row = spoiled.rows("ledger")[40]
    entry = decode(row["entry"])
    forged = encode(type(entry)(entry.lane, entry.seq, entry.at + 1, entry.kind, entry.subject, entry.facts))
    statement = "UPDATE ledger SET entry = ?, leaf = ? WHERE seq = 40"
    found = spoiled.spoil(statement, forged, leaf_hash(forged))
    heads = [finding for finding in found if finding.table == "heads" and finding.column == "root"]
    (head,) = heads
    assert 40 < int(head.key.split()[-1]) < 50
    assert "later ones" in head.follow and head.follow in str(head)
    assert any(finding.table == "lanes" and finding.column == "frontier" for finding in found)


def test_a_row_of_wrong_heads_is_one_finding(spoiled: Spoiled) -> None:
    """What follows from one change is told once, with how many heads it touches."""
    found = spoiled.spoil("UPDATE ledger SET leaf = ? WHERE seq = 5", b"\x00" * 32)
    assert [(one.table, one.column) for one in found] == [
        *(("ledger", "leaf"), ("heads", "root"), ("checkpoints", "")),
        *(("nodes", "hash"), ("lanes", "frontier")),
    ]


def test_missing_entries_are_a_gap(spoiled: Spoiled) -> None:
    """Entries taken out of the middle: the gap is named from first to last."""
    found = spoiled.spoil("DELETE FROM ledger WHERE seq BETWEEN 10 AND 12")
    gap = next(finding for finding in found if finding.table == "ledger")
    assert gap.key == "lane 0 seq 10"
    assert "entries 10 to 12 are missing" in gap.meaning


def test_bytes_that_are_no_entry_are_named(spoiled: Spoiled) -> None:
    """Another encoding of the same fact is not the entry that was written."""
    row = spoiled.rows("ledger")[3]
    found = spoiled.spoil("UPDATE ledger SET entry = ? WHERE seq = 3", row["entry"].replace(b",", b", "))
    assert any("canonical" in finding.meaning for finding in found if finding.column == "entry")


def test_a_head_of_the_future_is_named(spoiled: Spoiled) -> None:
    """A head that speaks of more entries than there are shows that the tail is gone."""
    found = spoiled.spoil("DELETE FROM ledger WHERE seq > 170")
    assert ("ledger", "lane 0 seq 171") in [(finding.table, finding.key) for finding in found]
    assert any(
        finding.table == "heads" and "more entries than there are" in finding.meaning for finding in found
    )


def test_content_without_an_entry_is_named(spoiled: Spoiled) -> None:
    """Content that nothing testifies to, and content beside an entry that has none."""
    stray = spoiled.spoil("INSERT INTO content VALUES (0, 9999, x'00', x'7b7d', x'')")
    assert [(finding.table, finding.key) for finding in stray] == [("content", "lane 0 seq 9999")]
    beside = spoiled.spoil("INSERT INTO content VALUES (0, 0, x'00', x'7b7d', x'')")
    assert [(finding.table, finding.key) for finding in beside] == [("content", "lane 0 seq 0")]


def test_a_finding_shows_nothing_that_was_written(spoiled: Spoiled) -> None:
    """Findings name places and columns; no message text, no name, no address."""
    row = next(row for row in spoiled.rows("content") if row["seq"] == spoiled.rows("messages")[0]["entry"])
    body = spoiled.resealed(row["lane"], row["seq"], BODY, row["body"], "Good", "Gold")
    found = spoiled.spoil("UPDATE content SET body = ? WHERE rowid = ?", body, row["_at"])
    found += spoiled.spoil("UPDATE content SET body = x'017b7d'")
    assert "content" in {finding.table for finding in found}
    told = " ".join(map(str, found))
    for secret in ("Wong", "Gold", "李雷", "4111", "bank.example"):
        assert secret not in told


# --- what is on the disk --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the story, on the disk."""
    copy_of_the_story(tmp_path)
    return tmp_path


def examined(folder: Path) -> list[Finding]:
    """What `verify` finds in a store on the disk."""
    found: list[Finding] = []
    engine = open_engine(f"sqlite:///{folder}/weighbridge.db")
    keys = verifiers(folder.glob("secrets/*.pub"))
    anchors = gathered([folder / "checkpoints"], strict=True)
    with engine.connect() as db, db.begin():
        verify(db, folder / "blobs", found.append, keys=keys, anchors=anchors)
    engine.dispose()
    return found


def blob(folder: Path) -> Path:
    """The one attachment that was archived."""
    (path,) = (path for path in (folder / "blobs").rglob("*") if path.is_file())
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "change",
    [lambda data: flipped(data), lambda data: data + b" ", lambda data: b""],
    ids=["bit", "more", "none"],
)
def test_a_changed_attachment_is_named(folder: Path, change: Callable[[bytes], bytes]) -> None:
    """A flipped bit, a byte more, nothing left: the blob is named by its digest."""
    path = blob(folder)
    path.write_bytes(change(path.read_bytes()))
    (finding,) = examined(folder)
    assert (finding.table, finding.key) == ("blobs", path.name)


def test_a_missing_attachment_is_named(folder: Path) -> None:
    """A blob that is gone is named by its digest."""
    path = blob(folder)
    path.unlink()
    (finding,) = examined(folder)
    assert (finding.table, finding.key) == ("blobs", path.name)


def test_an_attachment_without_an_entry_is_no_finding(folder: Path) -> None:
    """A crash between keeping and recording leaves a blob that nobody names: nothing is wrong."""
    (folder / "blobs" / "new").mkdir(exist_ok=True)
    (folder / "blobs" / "new" / "half").write_bytes(b"half an attachment")
    assert examined(folder) == []


def test_a_flipped_byte_in_the_file_is_found(folder: Path) -> None:
    """A byte flipped in the file itself, in the middle of what somebody wrote, behind SQLite's back."""
    path = folder / "weighbridge.db"
    data = bytearray(path.read_bytes())
    with sqlite3.connect(path) as db:
        (sealed,) = db.execute(
            "SELECT body FROM content JOIN messages ON entry = seq WHERE id = 1"
        ).fetchone()
    db.close()
    data[data.index(sealed) + 40] ^= 0x80
    path.write_bytes(data)
    found = examined(folder)
    assert [finding.table for finding in found] == ["content"]


def test_text_that_is_no_longer_text_is_a_finding(folder: Path) -> None:
    """A text column whose bytes are no longer UTF-8 is named as any other, and nothing breaks."""
    path = folder / "weighbridge.db"
    data = bytearray(path.read_bytes())
    place = data.index(b"wkWealth/wmStranger", data.index(b"w-stranger"))
    data[place] = 0xFF
    path.write_bytes(data)
    assert examined(folder)


# --- beside a daemon ------------------------------------------------------------------------------------


def test_progress_goes_up_to_its_total(folder: Path) -> None:
    """Progress never goes back, and ends at the total that it named."""
    told: list[tuple[int, int]] = []
    engine = open_engine(f"sqlite:///{folder}/weighbridge.db")
    with engine.connect() as db:
        verify(db, folder / "blobs", lambda finding: None, lambda done, total: told.append((done, total)))
    engine.dispose()
    dones = [done for done, _ in told]
    assert dones == sorted(dones)
    assert told[-1][0] == told[-1][1] > 200


def test_chunks_meet_without_a_gap(spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in chunks of any size, the store is in order and everything is counted once."""
    _, whole = spoiled.findings()
    for size in (1, 7):
        monkeypatch.setattr("bridge.store.reread.CHUNK", size)
        found, summary = spoiled.findings()
        assert found == []
        assert summary == whole


@pytest.mark.parametrize("table", EVIDENCE)
def test_values_of_another_kind_are_findings(spoiled: Spoiled, table: str) -> None:
    """SQLite lets any column hold anything: a word for a number, bytes for a word. It is named, no crash."""
    rows = spoiled.rows(table)
    for column in columns_of(table):
        if operational(table, column, rows[-1]):
            continue
        # Of the same kind: the sweep above has such a value.
        odd = [value for value in ODD if not isinstance(value, type(rows[-1][column]))]
        like = [row for row in rows if type(row[column]) is type(rows[-1][column])]
        evidence = [row for row in like if not operational(table, column, row)][-len(odd) :]
        together = [Spoil(table, column, *both) for both in zip(reversed(evidence), odd, strict=False)]
        known = {one.value for one in together} - {one.value for one in alone(spoiled, together)}
        for value in [value for value in odd if value not in known]:
            try:
                found = spoiled.spoil_all([Spoil(table, column, rows[-1], value).statement()])
            except sqlite3.IntegrityError:
                continue  # keys of the row itself: SQLite refuses what is no number
            assert found, (column, value)


async def test_a_store_that_changed_hands_is_in_order(tmp_path: Path) -> None:
    """A daemon dies with a delivery in its hands, another takes over, looks it up and goes on: no finding."""
    story = Story(tmp_path)
    await story.begin()
    await story.archive(story.says("on its way"), story.says("behind it"))
    await story.judge()
    (claim, _) = await story.claim()
    story.store.close()
    again = Story(tmp_path, story.clock, story.ids)
    await again.store.own("the next daemon")
    for permit in await again.claim():
        uncertain = permit.permit.id == claim.permit.id
        await again.store.record_attempts([again.sent(permit, found=uncertain)])
    again.store.close()
    assert examined(tmp_path) == []


# --- on a server ----------------------------------------------------------------------------------------


@dataclass
class Twins:
    """One store on both engines."""

    folder: Path
    engines: tuple[Engine, Engine]

    def told(self, statement: str) -> tuple[list[Finding], list[Finding]]:
        """What is found on each after this statement, which is undone again."""
        first, second = (self._told(engine, statement) for engine in self.engines)
        return first, second

    def _told(self, engine: Engine, statement: str) -> list[Finding]:
        found: list[Finding] = []
        keys = verifiers([self.folder / "secrets/checkpoint-key.pub"])
        anchors = gathered([self.folder / "checkpoints"], strict=True)
        with engine.connect().execution_options(writes=True) as db, db.begin() as whole:
            if statement:
                db.execute(text(statement))
            verify(db, self.folder / "blobs", found.append, keys=keys, anchors=anchors)
            whole.rollback()
        return sorted(found, key=str)


@pytest.fixture(scope="module")
def twins(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """The story in a file, and row by row the same on a server."""
    folder = tmp_path_factory.mktemp("twins")
    path = copy_of_the_story(folder)
    address, keeper = postgres.fresh(), KeyFile(folder / "secrets/store-key")
    engines = open_engine(f"sqlite:///{path}"), open_engine(address, keeper)
    writing = engines[1].execution_options(writes=True)
    with sqlite3.connect(path) as file, writing.begin() as server:
        schema.metadata.create_all(server)
        partition(server, 0)
        for table in schema.metadata.sorted_tables:
            _copy(file, server, table)
    yield Twins(folder, engines)
    for one in engines:
        one.dispose()
    postgres.drop(address)


def _copy(file: sqlite3.Connection, server: Connection, table: Table) -> None:
    names = [column.name for column in table.columns]
    rows = file.execute(f"SELECT {', '.join(names)} FROM {table.name}").fetchall()
    if rows:
        places = ", ".join(f":{name}" for name in names)
        statement = text(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})")
        server.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def test_a_clean_store_is_clean_on_both_engines(twins: Twins) -> None:
    """Row by row the same, and nobody is accused."""
    assert twins.told("") == ([], [])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger WHERE seq = 40",
        "UPDATE ledger SET subject = 'message/1' WHERE seq = 40",
        "UPDATE heads SET root = '\\x00' WHERE size = 4",
        "DELETE FROM nodes WHERE level = 4 AND n = 3",
        "UPDATE lanes SET size = size + 1",
        "UPDATE content SET salt = raw WHERE seq = (SELECT entry FROM messages WHERE id = 1)",
        "DELETE FROM data_keys WHERE seq = (SELECT entry FROM messages WHERE id = 1)",
        "UPDATE messages SET sender = '7002', state = 'held' WHERE id = 1",
        "UPDATE verdicts SET outcome = 'deliver', at = at + 1 WHERE outcome = 'block'",
        "UPDATE deliveries SET marks = 'late', done_at = 1 WHERE id = 2",
        "DELETE FROM receipts",
        "UPDATE reviews SET state = 'released' WHERE message = 13",
        "UPDATE pairs SET state = 'active', ended_at = 0 WHERE id = 2",
        "DELETE FROM checkpoints WHERE size = 101",
        "DROP TABLE receipts",
    ],
)
def test_both_engines_find_the_same(twins: Twins, statement: str) -> None:
    """Table, row, column and meaning: the engine makes no difference."""
    file, server = twins.told(statement)
    assert file
    assert file == server


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("CREATE TRIGGER quiet AFTER INSERT ON messages BEGIN SELECT 1; END", "messages"),
        ("CREATE TABLE notes (id INTEGER)", "notes"),
        ("CREATE VIEW looks AS SELECT * FROM messages", "looks"),
    ],
)
def test_what_is_not_ours_is_found(spoiled: Spoiled, statement: str, place: str) -> None:
    """A trigger that somebody has put on a table, a table or a view beside ours: one finding, named."""
    (finding,) = spoiled.spoil(statement)
    assert (finding.table, statement.split()[2] in finding.meaning) == (place, True)


def test_a_trigger_in_a_server_is_found(postgres: Server, tmp_path: Path) -> None:
    """On PostgreSQL, too, where nothing else is found in a new store."""
    with rig.on(postgres):
        rig.new_store(tmp_path)
        engine = rig._engine(rig.url_of(tmp_path))
        found: list[Finding] = []
        with engine.connect().execution_options(writes=True) as db, db.begin():
            verify(db, tmp_path / "blobs", found.append)
            assert found == []
            db.exec_driver_sql(
                "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
            )
            db.exec_driver_sql(
                "CREATE TRIGGER quiet BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION quiet()"
            )
            verify(db, tmp_path / "blobs", found.append)
        engine.dispose()
    assert [one.table for one in found] == ["messages"]
    assert "trigger quiet" in found[0].meaning

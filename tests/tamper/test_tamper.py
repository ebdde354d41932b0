"""Whoever changes the record is found, and what was changed is named; whoever changed nothing is not accused.

The store has a bit of everything (`story`), two attachments more and checkpoints outside. An attack is done
on a copy of it, by somebody who can write to every file and knows how all of it is made; many have the master
key as well, some the signing key. What one of them cannot do is reach the checkpoints that others keep.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scene import Scene
from story import REVIEWER, Story, Terminal, Ticking, copy_of_the_story, pieces, varied

from bridge.keepers import KeyFile
from bridge.ledger.checkpoint import Signer
from bridge.message import SYMPHONY, Blob, Cause, File, Kind, Outcome, Retention, Verdict
from bridge.ports import Placing
from bridge.sealing import RAW
from bridge.store import rotation
from bridge.store.rotation import Position

FILED, OTHER = 61, 62
"""Messages with an attachment each."""

KEPT = Retention("desk/records", "7y")
"""The class of the message behind them."""


async def _told(folder: Path) -> None:
    """Two attachments more behind the story in a folder, a record with a term, a legal hold; signed."""
    story = Story(folder, Ticking(1_790_200_000_000), ids=iter(range(9000, 9999)))  # type: ignore[arg-type]
    await story.store.own("the next daemon")
    for name in ("one.pdf", "two.pdf"):
        await story.archive(story.says(name, files=(File(f"ref-{name}", name, Kind.FILE),)))
        wanted = (await story.store.wanted_files(SYMPHONY, 9))[-1]
        digest, size = await story.store.keep(pieces(f"%PDF-1.7 {name}".encode()), 1000)
        await story.store.settle_file(wanted, Blob(digest, size, name, Kind.FILE, "application/pdf"))
    await story.judge()
    await story.archive(story.answers("to be kept"))
    await story.judge(Verdict(Outcome.DELIVER, Cause.DEFAULT, "to be kept", retention=(KEPT,)))
    await story.store.place_hold(Placing("CASE-7", "with:alice", "with:alice", REVIEWER, "a complaint"))
    await story.deliver()
    await story.sign()
    story.store.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the store that is attacked."""
    folder = tmp_path_factory.mktemp("told")
    copy_of_the_story(folder)
    asyncio.run(_told(folder))
    return folder


@pytest.fixture
def scene(told: Path, tmp_path: Path) -> Iterator[Scene]:
    """A copy, to which nothing has happened yet."""
    one = Scene(told, tmp_path)
    yield one
    one.db.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder for another store."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


# --- attacks --------------------------------------------------------------------------------------------

Attack = Callable[[Scene], object]

ATTACKS: dict[str, tuple[str, str, Attack]] = {}
"""By name: the table and the key that a finding has to name, and what is done."""


def attack(table: str, key: str) -> Callable[[Attack], Attack]:
    """Enter an attack, by the first line of what it says of itself."""

    def entered(act: Attack) -> Attack:
        ATTACKS[str(act.__doc__).rstrip(".")] = table, key, act
        return act

    return entered


def sql(name: str, table: str, key: str, *statements: str) -> None:
    """Enter an attack that takes nothing but SQL."""
    ATTACKS[name] = table, key, lambda scene: [scene.sql(statement) for statement in statements]


# the ledger


@attack("ledger", "lane 0 seq 40")
def _(scene: Scene) -> None:
    """A byte of an entry is flipped."""
    scene.flip("ledger", "entry", "seq = 40", at=12)


@attack("heads", "lane 0 size")
def _(scene: Scene) -> None:
    """An entry is changed together with its leaf."""
    scene.put(scene.entry(40)._replace(at=1))


@attack("checkpoints", "lane 0 size 101")
def _(scene: Scene) -> None:
    """An entry is changed and every hash in the database computed anew."""
    scene.rewrite(40, lambda entry: entry._replace(facts={**entry.facts, "x": 1}))


@attack("anchors", "000000000035.note")
def _(scene: Scene) -> None:
    """History is rewritten from the first entry on and signed anew with the stolen key."""
    scene.rewrite(0, lambda entry: entry._replace(at=entry.at + 1))
    scene.sign_anew()


@attack("checkpoints", "lane 0 size 101")
def _(scene: Scene) -> None:
    """History is rewritten and signed with another key of the same name."""
    scene.rewrite(40, lambda entry: entry._replace(at=entry.at + 1))
    scene.sign_anew(Signer(scene.signer().name, bytes(32)))


sql("An entry is deleted from the middle", "ledger", "lane 0 seq 40", "DELETE FROM ledger WHERE seq = 40")
sql("All entries are deleted", "ledger", "lane 0 seq 0", "DELETE FROM ledger")


@attack("checkpoints", "lane 0 size 101")
def _(scene: Scene) -> None:
    """An entry is deleted, the gap closed, and every hash computed anew."""
    scene.sql("DELETE FROM ledger WHERE seq = 40")
    scene.compute()


@attack("checkpoints", "lane 0 size 101")
def _(scene: Scene) -> None:
    """An entry is slipped in, everything behind it moved on, and every hash computed anew."""
    scene.sql("UPDATE ledger SET seq = -seq - 1 WHERE seq >= 40")
    scene.sql("UPDATE ledger SET seq = -seq WHERE seq < 0")
    scene.sql("INSERT INTO ledger SELECT lane, 40, subject, entry, leaf FROM ledger WHERE seq = 39")
    scene.compute()


@attack("ledger", "lane 0 seq 40")
def _(scene: Scene) -> None:
    """Two entries trade places."""
    scene.swap("ledger", "subject, entry, leaf", "seq", 40, 41)


@attack("checkpoints", "lane 0 size 101")
def _(scene: Scene) -> None:
    """Two entries trade places and numbers, and every hash is computed anew."""
    one, other = scene.entry(40), scene.entry(41)
    scene.put(other._replace(seq=40))
    scene.rewrite(41, lambda _: one._replace(seq=41))


@attack("ledger", "lane 0 seq")
def _(scene: Scene) -> None:
    """An entry is written a second time, at the end."""
    size = scene.one("SELECT max(seq) + 1 FROM ledger")
    scene.sql("INSERT INTO ledger SELECT lane, ?, subject, entry, leaf FROM ledger WHERE seq = 40", size)


sql("An entry is found under another subject", "ledger", "lane 0 seq 40",
    "UPDATE ledger SET subject = 'message/1' WHERE seq = 40")  # fmt: skip
sql("An entry moves to a lane of its own", "ledger", "lane 0 seq 40",
    "UPDATE ledger SET lane = 7, seq = 0 WHERE seq = 40")  # fmt: skip
sql("The tail is cut off", "ledger", "lane 0 seq 250", "DELETE FROM ledger WHERE seq >= 250")


@attack("checkpoints", "lane 0 size 280")
def _(scene: Scene) -> None:
    """The tail is cut off, with heads and right edge to match."""
    scene.cut(250)


@attack("anchors", "000000000280.note")
def _(scene: Scene) -> None:
    """The tail is cut off, with heads, right edge and checkpoints to match."""
    scene.cut(250)
    scene.sql("DELETE FROM checkpoints WHERE size > 250")


sql("A head is deleted", "heads", "lane 0 size 5", "DELETE FROM heads WHERE size = 5")
sql("A head is another", "heads", "lane 0 size 4", "UPDATE heads SET root = zeroblob(32) WHERE size = 4")
sql("A node is deleted", "nodes", "lane 0 level 4 n 3", "DELETE FROM nodes WHERE level = 4 AND n = 3")
sql("A node is another", "nodes", "lane 0 level 8 n 0",
    "UPDATE nodes SET hash = zeroblob(32) WHERE level = 8")  # fmt: skip
sql("A node is of nothing", "nodes", "lane 0", "INSERT INTO nodes VALUES (0, 12, 7, zeroblob(32))")
sql("The right edge is another", "lanes", "lane 0", "UPDATE lanes SET frontier = zeroblob(32)")
sql("A table is dropped", "receipts", "", "DROP TABLE receipts")
sql("The table of keys is dropped", "store_keys", "", "DROP TABLE store_keys")
sql("The lane is gone", "lanes", "lane 0", "DELETE FROM lanes")

# content and its keys


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """A byte of sealed words is flipped."""
    scene.flip("content", "body", "seq = (SELECT entry FROM messages WHERE id = 1)")


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """A byte of the network's own bytes is flipped."""
    scene.flip("content", "raw", "seq = (SELECT entry FROM messages WHERE id = 2)")


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """A byte of a salt is flipped."""
    scene.flip("content", "salt", "seq = (SELECT entry FROM messages WHERE id = 1)")


@attack("data_keys", "lane 0 seq")
def _(scene: Scene) -> None:
    """A byte of a wrapped data key is flipped."""
    scene.flip("data_keys", "wrapped", "seq = (SELECT entry FROM messages WHERE id = 1)")


@attack("data_keys", "lane 0 seq 5")
def _(scene: Scene) -> None:
    """Two records trade their keys."""
    first, second = scene.sql("SELECT entry FROM messages WHERE id IN (1, 2)")
    scene.swap("data_keys", "wrapped", "seq", *first, *second)


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """Two records trade their content."""
    first, second = scene.sql("SELECT entry FROM messages WHERE id IN (1, 2)")
    scene.swap("content", "salt, body, raw", "seq", *first, *second)


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """Two records trade their words, sealed anew with the stolen master key."""
    (one,), (other,) = scene.sql("SELECT entry FROM messages WHERE id IN (1, 3)")
    first, second = scene.opened(one), scene.opened(other)
    scene.reseal(one, second)
    scene.reseal(other, first)


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """What somebody wrote is said otherwise, sealed anew with the stolen master key."""
    seq = int(str(scene.one("SELECT entry FROM messages WHERE id = 1")))
    scene.reseal(seq, scene.opened(seq).replace(b"Good", b"Gold"))


@attack("checkpoints", "lane 0 size 35")
def _(scene: Scene) -> None:
    """What somebody wrote is said otherwise, with digest, leaf and all hashes to match."""
    scene.reword(int(str(scene.one("SELECT entry FROM messages WHERE id = 1"))), text="Gold morning")


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """The network's own bytes are others, sealed anew with the stolen master key."""
    scene.reseal(int(str(scene.one("SELECT entry FROM messages WHERE id = 2"))), b'{"msgtype":"file"}', RAW)


sql("Content is deleted", "content", "lane 0 seq",
    "DELETE FROM content WHERE seq = (SELECT entry FROM messages WHERE id = 1)")  # fmt: skip
sql("A data key is destroyed", "data_keys", "lane 0 seq",
    "DELETE FROM data_keys WHERE seq = (SELECT entry FROM messages WHERE id = 1)")  # fmt: skip
sql("Content stands where nothing was written", "content", "lane 0 seq 9999",
    "INSERT INTO content VALUES (0, 9999, x'00', x'01', x'')")  # fmt: skip


@attack("data_keys", "lane 0 seq 3")
def _(scene: Scene) -> None:
    """Two store keys trade places."""
    scene.swap("store_keys", "wrapped", "id", 1, 2)


@attack("store_keys", "id 1")
def _(scene: Scene) -> None:
    """A byte of a wrapped store key is flipped."""
    scene.flip("store_keys", "wrapped", "id = 1")


sql("A store key is deleted", "store_keys", "id 1", "DELETE FROM store_keys WHERE id = 1")
sql("A store key is for something else", "store_keys", "id 2",
    "UPDATE store_keys SET purpose = 'records' WHERE id = 2")  # fmt: skip

# attachments


@attack("files", f"message {FILED} n 0")
def _(scene: Scene) -> None:
    """Two messages trade their attachments."""
    scene.swap("files", "digest, size", "message", FILED, OTHER)


@attack("blobs", "")
def _(scene: Scene) -> None:
    """Two attachments trade their files."""
    one, other = scene.blob(FILED), scene.blob(OTHER)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


@attack("file_keys", "")
def _(scene: Scene) -> None:
    """Two attachments trade their keys."""
    scene.swap("file_keys", "wrapped", "digest", scene.blob(FILED).name, scene.blob(OTHER).name)


@attack("files", f"message {FILED} n 0")
def _(scene: Scene) -> None:
    """Another attachment takes the place of one, sealed anew, with name, key and row to match."""
    scene.forge_blob(FILED, b"%PDF-1.7 something else")


@attack("blobs", "")
def _(scene: Scene) -> None:
    """An attachment is cut off."""
    path = scene.blob(FILED)
    path.write_bytes(path.read_bytes()[:-1])


@attack("blobs", "")
def _(scene: Scene) -> None:
    """An attachment is removed."""
    scene.blob(FILED).unlink()


@attack("files", f"message {FILED} n 0")
def _(scene: Scene) -> None:
    """An attachment is removed, with its row and its key."""
    scene.sql("DELETE FROM file_keys WHERE digest = ?", scene.blob(FILED).name)
    scene.blob(FILED).unlink()
    scene.sql("DELETE FROM files WHERE message = ?", FILED)


sql("An attachment is said never to have come", "files", f"message {FILED} n 0",
    f"UPDATE files SET state = 'missing', digest = '', size = -1 WHERE message = {FILED}")  # fmt: skip
sql("A message gets an attachment that it never had", "files", "message 1 n 0",
    "INSERT INTO files (message, n, network, state) VALUES (1, 0, 'symphony', 'wanted')")  # fmt: skip

# what was decided

sql("A verdict is added", "verdicts", "id",
    "INSERT INTO verdicts SELECT max(id) + 1, 23, 9, 'deliver', 'person', max(at) FROM verdicts")  # fmt: skip
sql("A verdict is removed", "verdicts", "",
    "DELETE FROM deliveries WHERE id = 1", "DELETE FROM verdicts WHERE id = 1")  # fmt: skip
sql("A block becomes a delivery", "verdicts", "id",
    "UPDATE verdicts SET outcome = 'deliver' WHERE outcome = 'block'")  # fmt: skip
sql("A reviewer's word becomes a rule's", "verdicts", "id",
    "UPDATE verdicts SET cause = 'rule' WHERE cause = 'person'")  # fmt: skip
sql("A term is shortened", "terms", "message", "UPDATE terms SET until = until - 86400000")
sql("A term is taken from its record", "terms", "message", "DELETE FROM terms")
sql("A term is given another rule", "terms", "message", "UPDATE terms SET key = 'desk/chat'")
sql("A legal hold is lifted by nobody", "holds", "CASE-7",
    "UPDATE holds SET state = 'lifted', ended_at = 1")  # fmt: skip
sql("A legal hold is made to be forgotten", "holds", "CASE-7", "DELETE FROM holds")
sql("A verdict is backdated", "verdicts", "id 9", "UPDATE verdicts SET at = at - 1000 WHERE id = 9")
sql("A release is forged", "reviews", "message 13",
    "UPDATE reviews SET state = 'released' WHERE message = 13",
    "UPDATE messages SET state = 'released' WHERE id = 13")  # fmt: skip
sql("A hold was never opened", "reviews", "message 13", "DELETE FROM reviews WHERE message = 13")
sql(
    "A decision is of another time",
    "reviews",
    "message 9",
    "UPDATE reviews SET decided_at = 1 WHERE message = 9",
)
sql("A review is moved to another queue", "reviews", "message 49",
    "UPDATE reviews SET queue = 'front-office' WHERE message = 49")  # fmt: skip


@attack("checkpoints", "lane 0 size")
def _(scene: Scene) -> None:
    """A rejection becomes a release, in row and entry, with every hash to match."""
    scene.rewrite(scene.seq("hold:rejected"), lambda entry: entry._replace(kind="hold:released"))
    scene.sql("UPDATE reviews SET state = 'released' WHERE message = 13")
    scene.sql("UPDATE messages SET state = 'released' WHERE id = 13")


@attack("content", "lane 0 seq")
def _(scene: Scene) -> None:
    """Another person decided, sealed anew with the stolen master key."""
    seq = scene.seq("hold:released")
    scene.reseal(seq, scene.opened(seq).replace(REVIEWER.encode(), b"alice.wong@bank.example"))


sql("A drawn message was spared", "samples", "message 4",
    "UPDATE samples SET state = 'spared' WHERE state = 'closed'")  # fmt: skip
sql("A message was never eligible", "samples", "message 45", "DELETE FROM samples WHERE message = 45")
sql("Consent is taken for granted", "consents", "entry",
    "UPDATE consents SET given_at = asked_at WHERE given_at = 0")  # fmt: skip
sql("A freeze is undone", "meta", "key frozen", "UPDATE meta SET value = '0/9' WHERE key = 'frozen'")
sql("Another policy was in force", "meta", "key policy",
    "UPDATE meta SET value = replace(value, 'aaaa', 'bbbb') WHERE key = 'policy'")  # fmt: skip
sql("A change was approved", "changes", "id 7", "UPDATE changes SET state = 'approved' WHERE id = 7")
sql("A policy is gone", "policies", "hash", "DELETE FROM policies WHERE entry = 246")


@attack("policies", "hash")
def _(scene: Scene) -> None:
    """A policy has another source, sealed anew with the stolen master key."""
    scene.reseal(246, scene.opened(246, RAW).replace(b"cards", b"cords"), RAW)


# what people wrote, and what became of it

sql("Somebody else wrote it", "messages", "id 1", "UPDATE messages SET sender = '7002' WHERE id = 1")
sql("It was written in another chat", "messages", "id 1",
    "UPDATE messages SET conversation = 'room-han' WHERE id = 1")  # fmt: skip
sql("It came from the other network", "messages", "id 1",
    "UPDATE messages SET network = 'weixin' WHERE id = 1")  # fmt: skip
sql("It was archived earlier", "messages", "id 1", "UPDATE messages SET archived_at = 1 WHERE id = 1")
sql("A message that nobody wrote is inserted", "messages", "id 999",
    "INSERT INTO messages SELECT 999, lane, entry, network, 'forged', conversation, sender, kind, "
    "archived_at, state, pair, notice_for FROM messages WHERE id = 1")  # fmt: skip
sql(
    "A pair has another client",
    "pairs",
    "id 1",
    "UPDATE pairs SET contact = 'wkWealth/wmStranger' WHERE id = 1",
)
sql("A pair was never ended", "pairs", "id 2", "UPDATE pairs SET state = 'active', ended_at = 0 WHERE id = 2")
sql("A pair is gone", "pairs", "id 2", "DELETE FROM pairs WHERE id = 2")


@attack("messages", "id 31")
def _(scene: Scene) -> None:
    """One message is taken out of its source's sequence, with all that hangs on it."""
    _without(scene, 30)


@attack("checkpoints", "lane 0 size 166")
def _(scene: Scene) -> None:
    """One message is taken out, with all that hangs on it, and the ledger computed anew."""
    _without(scene, 30)
    scene.compute()


def _without(scene: Scene, message: int) -> None:
    """As if this message had never come: rows, entries, content, keys."""
    permits = scene.sql("SELECT permit FROM deliveries WHERE message = ?", message)
    subjects = [f"message/{message}", *(f"delivery/{permit}" for (permit,) in permits)]
    marks = ", ".join("?" * len(subjects))
    places = f"(SELECT seq FROM ledger WHERE subject IN ({marks}))"
    for table in ("content", "data_keys"):
        scene.sql(f"DELETE FROM {table} WHERE seq IN {places}", *subjects)
    scene.sql(f"DELETE FROM ledger WHERE subject IN ({marks})", *subjects)
    for (permit,) in permits:
        scene.sql("DELETE FROM receipts WHERE permit = ?", permit)
    for table in ("deliveries", "reviews", "samples", "files", "verdicts"):
        scene.sql(f"DELETE FROM {table} WHERE message = ?", message)
    scene.sql("DELETE FROM messages WHERE id = ?", message)


sql("A delivery is deleted", "deliveries", "permit",
    "DELETE FROM receipts WHERE permit = (SELECT permit FROM deliveries WHERE id = 1)",
    "DELETE FROM deliveries WHERE id = 1")  # fmt: skip
sql("A delivery went to somebody else", "deliveries", "permit",
    "UPDATE deliveries SET conversation = 'wkWealth/wmStranger' WHERE id = 1")  # fmt: skip
sql(
    "A delivery is of another message",
    "deliveries",
    "permit",
    "UPDATE deliveries SET message = 3 WHERE id = 1",
)
sql(
    "A delivery rests on another verdict",
    "deliveries",
    "permit",
    "UPDATE deliveries SET verdict = 3 WHERE id = 1",
)
sql("A delivery was made earlier", "deliveries", "permit", "UPDATE deliveries SET done_at = 1 WHERE id = 1")
sql("A parked delivery arrived", "deliveries", "permit",
    "UPDATE deliveries SET state = 'sent' WHERE state IN ('parked', 'failed')")  # fmt: skip
sql("Deliveries trade their order", "deliveries", "permit",
    "UPDATE deliveries SET id = -1 WHERE id = 1", "UPDATE deliveries SET id = 1 WHERE id = 2",
    "UPDATE deliveries SET id = 2 WHERE id = -1")  # fmt: skip
sql("A receipt has another id", "receipts", "weixin", "UPDATE receipts SET id = 'forged' WHERE id = 'out4'")
sql("A receipt is of another delivery", "receipts", "weixin out4",
    "UPDATE receipts SET permit = (SELECT max(permit) FROM deliveries) WHERE id = 'out4'")  # fmt: skip
sql("A receipt is gone", "receipts", "weixin out4", "DELETE FROM receipts WHERE id = 'out4'")


@attack("deliveries", "permit")
def _(scene: Scene) -> None:
    """A delivery is backdated before its message was archived, in entries and all hashes."""
    archived, permitted = scene.seq("message:archived", 1), scene.seq("delivery:permitted", 1)
    first, second = scene.entry(archived), scene.entry(permitted)
    scene.put(second._replace(seq=archived, at=first.at))
    scene.rewrite(permitted, lambda _: first._replace(seq=permitted, at=second.at))
    scene.sign_anew()


# what was signed

sql("The newest checkpoints are removed", "checkpoints", "lane 0 size 246",
    "DELETE FROM checkpoints WHERE size >= 246")  # fmt: skip
sql("All checkpoints are removed", "checkpoints", "lane 0 size 35", "DELETE FROM checkpoints")
sql("A checkpoint says something else", "checkpoints", "lane 0 size 101",
    "UPDATE checkpoints SET note = replace(note, '101', '100') WHERE size = 101")  # fmt: skip


@attack("checkpoints", "lane 0 size 101")
def _(scene: Scene) -> None:
    """Two checkpoints trade places."""
    scene.swap("checkpoints", "note", "size", 101, 166)


@attack("anchors", "000000000101.note")
def _(scene: Scene) -> None:
    """A byte of an anchored checkpoint is flipped."""
    path = scene.notes()[1]
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(bytes(data))


@attack("anchors", "size 101")
def _(scene: Scene) -> None:
    """A checkpoint is taken out of our folder."""
    scene.notes()[1].unlink()


@attack("anchors", "000000000101.note")
def _(scene: Scene) -> None:
    """The log was forked: a second checkpoint of one size, with a good signature, lies in our folder."""
    fork = scene.signer().sign(0, 101, bytes(32))
    scene.notes()[1].write_text(fork)


sql("The installation has another name", "meta", "key installation",
    "UPDATE meta SET value = '0000000000000000' WHERE key = 'installation'")  # fmt: skip
sql("The installation has no name", "meta", "key installation", "DELETE FROM meta WHERE key = 'installation'")
sql("The count of pairs is another", "meta", "key pairs", "UPDATE meta SET value = '4' WHERE key = 'pairs'")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_and_named(scene: Scene, name: str) -> None:
    """A finding names the table and the key that were touched; none says what was written."""
    table, key, act = ATTACKS[name]
    act(scene)
    found = scene.findings()
    places = [(one.table, one.key) for one in found]
    assert any(one == table and key in place for one, place in places), places
    assert not any(word in str(one) for one in found for word in ("Good", "Gold", "Wong", "李雷", "%PDF"))


async def test_what_was_said_to_others_is_remembered(told: Path, tmp_path: Path) -> None:
    """Everything is rewritten alike, database, folder, signatures: one file that an auditor kept convicts."""
    scene = Scene(told, tmp_path / "store")
    kept = shutil.copy(scene.notes()[1], tmp_path / "what I was given.txt")
    scene.rewrite(5, lambda entry: entry._replace(facts={**entry.facts, "x": 1}))
    scene.sign_anew()
    for size, path in zip(scene.sizes(), scene.notes(), strict=True):
        path.write_bytes(scene.one("SELECT note FROM checkpoints WHERE size = ?", size))  # type: ignore[arg-type]
    assert not [one for one in scene.findings() if one.table in ("anchors", "checkpoints")]
    assert [one.key for one in scene.findings(kept) if one.table == "anchors"] == [str(kept)]


@pytest.mark.parametrize(
    "name",
    ["An entry is deleted from the middle", "A byte of sealed words is flipped", "An attachment is cut off"],
)
def test_the_command_ends_with_5_and_says_where(
    scene: Scene, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """What a person or a job sees: exit code 5, and table and key."""
    table, key, act = ATTACKS[name]
    act(scene)
    answer = Terminal(scene.folder, capsys).type("audit", "verify", "--json")
    assert answer.code == 5
    assert any(one.get("table") == table and key in one.get("key", "") for one in answer.records)


# --- nobody did anything --------------------------------------------------------------------------------


def test_a_store_with_everything_in_it_is_in_order(scene: Scene) -> None:
    """Edits, recalls, holds in every state, failures, attachments, changes, a second daemon."""
    assert scene.findings() == []
    assert scene.summary.messages == OTHER + 1
    assert scene.summary.blobs == 3


async def test_a_store_in_which_nothing_was_said_is_in_order(home: Path, tmp_path: Path) -> None:
    """Just made, and just begun."""
    story = Story(home)
    await story.store.own("daemon")
    await story.sign()
    assert Scene(story.folder, tmp_path / "first").findings() == []
    await story.pair()
    await story.sign()
    story.store.close()
    assert Scene(story.folder, tmp_path / "second").findings() == []


@pytest.mark.parametrize("finished", [False, True])
async def test_a_store_whose_keys_were_rotated_is_in_order(
    home: Path, tmp_path: Path, finished: bool
) -> None:
    """Amid a rotation, and after it: two store keys, then the new one alone."""
    story = await varied(home)
    KeyFile(story.folder / "secrets" / "store-key").renew()
    await story.store.write(lambda tx: rotation.rotate(tx, 0, REVIEWER, "yearly"))
    await story.archive(story.says("sealed under the new one"))
    if finished:
        await story.store.write(lambda tx: rotation.rewrap(tx, Position()))
        await story.store.write(lambda tx: rotation.rewrap_files(tx, ""))
        await story.store.write(lambda tx: rotation.retire(tx, 0, REVIEWER, "yearly"))
    story.store.close()
    assert Scene(story.folder, tmp_path / "copy").findings() == []


async def test_a_store_whose_daemon_died_is_in_order(home: Path, tmp_path: Path) -> None:
    """Deliveries in its hands, an attachment half kept, a checkpoint not yet outside."""
    story = await varied(home)
    await story.claim()
    scene = Scene(story.folder, tmp_path / "copy")
    story.store.close()
    scene.notes()[-1].unlink()
    (scene.folder / "blobs" / "new").mkdir(exist_ok=True)
    (scene.folder / "blobs" / "new" / "half").write_bytes(b"half an attachment")
    assert scene.findings() == []


def test_there_are_enough_attacks() -> None:
    """None took the name of another."""
    assert len(ATTACKS) >= 90

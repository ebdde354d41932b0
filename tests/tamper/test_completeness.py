"""Drop, duplicate, reorder or alter any single item at any stage: it is named. A clean day is never accused.

The store has a bit of everything (`story`), attachments, and a copy in an archive outside. A fault is done to
a copy of it behind everybody's back; then the day is reconciled, with networks that show what they have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from scene import Scene
from sqlalchemy import select
from story import Story, Ticking, copy_of_the_story, passed, pieces

from bridge.keepers import KeyFile
from bridge.ledger.entry import Entry, encode
from bridge.ledger.tree import leaf_hash
from bridge.message import SYMPHONY, WEIXIN, Blob, File, Kind, Sighting, sighting
from bridge.records.reconcile import Fault, Stage, What
from bridge.store import copies, reconciling
from bridge.store import schema as s
from bridge.store.codec import message_from
from bridge.store.database import open_engine

FILED = 61
"""A message with an attachment and a copy outside."""

ARCHIVE = "cards/vault"
COPY = f"copy {ARCHIVE} of message/{FILED}"
EXPORT = "export/9f86d081884c7d65"
FOREVER = 1 << 61


async def _told(folder: Path) -> None:
    """A message with an attachment, that an archive outside has, behind the story in a folder."""
    story = Story(folder, Ticking(1_790_200_000_000), ids=iter(range(9000, 9999)))  # type: ignore[arg-type]
    await story.store.own("the next daemon")
    await story.archive(story.says("one.pdf", files=(File("ref-one", "one.pdf", Kind.FILE),)))
    for wanted in await story.store.wanted_files(SYMPHONY, 9):
        digest, size = await story.store.keep(pieces(wanted.file.name.encode()), 1000)
        await story.store.settle_file(wanted, Blob(digest, size, wanted.file.name, Kind.FILE))
    waiting = await story.store.unjudged(99)
    await story.judge(*(replace(passed(one), archives=(ARCHIVE,)) for one in waiting))
    due = await story.store.read(lambda db: copies.due(db, copies.key_of(ARCHIVE), FOREVER, 99))
    kept = [copies.Kept(one, "ab" * 32, f"{one.message}.eml", "250 ok") for one in due]
    await story.store.write(lambda tx: copies.keep(tx, copies.key_of(ARCHIVE), kept))
    await story.deliver()
    facts = {"id": "9f86d081884c7d65", "format": "jsonl", "messages": 3, "excluded": 0, "sha256": "ab" * 32}
    body = b'{"reason":"asked for"}'
    await story.store.write(lambda tx: tx.append(0, "export:made", EXPORT, facts, body))
    story.store.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the store that is spoiled."""
    folder = tmp_path_factory.mktemp("told")
    copy_of_the_story(folder)
    asyncio.run(_told(folder))
    return folder


@dataclass
class Day:
    """A copy of the store, and what the networks have of the same day."""

    scene: Scene
    networks: dict[str, list[Sighting]]

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """Change the database behind everybody's back."""
        return self.scene.sql(statement, *values)

    def faults(self) -> list[Fault]:
        """What the reconciliation of the day finds."""
        engine = open_engine(f"sqlite:///{self.scene.path}", KeyFile(self.scene.folder / "secrets/store-key"))
        try:
            with engine.connect() as db, db.begin():
                day = reconciling.span(db, 0, 0, FOREVER)
                found = reconciling.reconcile(db, day, self.scene.folder / "blobs").faults
                for network, seen in self.networks.items():
                    asked = reconciling.recount(day, network, 1000)
                    known, permits = reconciling.look_up(db, network, seen)
                    found += [*asked.compare(seen, known, permits), *asked.rest()]
                    found += reconciling.surplus(db, day, asked, ())
                    if network == SYMPHONY:
                        found += reconciling.unseen_deliveries(db, day, asked)
                return found
        finally:
            engine.dispose()


def _shown(folder: Path) -> dict[str, list[Sighting]]:
    """What the networks show when they are asked: what they have shown, and what they took from us."""
    engine = open_engine(f"sqlite:///{folder}/weighbridge.db", KeyFile(folder / "secrets/store-key"))
    m, c, d, r = s.messages.c, s.content.c, s.deliveries.c, s.receipts.c
    shown: dict[str, list[Sighting]] = {SYMPHONY: [], WEIXIN: []}
    with engine.connect() as db:
        query = select(c.body).join(s.messages, (c.lane == m.lane) & (c.seq == m.entry)).order_by(m.id)
        for (body,) in db.execute(query.where(m.notice_for.is_(None))):
            message = message_from(body, b"")
            if message.kind not in (Kind.NOTE, Kind.RECALL, Kind.FAILED):
                shown[message.network].append(sighting(message))
        ours = select(d.permit, d.conversation, r.id, d.done_at, m.lane, m.entry)
        ours = ours.add_columns(s.verdicts.c.entry.label("verdict"))
        ours = ours.join(s.receipts, r.permit == d.permit).join(s.messages, m.id == d.message)
        ours = ours.join(s.verdicts, s.verdicts.c.id == d.verdict).order_by(d.done_at, d.id)
        for at, row in enumerate(db.execute(ours.where(d.network == SYMPHONY, d.state == "sent"))):
            text = f"Li Lei: {reconciling._passed(db, row)}"
            one = Sighting(SYMPHONY, row.conversation, row.id, at, permit=row.permit, ours=True, text=text)
            shown[SYMPHONY].append(one)
    engine.dispose()
    return shown


@pytest.fixture(scope="module")
def shown(told: Path) -> dict[str, list[Sighting]]:
    """What the networks have of the day."""
    return _shown(told)


@pytest.fixture
def day(told: Path, shown: dict[str, list[Sighting]], tmp_path: Path) -> Iterator[Day]:
    """A copy, to which nothing has happened yet."""
    one = Day(Scene(told, tmp_path), {network: list(seen) for network, seen in shown.items()})
    one.sql("PRAGMA foreign_keys = OFF")
    yield one
    one.scene.db.close()


# --- faults ---------------------------------------------------------------------------------------------

Done = Callable[[Day], str]
FAULTS: dict[str, tuple[Stage, What, Done]] = {}
"""By name: what a reconciliation has to say, and what is done; it gives the name that has to be said."""


def fault(stage: Stage, what: What) -> Callable[[Done], Done]:
    """Enter a fault, by the first line of what it says of itself."""

    def enter(done: Done) -> Done:
        assert done.__doc__
        FAULTS[done.__doc__.splitlines()[0]] = stage, what, done
        return done

    return enter


def sql(stage: Stage, what: What, told: str, name: str, *statements: str) -> None:
    """Enter a fault that takes nothing but SQL: what it says of itself, the name that has to be said."""

    def done(day: Day) -> str:
        for statement in statements:
            day.sql(statement)
        return name

    FAULTS[told] = stage, what, done


def _theirs(day: Day, network: str) -> list[int]:
    return [place for place, one in enumerate(day.networks[network]) if not one.ours]


def _ours(day: Day) -> list[int]:
    return [place for place, one in enumerate(day.networks[SYMPHONY]) if one.ours]


def _permit(day: Day) -> object:
    return day.scene.one(f"SELECT permit FROM deliveries WHERE message = {FILED}")


@fault(Stage.SOURCE, What.MISSING)
def _symphony_has_more(day: Day) -> str:
    """Symphony has a message that never came into the archive."""
    day.networks[SYMPHONY].insert(3, Sighting(SYMPHONY, "room-unknown", "s-lost", 5, "0" * 64))
    return "symphony/s-lost"


@fault(Stage.SOURCE, What.MISSING)
def _weixin_has_more(day: Day) -> str:
    """Weixin has a message that never came into the archive."""
    day.networks[WEIXIN].append(Sighting(WEIXIN, "wkWealth/wmLiLei", "w-lost", 5, "0" * 64))
    return "weixin/w-lost"


@fault(Stage.SOURCE, What.ALTERED)
def _symphony_says_else(day: Day) -> str:
    """A message reads otherwise in Symphony than in the archive."""
    place = _theirs(day, SYMPHONY)[2]
    one = day.networks[SYMPHONY][place]
    day.networks[SYMPHONY][place] = replace(one, digest="0" * 64)
    return f"symphony/{one.id}"


@fault(Stage.SOURCE, What.ALTERED)
def _weixin_says_else(day: Day) -> str:
    """A message reads otherwise in Weixin than in the archive."""
    one = day.networks[WEIXIN][0]
    day.networks[WEIXIN][0] = replace(one, digest="f" * 64)
    return f"weixin/{one.id}"


@fault(Stage.SOURCE, What.ALTERED)
def _source_has_another_chat(day: Day) -> str:
    """Weixin has a message in another client's chat than the archive."""
    one = day.networks[WEIXIN][0]
    day.networks[WEIXIN][0] = replace(one, conversation="wkWealth/wmSomebodyElse")
    return f"weixin/{one.id}"


@fault(Stage.SOURCE, What.SURPLUS)
def _symphony_lost_one(day: Day) -> str:
    """The archive has a message that Symphony does not have."""
    place = next(p for p in _theirs(day, SYMPHONY) if day.networks[SYMPHONY][p].id == "s9000")
    del day.networks[SYMPHONY][place]
    return "symphony/s9000"


@fault(Stage.SOURCE, What.REORDERED)
def _source_has_another_order(day: Day) -> str:
    """Weixin has one message of a conversation at another time than all the others."""
    one = day.networks[WEIXIN][0]
    day.networks[WEIXIN][0] = replace(one, at=FOREVER - 1)
    number = day.scene.one("SELECT id FROM messages WHERE source_id = ?", one.id)
    return f"message/{number}"


@fault(Stage.OUTBOX, What.MISSING)
def _ours_is_not_there(day: Day) -> str:
    """Symphony took something of ours, and does not have it."""
    one = day.networks[SYMPHONY].pop(_ours(day)[0])
    return f"delivery/{one.permit}"


@fault(Stage.OUTBOX, What.DUPLICATE)
def _ours_is_there_twice(day: Day) -> str:
    """Symphony shows something of ours twice."""
    one = day.networks[SYMPHONY][_ours(day)[0]]
    day.networks[SYMPHONY].append(replace(one, id="again"))
    return f"delivery/{one.permit}"


@fault(Stage.OUTBOX, What.SURPLUS)
def _not_ours_in_our_name(day: Day) -> str:
    """Somebody wrote in the name of the bridge, by a permit that was never made."""
    forged = Sighting(SYMPHONY, "room-li-lei", "forged", 9, permit="z" * 20, ours=True)
    day.networks[SYMPHONY].append(forged)
    return "symphony/forged"


@fault(Stage.OUTBOX, What.SURPLUS)
def _written_by_hand(day: Day) -> str:
    """Somebody wrote in the name of the bridge, and named no permit."""
    day.networks[SYMPHONY].append(Sighting(SYMPHONY, "room-li-lei", "by-hand", 9, ours=True, text="sell"))
    return "symphony/by-hand"


@fault(Stage.OUTBOX, What.SURPLUS)
def _like_a_checkpoint(day: Day) -> str:
    """Somebody wrote in the name of the bridge what calls itself a checkpoint."""
    forged = Sighting(SYMPHONY, "a", "like", 9, permit="checkpoint/0/1", ours=True, text="sell")
    day.networks[SYMPHONY].append(forged)
    return "symphony/like"


@fault(Stage.OUTBOX, What.ALTERED)
def _ours_reads_otherwise(day: Day) -> str:
    """Symphony shows something of ours with other words."""
    place = _ours(day)[0]
    one = day.networks[SYMPHONY][place]
    day.networks[SYMPHONY][place] = replace(one, text="Li Lei: sell everything")
    return f"delivery/{one.permit}"


@fault(Stage.OUTBOX, What.ALTERED)
def _ours_is_elsewhere(day: Day) -> str:
    """Symphony shows something of ours in another client's room."""
    place = _ours(day)[0]
    one = day.networks[SYMPHONY][place]
    day.networks[SYMPHONY][place] = replace(one, conversation="room-of-another-client")
    return f"delivery/{one.permit}"


@fault(Stage.OUTBOX, What.REORDERED)
def _ours_has_another_order(day: Day) -> str:
    """Symphony shows something of ours after what was sent later."""
    place = _ours(day)[0]
    one = day.networks[SYMPHONY][place]
    day.networks[SYMPHONY][place] = replace(one, at=FOREVER - 1)
    return f"delivery/{one.permit}"


@fault(Stage.OUTBOX, What.MISSING)
def _all_of_ours_is_gone(day: Day) -> str:
    """Symphony has nothing at all of what it took from us."""
    one = day.networks[SYMPHONY][_ours(day)[0]]
    day.networks[SYMPHONY] = [one for one in day.networks[SYMPHONY] if not one.ours]
    return f"delivery/{one.permit}"


sql(Stage.ARCHIVE, What.MISSING, "The row of a message is deleted.", "message/7",
    "DELETE FROM messages WHERE id = 7")  # fmt: skip


sql(Stage.ARCHIVE, What.SURPLUS, "An entry of the ledger can no longer be read.", "message/7",
    "UPDATE ledger SET entry = x'00' WHERE seq = (SELECT entry FROM messages WHERE id = 7)")  # fmt: skip
sql(Stage.ARCHIVE, What.ALTERED, "The place of a message's entry is no number.", "message/7",
    "UPDATE messages SET entry = 'x' WHERE id = 7")  # fmt: skip


@fault(Stage.ARCHIVE, What.SURPLUS)
def _row_twice(day: Day) -> str:
    """The row of a message is there twice, under another number and id."""
    columns = "lane, network, conversation, sender, kind, archived_at, state, pair, notice_for"
    statement = f"INSERT INTO messages (id, entry, source_id, {columns}) SELECT 900, entry, 'x', {columns}"
    day.sql(f"{statement} FROM messages WHERE id = {FILED}")
    return "message/900"


sql(Stage.ARCHIVE, What.ALTERED, "A message is said to have come at another time.", "message/1",
    "UPDATE messages SET archived_at = 1 << 50 WHERE id = 1")  # fmt: skip
sql(Stage.ARCHIVE, What.ALTERED, "A client's message is said to be the bridge's own.", f"message/{FILED}",
    f"UPDATE messages SET notice_for = 1 WHERE id = {FILED}")  # fmt: skip
for _column in ("conversation", "sender", "source_id"):
    sql(Stage.ARCHIVE, What.ALTERED, f"The column {_column} of the bridge's own word is changed.",
        "message/4", f"UPDATE messages SET {_column} = 'other' WHERE id = 4")  # fmt: skip
for _column in ("source_id", "sender", "conversation", "kind", "network"):
    sql(Stage.ARCHIVE, What.ALTERED, f"The column {_column} of a message is changed.", f"message/{FILED}",
        f"UPDATE messages SET {_column} = 'voice' WHERE id = {FILED}")  # fmt: skip


@fault(Stage.ARCHIVE, What.REORDERED)
def _rows_trade(day: Day) -> str:
    """Two messages trade their numbers' entries."""
    day.scene.swap("messages", "entry", "id", 5, 6)
    return "message/5"


sql(Stage.ARCHIVE, What.MISSING, "What a message says is deleted.", "message/2",
    "DELETE FROM content WHERE seq = (SELECT entry FROM messages WHERE id = 2)")  # fmt: skip
sql(Stage.ARCHIVE, What.MISSING, "The key of a message that nobody disposed of is deleted.", "message/2",
    "DELETE FROM data_keys WHERE seq = (SELECT entry FROM messages WHERE id = 2)")  # fmt: skip


for _part in ("body", "raw", "salt"):

    def _content_flipped(day: Day, part: str = _part) -> str:
        day.scene.flip("content", part, "seq = (SELECT entry FROM messages WHERE id = 2)")
        return "message/2"

    _content_flipped.__doc__ = f"One byte of a message's {_part} is changed."
    fault(Stage.ARCHIVE, What.ALTERED)(_content_flipped)


sql(Stage.ARCHIVE, What.ALTERED, "The row of an attachment names another file.", f"file 0 of message/{FILED}",
    f"UPDATE files SET digest = 'ff' WHERE message = {FILED}")  # fmt: skip
sql(Stage.ARCHIVE, What.MISSING, "The row of an attachment is deleted.", f"file 0 of message/{FILED}",
    f"DELETE FROM files WHERE message = {FILED}")  # fmt: skip


@fault(Stage.ARCHIVE, What.MISSING)
def _blob_dropped(day: Day) -> str:
    """The bytes of an attachment are deleted."""
    day.scene.blob(FILED).unlink()
    return f"file 0 of message/{FILED}"


@fault(Stage.ARCHIVE, What.ALTERED)
def _blob_changed(day: Day) -> str:
    """One byte of an attachment is changed."""
    path = day.scene.blob(FILED)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    return f"file 0 of message/{FILED}"


@fault(Stage.ARCHIVE, What.ALTERED)
def _blob_emptied(day: Day) -> str:
    """An attachment is there, and empty."""
    path = day.scene.blob(FILED)
    path.chmod(0o600)
    path.write_bytes(b"")
    return f"file 0 of message/{FILED}"


sql(Stage.ARCHIVE, What.MISSING, "The key of an attachment is deleted.", f"file 0 of message/{FILED}",
    "DELETE FROM file_keys")  # fmt: skip


@fault(Stage.ARCHIVE, What.ALTERED)
def _file_key_flipped(day: Day) -> str:
    """One byte of the key of an attachment is changed."""
    day.scene.flip("file_keys", "wrapped", f"digest = (SELECT digest FROM files WHERE message = {FILED})")
    return f"file 0 of message/{FILED}"


for _state in ("noted", "recalled", "blocked"):
    sql(Stage.VERDICT, What.ALTERED, f"A message that passed is said to be {_state}.", f"message/{FILED}",
        f"UPDATE messages SET state = '{_state}' WHERE id = {FILED}")  # fmt: skip
sql(Stage.VERDICT, What.MISSING, "A verdict is deleted.", f"verdict of message/{FILED}",
    f"DELETE FROM verdicts WHERE message = {FILED}")  # fmt: skip
sql(Stage.VERDICT, What.ALTERED, "A verdict is another one.", f"verdict of message/{FILED}",
    f"UPDATE verdicts SET outcome = 'block' WHERE message = {FILED}")  # fmt: skip


sql(Stage.VERDICT, What.ALTERED, "A verdict was given at another time.", f"verdict of message/{FILED}",
    f"UPDATE verdicts SET at = 1 WHERE message = {FILED}")  # fmt: skip


@fault(Stage.VERDICT, What.ALTERED)
def _verdict_body_changed(day: Day) -> str:
    """What a verdict rested on is changed."""
    day.scene.flip("content", "body", f"seq = (SELECT entry FROM verdicts WHERE message = {FILED})")
    return f"verdict of message/{FILED}"


@fault(Stage.VERDICT, What.SURPLUS)
def _verdict_forged(day: Day) -> str:
    """A verdict is there that was never given."""
    day.sql("INSERT INTO verdicts SELECT 900, message, 1, 'deliver', cause, at FROM verdicts WHERE id = 9")
    message = day.scene.one("SELECT message FROM verdicts WHERE id = 900")
    return f"verdict 900 of message/{message}"


@fault(Stage.VERDICT, What.REORDERED)
def _verdicts_trade(day: Day) -> str:
    """Two verdicts trade their places."""
    day.scene.swap("verdicts", "entry, message, outcome, cause", "id", 4, 5)
    return "verdict/4"


@fault(Stage.OUTBOX, What.MISSING)
def _delivery_dropped(day: Day) -> str:
    """A delivery is deleted."""
    permit = _permit(day)
    day.sql("DELETE FROM deliveries WHERE permit = ?", permit)
    return f"delivery/{permit}"


sql(Stage.OUTBOX, What.MISSING, "What may pass has no delivery.", f"delivery of message/{FILED}",
    f"DELETE FROM deliveries WHERE message = {FILED}")  # fmt: skip


@fault(Stage.OUTBOX, What.DUPLICATE)
def _delivery_twice(day: Day) -> str:
    """A delivery is there twice."""
    columns = "message, verdict, lane, network, conversation, marks, state, next_at"
    statement = f"INSERT INTO deliveries (id, permit, {columns}) SELECT 900, '{'y' * 20}', {columns}"
    day.sql(f"{statement} FROM deliveries WHERE message = {FILED}")
    return f"delivery/{'y' * 20}"


@fault(Stage.OUTBOX, What.SURPLUS)
def _delivery_forged(day: Day) -> str:
    """A delivery is there that nobody permitted."""
    _delivery_twice(day)
    return f"delivery/{'y' * 20}"


@fault(Stage.OUTBOX, What.ALTERED)
def _delivery_elsewhere(day: Day) -> str:
    """A delivery goes to another message's reader."""
    permit = _permit(day)
    day.sql("UPDATE deliveries SET message = 1 WHERE permit = ?", permit)
    return f"delivery/{permit}"


@fault(Stage.OUTBOX, What.ALTERED)
def _delivery_set_back(day: Day) -> str:
    """What was sent is marked to be sent again."""
    permit = _permit(day)
    day.sql("UPDATE deliveries SET state = 'ready' WHERE permit = ?", permit)
    return f"delivery/{permit}"


for _change, _how in (
    ("conversation = 'wkWealth/wmSomebodyElse'", "names another client's chat"),
    ("verdict = 1", "rests on another verdict"),
    ("verdict = 9999", "rests on a verdict that is not there"),
    ("marks = 'late'", "has other marks"),
    ("done_at = 5", "was done at another time"),
):

    def _delivery_changed(day: Day, change: str = _change) -> str:
        permit = _permit(day)
        day.sql(f"UPDATE deliveries SET {change} WHERE permit = ?", permit)
        return f"delivery/{permit}"

    _delivery_changed.__doc__ = f"A delivery {_how}."
    fault(Stage.OUTBOX, What.ALTERED)(_delivery_changed)


@fault(Stage.OUTBOX, What.DUPLICATE)
def _said_to_be_anew(day: Day) -> str:
    """A second delivery is there, and the first is said to have been sent anew."""
    name = _delivery_twice(day)
    day.sql(f"UPDATE deliveries SET reason = 'sent anew' WHERE message = {FILED}")
    return name


def _told_again(day: Day, kind: str, permit: object, **facts: object) -> str:
    """The house wrote one more entry about a delivery."""
    last = day.scene.entry(int(str(day.scene.one("SELECT max(seq) FROM ledger"))))
    subject, seq = f"delivery/{permit}", last.seq + 1
    entry = Entry(0, seq, last.at, kind, subject, {"message": FILED, "attempt": 1} | facts, "")
    data = encode(entry)
    day.sql("INSERT INTO ledger VALUES (0, ?, ?, ?, ?)", seq, subject, data, leaf_hash(data))
    return subject


@fault(Stage.OUTBOX, What.DUPLICATE)
def _sent_again(day: Day) -> str:
    """A delivery was sent a second time by its permit, and its row put back."""
    return _told_again(day, "delivery:sent", _permit(day), ids=[])


@fault(Stage.OUTBOX, What.SURPLUS)
def _sent_by_no_permit(day: Day) -> str:
    """A delivery was sent by another name, and its row put back."""
    return _told_again(day, "delivery:sent", "q" * 20, ids=[])


@fault(Stage.OUTBOX, What.ALTERED)
def _stopped(day: Day) -> str:
    """A delivery was stopped because its row had been changed, and the row put back."""
    permit = _permit(day)
    _told_again(day, "delivery:parked", permit, reason="altered")
    day.sql("UPDATE deliveries SET state = 'parked', done_at = 0 WHERE permit = ?", permit)
    return f"delivery/{permit}"


@fault(Stage.OUTBOX, What.REORDERED)
def _deliveries_trade(day: Day) -> str:
    """Two deliveries trade their places in the outbox."""
    permits = [
        permit for (permit,) in day.sql("SELECT permit FROM deliveries WHERE id IN (3, 4) ORDER BY id")
    ]
    for number, permit in ((-3, permits[1]), (-4, permits[0])):
        day.sql("UPDATE deliveries SET id = ? WHERE permit = ?", number, permit)
    day.sql("UPDATE deliveries SET id = -id WHERE id < 0")
    return f"delivery/{permits[1]}"


@fault(Stage.OUTBOX, What.ALTERED)
def _receipt_dropped(day: Day) -> str:
    """A network's receipt is deleted."""
    permit = _permit(day)
    day.sql("DELETE FROM receipts WHERE permit = ?", permit)
    return f"delivery/{permit}"


sql(Stage.SINK, What.MISSING, "It is forgotten that an archive outside has a copy.",
    COPY, f"DELETE FROM copies WHERE message = {FILED}")  # fmt: skip
sql(Stage.SINK, What.ALTERED, "A copy outside is said to be another one.",
    COPY, f"UPDATE copies SET sha256 = 'cd' WHERE message = {FILED}")  # fmt: skip
sql(Stage.SINK, What.SURPLUS, "An archive is said to have a copy that it never acknowledged.",
    COPY, f"UPDATE copies SET entry = -1 WHERE message = {FILED}")  # fmt: skip
sql(Stage.SINK, What.SURPLUS, "An archive is said to have a copy that another entry is about.",
    COPY, f"UPDATE copies SET entry = 3 WHERE message = {FILED}")  # fmt: skip
sql(
    Stage.SINK,
    What.SURPLUS,
    "A copy that is still wanted is said to have been kept.",
    "copy cards/other of message/1",
    "INSERT INTO copies (message, destination, revision, lane, state, since, upto, sha256, entry) SELECT 1, "
    f"'cards/other', revision, lane, state, since, upto, sha256, entry FROM copies WHERE message = {FILED}",
)
sql(Stage.ARCHIVE, What.MISSING, "A message is gone, and a row says that it was disposed of, by no entry.",
    "message/2",
    "DELETE FROM content WHERE seq = (SELECT entry FROM messages WHERE id = 2)",
    "INSERT INTO disposed SELECT id, 1, 0, entry FROM messages WHERE id = 2")  # fmt: skip


@fault(Stage.EXPORT, What.ALTERED)
def _export_changed(day: Day) -> str:
    """What an export says of itself is changed."""
    day.scene.flip("content", "body", f"seq = (SELECT seq FROM ledger WHERE subject = '{EXPORT}')")
    return EXPORT


sql(Stage.EXPORT, What.MISSING, "What an export says of itself is deleted.", EXPORT,
    f"DELETE FROM content WHERE seq = (SELECT seq FROM ledger WHERE subject = '{EXPORT}')")  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_named(day: Day, name: str) -> None:
    """Whatever one item it is done to: the stage, what was done, and the item are said."""
    stage, what, done = FAULTS[name]
    wanted = done(day)
    assert (stage, what, wanted) in [one[:3] for one in day.faults()]


def test_a_clean_day_is_not_accused(day: Day) -> None:
    """A day with edits, recalls, holds, retries and late failures is complete."""
    assert day.faults() == []


def test_what_a_network_shows_twice_is_only_counted(day: Day) -> None:
    """Networks repeat themselves: that is no fault of anybody's."""
    day.networks[WEIXIN].append(day.networks[WEIXIN][0])
    assert day.faults() == []

"""Conversations by day: everything in them, who was there, and no more than a day in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from postgres import Server
from sqlalchemy import Connection
from story import ACCOUNT, ALICE, LI_LEI, REVIEWER, SHOWN, STREAM, Story, copy_of_the_story
from test_copying import move

from bridge.keepers import KeyFile
from bridge.message import SYMPHONY, Party, Receipt
from bridge.people import Pair
from bridge.ports import Step
from bridge.records.transcript import BRIDGE, Came, Line, Slice
from bridge.store.attachments import Attachments
from bridge.store.documents import documents, last_number
from bridge.store.engines import open_engine
from bridge.store.talks import Naming
from bridge.store.transcripts import NEVER_HAD, PENDING, Transcripts
from bridge.store.vault import vault_of

NAMING = Naming("w.example", ("weixin=CN",))


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A connection to a copy of the varied store."""
    folder = tmp_path_factory.mktemp("transcripts")
    with _connected(folder, copy_of_the_story(folder)) as connection:
        yield connection


@contextmanager
def _connected(folder: Path, path: Path) -> Iterator[Connection]:
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.info["blobs"] = folder / "blobs"
        yield connection
    engine.dispose()


def transcripts(db: Connection, zone: str = "UTC") -> Transcripts:
    """The conversations of the store."""
    return Transcripts(db, NAMING, Attachments(db.info["blobs"], vault_of(db)), ZoneInfo(zone))


def slices(db: Connection, **more: object) -> list[Slice]:
    """All slices of the store."""
    every = documents(db, range(1, last_number(db) + 1))
    return [one for run in transcripts(db).runs(every, **more) for one in run.slices]  # type: ignore[arg-type]


def line(db: Connection, text: str) -> Line:
    """The message with this text."""
    return next(line for one in slices(db) for line in one.lines if line.text == text)


def test_every_message_is_in_one_slice(db: Connection) -> None:
    """Once each, in the order of numbers within its conversation."""
    found = slices(db)
    numbers = sorted(line.number for one in found for line in one.lines)
    assert numbers == list(range(1, last_number(db) + 1))
    for one in found:
        mine = [line.number for line in one.lines]
        assert mine == sorted(mine)


def test_versions_are_linked_to_what_they_replace(db: Connection) -> None:
    """An edit names the message before, a recall the one that it takes back."""
    assert line(db, "Good morning, 李雷").edits == 1
    recall = line(db, "[Recalled]")
    taken = line(db, "ten 4111111111111111")
    assert recall.recalls == taken.number


def test_the_other_side_saw_what_its_network_was_given(db: Connection) -> None:
    """Word by word, with marks, masks, quotes and texts below; of what never arrived, nothing."""
    kinds = set()
    for one in (line for slice in slices(db) for line in slice.lines):
        arrived = [SHOWN[passed.permit] for passed in one.deliveries if passed.state == "sent"]
        assert (one.sent, one.sent_quote) == ((arrived[-1].text, arrived[-1].quote) if arrived else ("", ""))
        assert one.delivered == bool(arrived)
        kinds.add((one.kind, bool(arrived), one.sent == one.text, bool(one.sent_quote)))
        kinds |= {passed.state for passed in one.deliveries}
    assert kinds >= {"sent", "dropped", "parked", "failed", "claimed", "ready"}
    assert ("text", True, False, True) in kinds
    assert any(one.sent.endswith("\n不构成建议。") for slice in slices(db) for one in slice.lines)


def test_nobody_reads_what_did_not_arrive(db: Connection) -> None:
    """Blocked, held, rejected, taken back, or a remark of the network: nobody on the other side."""
    for one in (line for slice in slices(db) for line in slice.lines):
        other = {reader.network for reader in one.readers} - {one.network}
        assert bool(other) == ((one.delivered or one.partly) and one.notice_for is None)
        assert one.kind != "note" or not one.readers


def test_what_arrived_in_part_is_neither_seen_nor_unseen(db: Connection) -> None:
    """The network's ids of what it took, the words, since when, and who could read it; dropped or not."""
    for text, state in (("to stay", "parked"), ("to be given up", "dropped")):
        one = line(db, text)
        (passed,) = one.deliveries
        assert (passed.state, passed.partly, one.partly, one.unknown) == (state, True, True, False)
        assert [word[:4] for word in passed.receipts] == ["part"]
        assert passed.at > one.at
        assert one.offered == text
        assert (one.sent, [reader.name for reader in one.readers]) == ("", [LI_LEI.name])


BOB = Party(SYMPHONY, "7002", "Bob Li", REVIEWER, "en")
HOUR = 3_600_000


async def _in_part(folder: Path) -> None:
    """A part reaches 李雷, and two reach Alice's side, before others come and go; the rest is given up, or
    follows."""
    story = Story(folder)
    await story.begin()
    for message in (story.says("to 李雷"), story.answers("the rest never"), story.answers("the rest later")):
        await story.archive(message)
        await story.judge()
        part = Receipt((f"part{next(story.ids)}",))
        permit = await story.refuse(Step.PARK, "too-large", receipt=part)
        if message.text == "the rest never":
            given_up = permit
    story.clock.at += HOUR
    await story.store.make_pair(Pair(BOB, STREAM, LI_LEI, ACCOUNT).record(), REVIEWER, "joins")
    await story.store.drop_delivery(given_up, REVIEWER, "said by telephone")
    await story.store.retry_delivery(permit, REVIEWER, "smaller now")
    await story.deliver()
    for pair in (1, 2):
        await story.store.end_pair(pair, REVIEWER, "moved")
    story.store.close()


def test_who_could_read_a_part_is_who_was_there_when_it_arrived(tmp_path: Path) -> None:
    """Not who was there when the rest was given up: neither is one left out who has gone by then, nor is one
    named who came later, but by a part that came later."""
    asyncio.run(_in_part(tmp_path))
    with _connected(tmp_path, tmp_path / "weighbridge.db") as db:
        names = {text: [one.name for one in line(db, text).readers] for text in ("to 李雷", "the rest never")}
        later = line(db, "the rest later")
        (dropped,) = line(db, "to 李雷").deliveries
    assert names == {"to 李雷": ["李雷"], "the rest never": ["Alice Wong"]}
    assert [one.name for one in later.readers] == ["Alice Wong", "Bob Li"]
    (sent,) = later.deliveries
    assert (len(sent.arrived), sent.arrived[-1]) == (2, sent.at)
    assert (dropped.state, len(dropped.arrived)) == ("dropped", 1)
    assert dropped.at - dropped.arrived[0] >= HOUR


def test_what_people_decide_about_deliveries_is_a_decision(tmp_path: Path) -> None:
    """Put back, dropped: by whom, why and when, beside the verdicts and in the order of time."""
    asyncio.run(_in_part(tmp_path))
    with _connected(tmp_path, tmp_path / "weighbridge.db") as db:
        never, later = line(db, "the rest never"), line(db, "the rest later")
        assert len(line(db, "to 李雷").decisions) == 1  # that its pair ended is nobody's decision about it
    for one, said in ((never, ("dropped", "said by telephone")), (later, ("retried", "smaller now"))):
        verdict, act = one.decisions
        assert (verdict.person, verdict.permit) == ("", "")
        assert (act.outcome, act.reason, act.cause, act.person) == (*said, "person", REVIEWER)
        assert (act.permit, act.at > verdict.at) == (one.deliveries[0].permit, True)


def test_what_a_reviewer_found_is_a_decision(db: Connection) -> None:
    """Of a message that was drawn after it had passed."""
    (found,) = [
        one
        for slice in slices(db)
        for line in slice.lines
        for one in line.decisions
        if one.outcome == "reviewed"
    ]
    assert (found.person, found.reason) == (REVIEWER, "nothing to object to")


def test_what_is_under_way_may_have_arrived(db: Connection) -> None:
    """Claimed, or with an attempt that ended without an answer: nobody knows. What is due has not gone."""
    one, due, lost = (line(db, text) for text in ("on its way", "next in line", "lost on the way"))
    assert (one.unknown, one.offered, one.readers) == (True, "on its way", ())
    assert [(other.unknown, other.offered) for other in (due, lost)] == [(False, ""), (False, "")]


def test_what_failed_is_not_seen_in_part_by_dropping_it(db: Connection) -> None:
    """The network said that it never arrived: it stays so, whatever became of the permit."""
    failed, _ = line(db, "lost, then sent anew").deliveries
    assert (failed.state, failed.failed, failed.partly, failed.unknown) == ("dropped", True, False, False)
    assert failed.receipts


def test_receipts_are_what_the_networks_know_a_delivery_by(db: Connection) -> None:
    """Every delivery that arrived has its ids."""
    for one in (line for slice in slices(db) for line in slice.lines):
        assert all(passed.receipts for passed in one.deliveries if passed.state == "sent")


def test_a_notice_stands_in_the_conversation_that_it_is_about(db: Connection) -> None:
    """The bridge's own words are said by the bridge, to whoever was on that network."""
    notices = [
        (one, line) for one in slices(db) for line in one.lines if line.notice_for is not None and line.text
    ]
    (one, told) = next(
        (one, line) for one, line in notices if line.text == "Your message is held for review."
    )
    assert (one.key, told.sender.role) == ("pair/1", BRIDGE)
    assert [reader.address for reader in told.readers] == [ALICE.address]


def test_people_join_and_leave_when_their_pair_begins_and_ends(db: Connection) -> None:
    """A pair that was made and ended in a day is a joining and a leaving of each of the two."""
    told = transcripts(db).talks.of_pair[2]
    came = told.came(0, 1 << 60)
    assert [(one.party.id, one.joined) for one in came] == [
        (ALICE.id, True),
        ("wmHanMei", True),
        (ALICE.id, False),
        ("wmHanMei", False),
    ]
    assert told.present(came[0].at) == tuple(one.party for one in came[:2])
    assert told.present(came[2].at) == ()


def test_a_conversation_of_nobody_known_has_its_own_slice(db: Connection) -> None:
    """A stranger is exported as what he is: without readers, with an address all the same."""
    stranger = line(db, "在吗？")
    assert stranger.readers == ()
    assert stranger.sender.address.startswith("wmstranger-")
    assert stranger.origin == "CN"


def test_attachments_are_there_or_say_why_not(db: Connection) -> None:
    """One with the digest of its own bytes, one that the network never gave."""
    report, lost = line(db, "The report").files[0], line(db, "And this").files[0]
    assert (len(report.digest), report.missing) == (64, "")
    assert (lost.digest, lost.missing) == ("", NEVER_HAD)
    fetched = [
        file for one in slices(db) for line in one.lines for file in line.files if file.name == "photo.jpg"
    ]
    assert [file.missing for file in fetched] == [PENDING]


def test_days_are_those_of_the_desk(db: Connection) -> None:
    """The same messages fall into other days elsewhere, and none is lost between two."""
    every = list(documents(db, range(1, last_number(db) + 1)))
    for zone in ("UTC", "Asia/Hong_Kong", "America/New_York"):
        runs = list(transcripts(db, zone).runs(every))
        for run in runs:
            for one in run.slices:
                local = ZoneInfo(zone)
                assert all(_day(line.at, local) == one.day for line in one.lines)


def _day(at: int, zone: ZoneInfo) -> object:
    from datetime import datetime

    return datetime.fromtimestamp(at / 1000, zone).date()


def test_a_large_day_is_given_out_in_runs(db: Connection) -> None:
    """No run has more than was allowed, pieces are counted, joins are told once, nothing is lost."""
    whole, runs = slices(db), slices(db, most=4)
    assert all(sum(1 for _ in one.lines) <= 4 for one in runs)
    pieces = [(one.day, one.key, one.piece) for one in runs]
    assert len(pieces) == len(set(pieces)) > len(whole)

    def items(found: list[Slice]) -> list[object]:
        return sorted((type(i).__name__, i.at, repr(i)) for one in found for i in one.items)

    assert items(whole) == items(runs)
    assert sum(isinstance(item, Came) for one in runs for item in one.items) >= 2


def test_reading_goes_on_where_a_day_began(db: Connection) -> None:
    """A run says before which message its day begins: read from there, the day is the same."""
    every = list(documents(db, range(1, last_number(db) + 1)))
    runs = list(transcripts(db).runs(every))
    last = runs[-1]
    again = transcripts(db).runs([one for one in every if one.number > last.after], after=last.after)
    assert next(again).slices == last.slices


def test_people_are_named_as_the_directory_names_them(db: Connection) -> None:
    """The advisor by his own address, the client by one that is made."""
    talk = transcripts(db).talks.of_pair[1]
    alice, client = talk.by_id["symphony", ALICE.id], talk.by_id["weixin", LI_LEI.id]
    assert (alice.address, client.name) == (ALICE.address, LI_LEI.name)
    assert client.address.endswith("@w.example")
    assert (talk.title, talk.origin) == ("Alice Wong ↔ 李雷", "CN")


def test_a_server_tells_the_same(db: Connection, tmp_path: Path, postgres: Server) -> None:
    """Arrivals, versions and files are asked in its own words: the same conversations come out."""
    server, path = postgres.fresh(), copy_of_the_story(tmp_path)
    move(tmp_path, f"sqlite:///{path}", server)
    engine = open_engine(server, KeyFile(tmp_path / "secrets/store-key"))
    with engine.connect() as connection:
        connection.info["blobs"] = tmp_path / "blobs"
        assert slices(connection) == slices(db)
    engine.dispose()


def test_what_became_of_a_message_is_known_wherever_it_lies(db: Connection) -> None:
    """A later version, a recall: not what the export does not have yet; of what it leaves out no words."""
    original = next(one for one in documents(db, [1]))
    held = line(db, "ten 4111111111111111")
    assert [(one.number, one.recall, one.text) for one in line(db, original.text).later] == [
        (line(db, "Good morning, 李雷").number, False, "Good morning, 李雷")
    ]
    assert [(one.recall, one.here) for one in held.later] == [(True, True)]
    assert line(db, "[Recalled]").taken == held.text
    for has, expected in ((None, []), (False, [(False, "")])):
        asked = transcripts(db)
        asked.has = lambda _, has=has: has  # type: ignore[misc]
        (run,) = asked.runs([original])
        assert [(one.here, one.text) for one in next(run.slices[0].lines).later] == expected


def test_what_many_versions_say_of_each_other_grows_with_their_number(tmp_path: Path) -> None:
    """A bot edits one message over and over: each names the next and the last, and each is opened a few times
    in all, not once for each before it."""
    opened = []
    for count in (10, 40):
        folder = tmp_path / str(count)
        folder.mkdir()
        asyncio.run(_edited(folder, count))
        with _connected(folder, folder / "weighbridge.db") as db:
            asked = transcripts(db)
            tried: list[int] = []
            asked.has = lambda one, tried=tried: bool(tried.append(one.number)) or True  # type: ignore[misc]
            (run,) = asked.runs(documents(db, range(1, count + 2)))
            lines = list(run.slices[0].lines)
        assert [len(one.later) for one in lines] == [2] * (count - 1) + [1, 0]
        assert lines[0].versions == count
        opened.append(len(tried))
    assert opened[1] <= 4 * opened[0] + 4


async def _edited(folder: Path, count: int) -> None:
    story = Story(folder)
    await story.begin()
    first = story.says("word")
    await story.archive(first)
    for number in range(count):
        await story.archive(story.says(f"word {number}", replaces=first.id))
    while await story.judge():
        pass
    story.store.close()

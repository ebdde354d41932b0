"""Intake: kept once, with the cursor, the attachments and the reply window in the same step."""

from __future__ import annotations

from typing import Any

import pytest
from rig import CONTACT, START, STREAM, Hands, batch, message
from sqlalchemy import select

from bridge.errors import StoreError
from bridge.message import SYMPHONY, WEIXIN, Batch, Blob, File, Inspection, Kind
from bridge.ports import Step
from bridge.store.context import CLOCKS_APART
from bridge.store.schema import content

BLOB = Blob("ab" * 32, 3, "a.txt")


def with_files(number: int, *names: str, **more: Any) -> Any:
    """A message from Symphony with these attachments."""
    files = tuple(File(f"ref-{name}", name, media_type="text/plain") for name in names)
    return message(SYMPHONY, number, "see", kind=Kind.FILE, files=files, **more)


# --- once -----------------------------------------------------------------------------------------------


async def test_a_second_delivery_is_passed_over(hands: Hands) -> None:
    """What comes twice, in a batch or in a later one, is archived once; its first form stays."""
    first = message(WEIXIN, 1, "hello")
    assert await hands.archive(first, message(WEIXIN, 1, "other words"), message(WEIXIN, 2)) == 2
    assert await hands.archive(message(WEIXIN, 2, "again"), message(WEIXIN, 3)) == 1
    assert await hands.rows("SELECT source_id FROM messages ORDER BY id") == [("1",), ("2",), ("3",)]
    assert [one.message.text for one in await hands.store.unjudged(9)] == ["hello", "hello", "hello"]
    assert len(await hands.entries("message:archived")) == 3


async def test_batches_that_are_kept_together_count_their_own(hands: Hands) -> None:
    """Each says how many of its messages were new; what two of them bring is the first one's, and the last
    position of a stream is the one that stays."""
    await hands.archive(message(WEIXIN, 1))
    batches = [
        batch(message(WEIXIN, 1), message(WEIXIN, 2), cursors={"position": "2"}),
        batch(message(SYMPHONY, 2)),
        batch(message(WEIXIN, 2, "again"), message(WEIXIN, 3), cursors={"position": "3"}),
        batch(message(WEIXIN, 3)),
    ]
    assert await hands.store.write(lambda tx: hands.store._archive(tx, batches)) == [1, 1, 1, 0]
    assert [one.message.id for one in await hands.store.unjudged(9)] == ["1", "2", "2", "3"]
    assert await hands.store.cursors(WEIXIN) == {"position": "3"}
    assert await hands.rows("SELECT network, inbound FROM chats ORDER BY network") == [
        (SYMPHONY, 1),
        (WEIXIN, 3),
    ]


async def test_networks_do_not_share_ids(hands: Hands) -> None:
    """The same id on the two networks names two messages."""
    assert await hands.archive(message(WEIXIN, 1)) == 1
    assert await hands.archive(message(SYMPHONY, 1)) == 1


async def test_many_repetitions_are_found(hands: Hands) -> None:
    """A stream read again from its beginning brings nothing new, however long it is."""
    many = [message(WEIXIN, number) for number in range(1200)]
    assert await hands.archive(*many) == 1200
    assert await hands.archive(*many, message(WEIXIN, 9999)) == 1


async def test_order_is_kept(hands: Hands) -> None:
    """Messages are numbered in the network's order, batch after batch."""
    await hands.archive(message(WEIXIN, 5), message(WEIXIN, 3))
    await hands.archive(message(WEIXIN, 4))
    assert [one.message.id for one in await hands.store.unjudged(9)] == ["5", "3", "4"]
    assert [entry.facts["message"] for entry in await hands.entries("message:archived")] == [1, 2, 3]


# --- the whole of it, or nothing ------------------------------------------------------------------------


async def test_cursors_are_committed_with_their_messages(hands: Hands) -> None:
    """A position behind a message exists only together with it; a later one replaces it."""
    await hands.archive(message(WEIXIN, 1), cursors={"wkDesk": "c1", "wkOther": "x"})
    await hands.archive(message(WEIXIN, 2), cursors={"wkDesk": "c2"})
    assert await hands.store.cursors(WEIXIN) == {"wkDesk": "c2", "wkOther": "x"}
    assert "wkDesk" not in await hands.store.cursors(SYMPHONY)


async def test_a_batch_without_messages_moves_its_cursor(hands: Hands) -> None:
    """An empty page is progress too."""
    assert await hands.store.archive(Batch(WEIXIN, cursors={"wkDesk": "c9"})) == 0
    assert await hands.store.cursors(WEIXIN) == {"wkDesk": "c9"}


async def test_a_batch_that_cannot_be_kept_leaves_nothing(hands: Hands) -> None:
    """When one of its rows is refused by the database, neither messages nor cursor nor facts are kept."""
    before = await hands.entries()
    broken = batch(message(WEIXIN, 1), cursors={"wkDesk": None})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        await hands.store.archive(broken)
    assert await hands.rows("SELECT * FROM messages") == []
    assert await hands.store.cursors(WEIXIN) == {}
    assert await hands.entries() == before
    assert await hands.archive(message(WEIXIN, 1)) == 1


async def test_who_lost_the_lane_archives_nothing(hands: Hands) -> None:
    """A daemon whose lane was taken over is refused, whole."""
    hands.store.epoch -= 1
    with pytest.raises(StoreError, match="taken by another daemon"):
        await hands.archive(message(WEIXIN, 1), cursors={"wkDesk": "c1"})
    assert await hands.store.cursors(WEIXIN) == {}


async def test_surrogates_and_nul_are_archived(hands: Hands) -> None:
    """Text that UTF-8 cannot carry is mended, not refused; the raw bytes stay as they came."""
    await hands.archive(message(WEIXIN, "odd\ud800", "half \udc00 of a pair \x00", raw=b"\xff\x00"))
    (one,) = await hands.store.unjudged(9)
    assert one.message.text == "half ? of a pair \x00"
    kept = await hands.store.read(lambda db: list(db.execute(select(content.c.raw)).scalars()))
    assert b"\xff\x00" in kept
    assert await hands.archive(message(WEIXIN, "odd\ud800")) == 0


async def test_a_nul_in_an_id_is_mended(hands: Hands) -> None:
    """No text of a table may carry one on a server: what has it is archived once all the same."""
    odd = message(WEIXIN, "odd\0id", "text\0", conversation="wk\0/wm", sender="\0", refers_to="x\0")
    assert await hands.say(odd)
    assert await hands.archive(odd) == 0
    rows = await hands.rows("SELECT source_id, sender FROM messages WHERE id = 1")
    assert rows == [("odd?id", "?")]


async def test_numbers_of_any_length_are_archived(hands: Hands) -> None:
    """A time or a size that no table can carry is mended: it would stop the daemon at each of its starts."""
    files = (File("ref", "a.txt", size=10**40),)
    assert await hands.archive(message(WEIXIN, 1, "hello", sent_at=10**40, files=files)) == 1
    (wanted,) = await hands.store.wanted_files(WEIXIN, 9)
    assert wanted.file.size == (1 << 63) - 1


# --- attachments ----------------------------------------------------------------------------------------


async def test_a_message_waits_for_its_attachments(hands: Hands) -> None:
    """It is judged when the last of its files is there or given up, with what could be had."""
    await hands.archive(with_files(1, "a.txt", "b.txt"))
    first, second = await hands.store.wanted_files(SYMPHONY, 9)
    assert (first.file.ref, second.file.ref, first.attempt) == ("ref-a.txt", "ref-b.txt", 1)
    await hands.store.settle_file(first, BLOB)
    assert await hands.store.unjudged(9) == []
    await hands.store.settle_file(second, None, "expired")
    (one,) = await hands.store.unjudged(9)
    assert one.blobs == (Blob("ab" * 32, 3, "a.txt", Kind.FILE, "text/plain"),)
    assert one.missing == ("b.txt",)
    kinds = [entry.kind for entry in await hands.entries("file:archived", "file:missing")]
    assert kinds == ["file:archived", "file:missing"]


async def test_later_ones_of_the_chat_wait_and_other_chats_pass(hands: Hands) -> None:
    """Order holds behind a message whose attachment is still coming, in its own conversation alone."""
    await hands.archive(message(SYMPHONY, 1), with_files(2, "a.txt"), message(SYMPHONY, 3))
    await hands.archive(message(SYMPHONY, 4, conversation="another-stream"), message(WEIXIN, 5))
    assert [one.message.id for one in await hands.store.unjudged(9)] == ["1", "4", "5"]
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.settle_file(wanted, BLOB)
    assert [one.message.id for one in await hands.store.unjudged(9)] == ["1", "2", "3", "4", "5"]


async def test_what_was_found_in_an_attachment_comes_with_its_message(hands: Hands) -> None:
    """An inspection is kept as content of the attachment's entry, and is there when the message is judged."""
    found = Inspection("a.txt", "txt", 3, text="内幕消息")
    await hands.archive(with_files(1, "a.txt", "b.txt"))
    first, second = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.settle_file(first, BLOB, inspection=found)
    await hands.store.settle_file(second, None, "expired")
    (one,) = await hands.store.unjudged(9)
    assert one.inspections == (found,)
    assert one.context.inspections == (found,)
    digests = [bool(entry.digest) for entry in await hands.entries("file:archived", "file:missing")]
    assert digests == [True, False]


async def test_texts_inside_attachments_do_not_pile_up(hands: Hands) -> None:
    """However many large documents wait, only some are taken at once, and the rest next time, in order."""
    long = Inspection("a.txt", "txt", 3, text="x" * 1_500_000)
    await hands.archive(*(with_files(number, "a.txt") for number in range(1, 5)))
    for wanted in await hands.store.wanted_files(SYMPHONY, 9):
        await hands.store.settle_file(wanted, BLOB, inspection=long)
    assert [ruling.archived.seq for ruling in await hands.judge()] == [1, 2, 3]
    assert [ruling.archived.seq for ruling in await hands.judge()] == [4]


async def test_an_attachment_is_tried_again_when_its_time_comes(hands: Hands) -> None:
    """A postponed file is not wanted before its time, and knows which attempt it is."""
    await hands.archive(with_files(1, "a.txt"))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.postpone_file(wanted, hands.clock.now() + 500)
    assert await hands.store.wanted_files(SYMPHONY, 9) == []
    hands.clock.forward(500)
    assert [one.attempt for one in await hands.store.wanted_files(SYMPHONY, 9)] == [2]
    assert await hands.store.wanted_files(WEIXIN, 9) == []


async def test_an_attachment_is_settled_once(hands: Hands) -> None:
    """A second answer for a file that was given up changes neither the file nor the ledger's count of it."""
    await hands.archive(with_files(1, "a.txt"))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.settle_file(wanted, None, "expired")
    await hands.store.settle_file(wanted, BLOB)
    (one,) = await hands.store.unjudged(9)
    assert (one.blobs, one.missing) == ((), ("a.txt",))
    assert [entry.kind for entry in await hands.entries("file:archived", "file:missing")] == ["file:missing"]


# --- reply windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("absurd", [1_767_600_000_000_000, 1 << 44, 1 << 61])
async def test_one_absurd_timestamp_stops_nobody(hands: Hands, absurd: int) -> None:
    """A network's time in microseconds, say: what the other side writes then still goes out, and the window
    that it opened is no longer than another."""
    await hands.say(message(SYMPHONY, 1, "hi", sent_at=absurd))
    assert await hands.rows("SELECT last_inbound_at FROM chats WHERE network = 'symphony'") == [
        (hands.clock.now() + CLOCKS_APART,)
    ]
    await hands.say(message(WEIXIN, 2, "reply"))
    assert await hands.send(SYMPHONY) == ["reply"]
    hands.clock.forward(2 * CLOCKS_APART)
    later = message(SYMPHONY, 3, "again", sent_at=hands.clock.now())
    await hands.say(later)
    await hands.say(message(WEIXIN, 4, "yes"))
    (claim,) = await hands.claim(SYMPHONY)
    assert claim.traffic.last_inbound_at == later.sent_at


async def traffic(hands: Hands) -> tuple[int, int]:
    """When the client last wrote, and how many of ours came after."""
    rows = await hands.rows(f"SELECT last_inbound_at, sent FROM chats WHERE conversation = '{CONTACT}'")
    return rows[0] if rows else (0, 0)  # type: ignore[return-value]


async def test_what_they_write_opens_their_window(hands: Hands) -> None:
    """Each inbound message moves the window and starts the count of ours anew; an older one does not."""
    await hands.say(message(SYMPHONY, 1))
    await hands.send(WEIXIN)
    await hands.archive(message(WEIXIN, 10))
    assert await traffic(hands) == (START + 10, 0)
    await hands.say(message(SYMPHONY, 2), message(SYMPHONY, 3))
    await hands.send(WEIXIN)
    assert await traffic(hands) == (START + 10, 2)
    await hands.archive(message(WEIXIN, 9))
    assert await traffic(hands) == (START + 10, 2)
    await hands.archive(message(WEIXIN, 11))
    assert await traffic(hands) == (START + 11, 0)


@pytest.mark.parametrize("kind", [Kind.NOTE, Kind.FAILED, Kind.RECALL])
async def test_a_networks_own_remark_opens_nothing(hands: Hands, kind: Kind) -> None:
    """Only what the person writes counts; a remark, a failure and a recall do not."""
    await hands.archive(message(WEIXIN, 10, kind=kind))
    assert await traffic(hands) == (0, 0)


async def test_waiting_deliveries_go_when_they_write(hands: Hands) -> None:
    """What waited for the window is ready again as soon as a message of theirs is archived."""
    await hands.say(message(SYMPHONY, 1, "one"), message(SYMPHONY, 2, "two"))
    first, second = await hands.claim(WEIXIN)
    await hands.end(first, Step.WAIT, reason="window", notice="window")
    await hands.end(second, Step.GIVE_BACK)
    hands.clock.forward(10**9)
    assert await hands.send(WEIXIN) == []
    await hands.archive(message(WEIXIN, 10))
    assert await hands.send(WEIXIN) == ["one", "two"]


async def test_they_wrote_while_we_found_the_window_closed(hands: Hands) -> None:
    """The race: the refusal is recorded after their message was archived. Nothing waits for ever."""
    await hands.archive(message(WEIXIN, 5))
    await hands.say(message(SYMPHONY, 1, "one"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.archive(message(WEIXIN, 5_000))
    await hands.end(claim, Step.WAIT, reason="window", notice="window")
    assert await hands.send(WEIXIN) == ["one"]
    assert await hands.entries("notice:archived") == []  # nobody is told of a window that is open


async def test_they_wrote_in_the_same_second(hands: Hands) -> None:
    """A network's clock of whole seconds does not hide the second of two messages."""
    await hands.archive(message(WEIXIN, 1, sent_at=START))
    await hands.say(message(SYMPHONY, 1, "one"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.archive(message(WEIXIN, 2, sent_at=START))
    await hands.end(claim, Step.WAIT, reason="window", notice="window")
    assert await hands.send(WEIXIN) == ["one"]


async def test_other_chats_stay_closed(hands: Hands) -> None:
    """Somebody else's message opens somebody else's window."""
    await hands.say(message(SYMPHONY, 1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, Step.WAIT, reason="window", notice="window")
    await hands.archive(message(WEIXIN, 10, conversation="wkDesk/wmOther", sender="wmOther"))
    await hands.archive(message(SYMPHONY, 11, conversation=STREAM))
    assert await hands.send(WEIXIN) == []


@pytest.mark.parametrize("limit", [1, 9])
async def test_a_message_that_does_not_open_keeps_no_other_from_its_attachments(
    hands: Hands, limit: int
) -> None:
    """Theirs are fetched; of the one that does not open its number is told."""
    for number in (1, 2):
        file = File(f"ref{number}", "a.pdf", Kind.FILE)
        await hands.archive(message(SYMPHONY, number, files=(file,)))
    spoil = "UPDATE content SET body = salt WHERE seq = (SELECT entry FROM messages WHERE id = 1)"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(spoil) and None)
    told: list[int] = []
    (wanted,) = await hands.store.wanted_files(SYMPHONY, limit, told.append)
    assert (wanted.file.ref, set(told)) == ("ref2", {1})

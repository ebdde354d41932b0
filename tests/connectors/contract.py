"""What every connector promises, run against each of them beside its mock.

Rules of this file: it knows `bridge.ports` and `bridge.message`, and no network. A connector joins with a
`Harness` for its mock and a class that inherits `ConnectorContract`:

    @pytest.fixture
    async def harness(): ...yield a Harness...

    class TestThisNetwork(ConnectorContract): ...

Waiting is always for a condition, with a deadline.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest

from bridge import message as nouns
from bridge.errors import Refused, StoreError, Unreachable
from bridge.message import Batch, Blob, Content, Kind, Message, Permit, Sighting, Traffic
from bridge.ports import Connector

DEADLINE = 60.0  # seconds; reached only by a test that fails
LARGEST_PIECE = 256 * 1024


class Over:
    """A lease that has run out after so many looks at it."""

    def __init__(self, looks: int = 0) -> None:
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Unreachable("the lease may have run out", certain=True)


class MemoryBlobs:
    """Archived attachments for connectors to send, counted when they are opened."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self.opened = 0

    def add(self, content: bytes, name: str, kind: Kind = Kind.FILE, media_type: str = "") -> Blob:
        """Archive `content`."""
        digest = hashlib.sha256(content).hexdigest()
        self._contents[digest] = content
        return Blob(digest, len(content), name, kind, media_type)

    def spoil(self, blob: Blob) -> None:
        """Make the archive find the blob damaged from now on."""
        self._contents[blob.digest] = b""

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """See `bridge.ports.Blobs`."""
        self.opened += 1
        content = self._contents[digest]
        if not content:
            raise StoreError("a blob does not match its digest")
        for at in range(0, len(content), 10_000):
            yield content[at : at + 10_000]


class Harness(Protocol):
    """One conversation with a person, seen from both ends: the connector's, and the mock network's."""

    network: str
    conversation: str
    blobs: MemoryBlobs
    traffic: Traffic  # what the store would know: enough for the reply window to be open

    def paired(self) -> dict[str, str]:
        """The cursors as they are once people are paired and nothing has been received yet."""

    def now(self) -> int:
        """The time as delivery would write it down, ms."""

    def connector(self) -> Connector:
        """A new connector, not entered yet, for the same account of the same mock: a restart."""

    async def say(self, text: str) -> None:
        """The person writes to us."""

    async def give(self, name: str, content: bytes) -> None:
        """The person sends us a file."""

    async def heard(self) -> list[str]:
        """What the person was shown of ours so far, in order; of files, their names."""

    async def garble_next(self) -> None:
        """The next item that the network delivers cannot be read."""

    async def refuse_next(self) -> str:
        """The network refuses our next message for good; answers the code that `Refused` has to carry."""

    async def lose_next_answer(self) -> None:
        """The network takes our next message, and its answer is lost."""

    async def forget_files(self) -> None:
        """No attachment can be fetched any more."""

    async def go_away(self) -> None:
        """The network cannot be reached."""

    async def come_back(self) -> None:
        """The network is there again, under the same address, and knows everything."""


def permit(harness: Harness, content: Content | str, number: int = 1, **more: Any) -> Permit:
    """The right to send `content` into the harness's conversation."""
    words = Content(content) if isinstance(content, str) else content
    return Permit(
        f"{number:020d}",
        harness.network,
        harness.conversation,
        words,
        number,
        seal=nouns._SEAL,
        **more,
    )


async def batches_until(
    connector: Connector,
    cursors: dict[str, str],
    done: Callable[[list[Batch]], bool],
    *,
    acknowledge: bool = True,
) -> list[Batch]:
    """Batches as intake takes them, until `done`; `cursors` are moved as the store would move them.

    With `acknowledge=False` the last batch is left as a crash leaves it: neither committed nor acknowledged.
    """
    taken: list[Batch] = []
    receiving = connector.receive(dict(cursors))
    try:
        async with asyncio.timeout(DEADLINE):
            async for batch in receiving:
                taken.append(batch)
                finished = done(taken)
                if acknowledge or not finished:
                    cursors.update(batch.cursors)
                    await connector.acknowledge(batch)
                if finished:
                    return taken
    finally:
        await receiving.aclose()  # type: ignore[attr-defined]
    raise AssertionError("receive() ended by itself")


def messages(batches: list[Batch]) -> list[Message]:
    """All messages of some batches."""
    return [message for batch in batches for message in batch.messages]


def said(*texts: str) -> Callable[[list[Batch]], bool]:
    """Until all of `texts` were received."""
    return lambda batches: set(texts) <= {message.text for message in messages(batches)}


async def settle(harness: Harness, connector: Connector) -> dict[str, str]:
    """Receive until a first word arrives, so that the connector is in place; the cursors reached."""
    cursors = harness.paired()
    await harness.say("(first word)")
    await batches_until(connector, cursors, said("(first word)"))
    return cursors


async def content_of(connector: Connector, message: Message) -> tuple[bytes, list[int]]:
    """A message's first attachment, and the sizes of the pieces it came in."""
    pieces = [piece async for piece in connector.fetch(message.files[0])]
    return b"".join(pieces), [len(piece) for piece in pieces]


class ConnectorContract:
    """The promises of `bridge.ports.Connector`, one test each."""

    async def test_what_a_person_says_is_received_in_order(self, harness: Harness) -> None:
        """Words arrive whole and in order, each with its sender, time, chat and raw bytes."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            texts = ["one", "二 😀", "three\nlines <&> ${x}"]
            for text in texts:
                await harness.say(text)
            batches = await batches_until(connector, cursors, said(*texts))
        received = [message for message in messages(batches) if message.text in texts]
        assert list(dict.fromkeys(message.text for message in received)) == texts
        for message in received:
            assert (message.network, message.conversation) == (harness.network, harness.conversation)
            assert message.kind is Kind.TEXT and message.sender and message.sent_at and not message.defect
            assert message.raw and message.id

    async def test_what_was_not_acknowledged_comes_again(self, harness: Harness) -> None:
        """A crash before the commit loses nothing: the next start yields the same message again."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            await harness.say("not committed")
            lost = await batches_until(connector, cursors, said("not committed"), acknowledge=False)
        async with harness.connector() as connector:
            again = await batches_until(connector, cursors, said("not committed"))
        ids = {message.id for message in messages(lost) if message.text == "not committed"}
        assert ids == {message.id for message in messages(again) if message.text == "not committed"}

    async def test_what_was_said_while_nobody_listened_is_received(self, harness: Harness) -> None:
        """A stop and a start leave no gap."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
        await harness.say("in the gap")
        async with harness.connector() as connector:
            await batches_until(connector, cursors, said("in the gap"))

    async def test_an_outage_is_survived(self, harness: Harness) -> None:
        """Receiving goes on by itself when the network is back; nothing is raised meanwhile."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            waiting = asyncio.create_task(batches_until(connector, cursors, said("after the outage")))
            await harness.go_away()
            assert not waiting.done()
            await harness.come_back()
            await harness.say("after the outage")
            await waiting

    async def test_acknowledging_during_an_outage_is_no_error(self, harness: Harness) -> None:
        """What the network does not hear of comes again; that is all."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            await harness.say("before the outage")
            (*_, batch) = await batches_until(
                connector, cursors, said("before the outage"), acknowledge=False
            )
            await harness.go_away()
            await connector.acknowledge(batch)
            await harness.come_back()

    async def test_garbage_is_held_and_its_neighbours_arrive(self, harness: Harness) -> None:
        """An item that nobody can read becomes a message of kind UNKNOWN with a defect and its bytes."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            await harness.garble_next()
            await harness.say("next to the garbage")
            batches = await batches_until(
                connector,
                cursors,
                lambda taken: (
                    said("next to the garbage")(taken)
                    and any(message.kind is Kind.UNKNOWN for message in messages(taken))
                ),
            )
        held = [message for message in messages(batches) if message.kind is Kind.UNKNOWN]
        assert all(message.defect and message.raw and message.id for message in held)

    async def test_what_is_sent_arrives_as_it_is(self, harness: Harness) -> None:
        """Words with every dangerous character are shown as they were written, once."""
        text = "汇率 7.2 😀 <b>&amp;</b> ${x} #{y}"
        async with harness.connector() as connector:
            receipt = await connector.send(permit(harness, text), harness.traffic)
        assert receipt.ids and all(receipt.ids)
        assert await harness.heard() == [text]

    async def test_files_are_sent_whole(self, harness: Harness) -> None:
        """An attachment is streamed out of the archive and arrives under its name."""
        blob = harness.blobs.add(bytes(range(256)) * 1000, "研究.pdf", Kind.FILE, "application/pdf")
        async with harness.connector() as connector:
            await connector.send(permit(harness, Content("", files=(blob,))), harness.traffic)
        assert "研究.pdf" in (await harness.heard())[-1]

    async def test_a_permit_used_twice_arrives_once(self, harness: Harness) -> None:
        """A repeated send is recognised, by the network's key or by looking."""
        first = permit(harness, "only once", first_try_at=harness.now())
        async with harness.connector() as connector:
            receipt = await connector.send(first, harness.traffic)
            again = await connector.send(replace(first, attempt=2, uncertain=True), harness.traffic)
        assert await harness.heard() == ["only once"]
        assert again.ids == receipt.ids

    async def test_a_lost_answer_is_uncertain_and_repeating_is_safe(self, harness: Harness) -> None:
        """When the answer is lost, nobody claims that nothing was sent, and the repetition adds nothing."""
        first = permit(harness, "answer lost", first_try_at=harness.now())
        async with harness.connector() as connector:
            await harness.lose_next_answer()
            with pytest.raises(Unreachable) as caught:
                await connector.send(first, harness.traffic)
            assert caught.value.certain is False
            await connector.send(replace(first, attempt=2, uncertain=True), harness.traffic)
        assert await harness.heard() == ["answer lost"]

    async def test_a_refusal_carries_its_code(self, harness: Harness) -> None:
        """What will never be taken is `Refused` with the word that people and tables know it by."""
        code = await harness.refuse_next()
        async with harness.connector() as connector:
            with pytest.raises(Refused) as caught:
                await connector.send(permit(harness, "never taken"), harness.traffic)
        assert caught.value.code == code
        assert await harness.heard() == []

    async def test_an_unreachable_network_is_certain_that_nothing_was_sent(self, harness: Harness) -> None:
        """No connection, no message: worth another try, without looking first."""
        async with harness.connector() as connector:
            await harness.go_away()
            for number in range(3):  # the first may still write into a connection that is half closed
                with pytest.raises(Unreachable) as caught:
                    await connector.send(permit(harness, "nobody there", number), harness.traffic)
            assert caught.value.certain is True
            await harness.come_back()
            await self._until_sent(connector, permit(harness, "somebody there", 9), harness.traffic)
        assert await harness.heard() == ["somebody there"]

    async def test_our_own_words_do_not_come_back_as_a_message(self, harness: Harness) -> None:
        """What we sent is an echo or nothing, never something to be bridged again."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            ours = permit(harness, "our own words")
            receipt = await connector.send(ours, harness.traffic)
            await harness.say("and then theirs")
            batches = await batches_until(connector, cursors, said("and then theirs"))
        assert not [message for message in messages(batches) if "our own words" in message.text]
        echoes = [echo for batch in batches for echo in batch.echoes]
        assert all(echo.permit == ours.id and echo.id in receipt.ids for echo in echoes)

    async def test_an_attachment_comes_in_pieces(self, harness: Harness) -> None:
        """A file of a megabyte arrives byte for byte, never whole in memory."""
        content = bytes(range(256)) * 4096
        async with harness.connector() as connector:
            message = await self._file(harness, connector, "chart.pdf", content)
            fetched, sizes = await content_of(connector, message)
        assert fetched == content
        assert len(sizes) > 1 and max(sizes) <= LARGEST_PIECE

    async def test_an_attachment_that_is_gone_is_refused(self, harness: Harness) -> None:
        """Expired is final: the message is archived without it, and nobody tries for ever."""
        async with harness.connector() as connector:
            message = await self._file(harness, connector, "gone.pdf", b"x" * 1000)
            await harness.forget_files()
            with pytest.raises(Refused) as caught:
                await content_of(connector, message)
        assert caught.value.code

    async def test_a_recount_sees_what_was_never_received(self, harness: Harness) -> None:
        """The network's history is asked without cursors: what nobody received is in it, in order, once."""
        since = harness.now() - 1000
        await harness.say("one")
        await harness.say("two")
        async with harness.connector() as connector:
            seen = [item async for item in connector.recount(since, harness.now() + 60_000)]
        theirs = [
            one for one in seen if isinstance(one, Sighting) and one.conversation == harness.conversation
        ]
        assert len({one.id for one in theirs}) == len(theirs) >= 2
        assert [one.at for one in theirs] == sorted(one.at for one in theirs)

    async def test_a_recount_agrees_with_what_was_received(self, harness: Harness) -> None:
        """The same item has the same id and the same digest, received or asked for; so has a file."""
        since = harness.now() - 1000
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            await harness.say("二 😀 <&>")
            await harness.give("chart.pdf", b"%PDF-1.7")
            batches = await batches_until(
                connector, cursors, lambda taken: any(message.files for message in messages(taken))
            )
            seen = [item async for item in connector.recount(since, harness.now() + 60_000)]
        digests = {one.id: one.digest for one in seen if isinstance(one, Sighting)}
        received = [nouns.sighting(one) for one in messages(batches) if one.kind is not Kind.NOTE]
        assert received and all(digests[one.id] == one.digest for one in received)

    async def test_a_recount_keeps_to_its_span(self, harness: Harness) -> None:
        """What was said outside of the span is not in it; nor does it move what `receive` reads."""
        async with harness.connector() as connector:
            cursors = await settle(harness, connector)
            await harness.say("still to be received")
            seen = [item async for item in connector.recount(1, 2)]
            assert not [item for item in seen if isinstance(item, Sighting)]
            await batches_until(connector, cursors, said("still to be received"))

    async def test_reading_is_noted_whether_there_was_anything(self, harness: Harness) -> None:
        """`heard_at` is 0 before the first answer, and then the time of the last."""
        async with harness.connector() as connector:
            assert connector.heard_at == 0
            cursors = await settle(harness, connector)
            receiving = asyncio.create_task(batches_until(connector, cursors, said("the last word")))
            async with asyncio.timeout(DEADLINE):
                while not connector.heard_at:  # noqa: ASYNC110  nobody rings
                    await asyncio.sleep(0.01)
            assert abs(connector.heard_at - harness.now()) < DEADLINE * 1000
            await harness.say("the last word")
            await receiving

    # --- what several promises need

    async def _file(self, harness: Harness, connector: Connector, name: str, content: bytes) -> Message:
        cursors = await settle(harness, connector)
        await harness.give(name, content)
        batches = await batches_until(
            connector, cursors, lambda taken: any(message.files for message in messages(taken))
        )
        return next(message for message in messages(batches) if message.files)

    async def _until_sent(self, connector: Connector, ours: Permit, traffic: Traffic) -> None:
        """As delivery does it: try again while it is worth it."""
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await connector.send(ours, traffic)
                    return
                except Unreachable as error:
                    ours = replace(ours, uncertain=ours.uncertain or not error.certain)
                    await asyncio.sleep(0)

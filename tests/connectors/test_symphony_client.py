"""The Symphony client against the mock pod: the shared contract, and each decision of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("contract")

from contract import (  # noqa: E402
    DEADLINE,
    ConnectorContract,
    MemoryBlobs,
    Over,
    batches_until,
    content_of,
    messages,
    permit,
    said,
    settle,
)
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

from bridge.errors import Refused, SignedOut, StoreError, Unreachable  # noqa: E402
from bridge.ledger.checkpoint import Signer  # noqa: E402
from bridge.message import SYMPHONY, Batch, Content, File, Kind, Message, Sighting, Traffic, Unasked  # noqa: E402
from bridge.ports import WENT  # noqa: E402
from bridge.records.reconcile import letters  # noqa: E402
from bridge.store.gathering import notes_in  # noqa: E402
from bridge.store.signing import drawn  # noqa: E402
from connectors.symphony.client import STREAM, Pauses, SymphonyConnector, SymphonySettings  # noqa: E402
from connectors.symphony.mock import SymphonyPod  # noqa: E402

BOT = "bridge-bot"
ALICE = "awong"
HELLO = Content("hello")


@pytest.fixture(scope="session")
def key_pair() -> tuple[str, str]:
    """An RSA key in PEM, private and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


class PodHarness:
    """Alice Wong and the bridge's account in one room of a mock pod."""

    network = SYMPHONY
    traffic = Traffic()

    def __init__(self, pod: SymphonyPod, private_key: str) -> None:
        self.pod = pod
        self.blobs = MemoryBlobs()
        self.conversation = ""
        self.slept: list[float] = []
        self._private_key = private_key

    def settings(self, **more: Any) -> SymphonySettings:
        quick = {"first_pause": 0.01, "longest_pause": 0.05, "sign_in_pause": 0.01, "poll_timeout": 5.0}
        return SymphonySettings(self.pod.url, BOT, self._private_key, **(quick | more))

    def connector(self, **more: Any) -> SymphonyConnector:
        return SymphonyConnector(self.settings(**more), self.blobs)

    def impatient(self, **more: Any) -> SymphonyConnector:
        """A connector whose pauses are written down instead of slept, and are never shortened by chance."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            await asyncio.sleep(0)

        return SymphonyConnector(self.settings(**more), self.blobs, sleep=sleep, chance=lambda: 1.0)

    def paired(self) -> dict[str, str]:
        return {STREAM + self.conversation: str(self.now())}

    def now(self) -> int:
        return self.pod.clock.now_ms()

    def requests(self, route: str) -> list[Any]:
        """The recorded requests of one route."""
        return [request for request in self.pod.requests if request.route == route]

    async def asked(self, route: str, times: int) -> None:
        """Wait until a route was asked so often."""
        async with asyncio.timeout(DEADLINE):
            while len(self.requests(route)) < times:  # noqa: ASYNC110  the mock rings no bell for it
                await asyncio.sleep(0)

    async def say(self, text: str) -> None:
        self.pod.say(ALICE, self.conversation, text)

    async def give(self, name: str, content: bytes) -> None:
        self.pod.say(
            ALICE, self.conversation, "a file", attachments=[(name, "application/octet-stream", content)]
        )

    async def heard(self) -> list[str]:
        ours = [m for m in self.pod.messages(self.conversation) if m.author.username == BOT]
        return [" ".join([m.text, *(file.name for file in m.files)]).strip() for m in ours]

    async def garble_next(self) -> None:
        self.pod.faults.add("null_event", route="datafeed.read")

    async def refuse_next(self) -> str:
        self.pod.faults.add("status", route="message.create", status=451)
        return "compliance"

    async def lose_next_answer(self) -> None:
        self.pod.faults.add("drop", route="message.create", after=True)

    async def forget_files(self) -> None:
        self.pod.faults.add("status", route="attachment.get", status=400, times=None)

    async def go_away(self) -> None:
        await self.pod.stop()

    async def come_back(self) -> None:
        await self.pod.start(int(self.pod.url.rpartition(":")[2]))


@pytest.fixture
async def harness(key_pair: tuple[str, str], tmp_path: Path) -> AsyncIterator[PodHarness]:
    """A pod with short polls and quick redelivery."""
    private, public = key_pair
    pod = SymphonyPod(directory=tmp_path, poll_seconds=0.2, redelivery_seconds=0.3)
    async with pod.serve():
        pod.add_user(BOT, "bridge@bank.example", "Bridge", True, public)
        pod.add_user(ALICE, "alice.wong@bank.example", "Alice Wong")
        rig = PodHarness(pod, private)
        rig.conversation = pod.create_room("Alice Wong and 李雷", [BOT, ALICE])
        yield rig


def heard_live(*texts: str) -> Callable[[list[Batch]], bool]:
    """Until all of `texts` came by the feed, whether or not history had them before."""
    return lambda batches: said(*texts)([batch for batch in batches if batch.token is not None])


class TestSymphonyKeepsTheContract(ConnectorContract):
    """Every promise of the port, against the mock pod."""


# --- receiving ------------------------------------------------------------------------------------------


async def test_the_read_after_a_batch_waits_until_it_is_acknowledged(harness: PodHarness) -> None:
    """No read carries the id of a batch that was not acknowledged; the next one after it does."""
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        receiving = connector.receive(cursors)
        await harness.say("one")
        batch = await anext(receiving)
        while "one" not in {message.text for message in batch.messages}:
            await connector.acknowledge(batch)
            batch = await anext(receiving)
        if batch.token is None:  # the backfill was faster than the feed
            batch = await anext(receiving)
        reads = len(harness.requests("datafeed.read"))
        following = asyncio.create_task(anext(receiving))
        await connector.send(permit(harness, HELLO), Traffic())
        assert len(harness.requests("datafeed.read")) == reads and not following.done()
        await connector.acknowledge(batch)
        async with asyncio.timeout(DEADLINE):
            echoing = await following
        assert echoing.echoes
        assert harness.requests("datafeed.read")[reads].body["ackId"] == batch.token.ack_id
        await receiving.aclose()


async def test_a_failed_read_is_repeated_with_the_same_id(harness: PodHarness) -> None:
    """Errors between two reads acknowledge nothing and forget nothing: the ids follow without a gap."""
    errors = [500, 429, 502, 404]

    def both(taken: list[Batch]) -> bool:
        if heard_live("one")(taken) and errors:
            harness.pod.faults.add("status", route="datafeed.read", status=errors.pop())
            harness.pod.say(ALICE, harness.conversation, f"word {len(errors)}")
        return not errors and heard_live("word 0")(taken)

    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        seen = len(harness.requests("datafeed.read"))
        await harness.say("one")
        await batches_until(connector, cursors, both)
    reads = harness.requests("datafeed.read")[seen:]
    assert sorted(read.status for read in reads if read.status != 200) == [404, 429, 500, 502]
    ids = [read.body["ackId"] for read in reads if read.status == 200]
    assert ids[0] == ""
    numbers = [int(ack_id.rpartition(".")[2]) for ack_id in ids[1:]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) >= 4


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("drop", {}),
        ("truncate", {}),
        ("html", {"status": 502}),
        ("html", {"status": 200}),
        ("status", {"status": 403}),
        ("status", {"status": 400}),
        ("status", {"status": 503, "retry_after": 0}),
        ("session_expired", {}),
        ("key_manager_expired", {}),
        ("duplicate_delivery", {}),
        ("out_of_order", {}),
        ("same_event_id", {}),
        ("attachment_without_images", {}),
        ("user_id_as_string", {}),
        ("null_event", {}),
        ("empty_payload", {}),
        ("unknown_event_type", {}),
        ("no_initiator", {}),
        ("feed_expired", {}),
        ("feed_vanished", {}),
    ],
)
async def test_whatever_happens_to_a_read_the_words_arrive(
    harness: PodHarness, fault: str, settings: dict[str, Any]
) -> None:
    """Each accident of the feed costs time at most: what was said while it happened is received."""
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        receiving = asyncio.create_task(batches_until(connector, cursors, said("one", "two")))
        harness.pod.faults.add(fault, route="datafeed.read", times=2, **settings)
        await harness.say("one")
        await harness.say("two")
        received = messages(await receiving)
    assert [m.defect for m in received if m.text in ("one", "two") and m.defect] == []


async def test_a_lost_feed_is_replaced_and_its_gap_filled_from_history(harness: PodHarness) -> None:
    """What a feed took with it when it vanished is found in the streams."""
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        receiving = asyncio.create_task(batches_until(connector, cursors, said("in the gap")))
        await harness.asked("datafeed.list", 1)
        harness.pod.faults.add("feed_expired", route="datafeed.read", times=1)
        await harness.say("in the gap")
        await receiving
    assert len(harness.requests("datafeed.create")) >= 1
    assert harness.requests("message.history")


async def test_history_is_read_to_its_end_whatever_its_length(harness: PodHarness) -> None:
    """More messages than fit a page come all, in order, in batches that move the cursor with them."""
    bot, room = harness.pod.user(ALICE), harness.pod.stream(harness.conversation)
    start = harness.now() - 3_600_000
    for number in range(1203):
        harness.pod.insert(bot, room, f"<div>{number}</div>", None, [], start + number // 10)
    cursors = {STREAM + harness.conversation: str(start), "something else": "5", STREAM + "odd": "x"}
    async with harness.connector() as connector:
        batches = await batches_until(connector, cursors, said("1202"))
    received = [message.text for message in messages(batches) if message.text.isdecimal()]
    assert received == [str(number) for number in range(1203)]
    assert all(len(batch.messages) <= 500 and batch.token is None for batch in batches)
    assert cursors[STREAM + harness.conversation] == str(start + 120)


async def test_an_absurd_timestamp_does_not_move_a_cursor_into_the_future(harness: PodHarness) -> None:
    """A message that claims to be of the year 2100 must not hide what is said after it."""
    alice, room = harness.pod.user(ALICE), harness.pod.stream(harness.conversation)
    harness.pod.insert(alice, room, "<div>from the future</div>", None, [], 4_102_444_800_000)
    cursors = harness.paired()
    async with harness.connector() as connector:
        await batches_until(connector, cursors, said("from the future"))
    assert int(cursors[STREAM + harness.conversation]) <= harness.now()


async def test_what_people_do_in_symphony_reads_as_they_meant_it(harness: PodHarness) -> None:
    """Mentions, tags, emoji, lists, links, replies, edits and recalls of the pod's own client are read."""
    pod, room = harness.pod, harness.conversation
    rich = (
        '<mention email="alice.wong@bank.example"/> likes <hash tag="gold"/> <cash tag="ibm"/> '
        '<emoji shortcode="tada"/><ul><li>one</li><li>two</li></ul><a href="https://bank.example/x">more</a>'
    )
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        first = pod.say(ALICE, room, messageml=f"<messageML>{rich}</messageML>")
        answer = pod.say(ALICE, room, "an answer", reply_to=first.message_id)
        edited = pod.edit(answer.message_id, "a better answer")
        pod.suppress(edited.message_id)
        received = messages(
            await batches_until(
                connector, cursors, lambda taken: any(m.kind is Kind.RECALL for m in messages(taken))
            )
        )
    by_id = {message.id: message for message in received}
    assert by_id[first.message_id].text == (
        "@Alice Wong likes #gold $ibm 🎉\n• one\n• two\nmore (https://bank.example/x)"
    )
    assert by_id[answer.message_id].refers_to == first.message_id
    assert by_id[edited.message_id].replaces == answer.message_id
    recall = next(message for message in received if message.kind is Kind.RECALL)
    assert recall.refers_to == edited.message_id
    assert not [message.defect for message in received if message.defect]


async def test_a_stream_that_is_closed_to_us_does_not_stop_the_others(harness: PodHarness) -> None:
    """A room that the bridge was removed from cannot be read any more; everything else can."""
    closed = harness.pod.create_room("Closed", [ALICE])
    cursors = {STREAM + closed: "1", STREAM + harness.conversation: "1"}
    await harness.say("still here")
    async with harness.connector() as connector:
        await batches_until(connector, cursors, said("still here"))


async def test_a_restart_goes_on_with_the_same_feed(harness: PodHarness) -> None:
    """A feed outlives its reader: another one is not made."""
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
    async with harness.connector() as connector:
        await harness.say("again")
        await batches_until(connector, cursors, said("again"))
    assert len(harness.requests("datafeed.create")) == 1


async def test_a_tag_is_sent_only_if_there_is_one(harness: PodHarness) -> None:
    """A tag names feeds; no tag is no key at all, since a null once made a new feed at every start."""
    async with harness.connector(tag="bridge-1") as connector:
        await settle(harness, connector)
    async with harness.connector() as connector:
        await settle(harness, connector)
    assert harness.requests("datafeed.list")[0].query == {"tag": "bridge-1"}
    assert harness.requests("datafeed.create")[0].body == {"tag": "bridge-1"}
    assert harness.requests("datafeed.list")[-1].query == {}


async def test_too_many_feeds_are_cleared_away(harness: PodHarness) -> None:
    """When the platform refuses one feed more, stale ones of this account make room."""
    bot = harness.pod.user(BOT)
    for _ in range(3):
        harness.pod.new_feed(bot, None)
    harness.pod.faults.add("feed_expired", route="datafeed.read")
    harness.pod.faults.add("feed_cap", route="datafeed.create")
    async with harness.connector() as connector:
        receiving = asyncio.create_task(batches_until(connector, {}, said("room again")))
        await harness.asked("datafeed.create", 2)
        await harness.say("room again")
        await receiving
    assert len(harness.requests("datafeed.delete")) >= 2


async def test_a_feed_that_keeps_vanishing_is_not_made_in_a_storm(harness: PodHarness) -> None:
    """Losing a new feed before it ever answered is answered with longer and longer pauses."""
    harness.pod.faults.add("feed_expired", route="datafeed.read", times=5)
    async with harness.impatient(first_pause=1.0, longest_pause=60.0) as connector:
        receiving = asyncio.create_task(batches_until(connector, {}, said("at last")))
        await harness.asked("datafeed.create", 6)
        await harness.say("at last")
        await receiving
    assert harness.slept[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]


async def test_retry_after_is_obeyed_and_pauses_grow_to_their_limit(harness: PodHarness) -> None:
    """What the platform asks for is the least that is waited; else pauses double, up to the longest."""
    async with harness.impatient(first_pause=1.0, longest_pause=5.0) as connector:
        cursors = await settle(harness, connector)
        harness.pod.faults.add("status", route="datafeed.read", status=429, retry_after=70)
        harness.pod.faults.add("status", route="datafeed.read", status=503, times=4)
        await harness.say("at last")
        await batches_until(connector, cursors, heard_live("at last"))
    assert 70 <= harness.slept[0] <= 77
    assert harness.slept[1:5] == [2.0, 4.0, 5.0, 5.0]


async def test_empty_answers_without_a_wait_are_not_asked_for_in_a_storm(harness: PodHarness) -> None:
    """A long poll that does not poll long is slowed down on our side."""
    harness.pod.poll_seconds = 0
    async with harness.impatient(first_pause=1.5) as connector:
        receiving = asyncio.create_task(batches_until(connector, harness.paired(), heard_live("news")))
        await harness.asked("datafeed.read", 4)
        await harness.say("news")
        await receiving
    assert harness.slept[:3] == [1.5, 1.5, 1.5]


def test_pauses_are_spread_by_chance_and_start_over_after_success() -> None:
    """Two bridges that failed together do not return together."""

    async def sleep(_seconds: float) -> None: ...

    settings = SymphonySettings("http://pod.example", BOT, "", first_pause=1.0, longest_pause=60.0)
    assert Pauses(settings, sleep, lambda: 0.0).seconds(None) == 0.5
    assert Pauses(settings, sleep, lambda: 1.0).seconds(None) == 1.0
    assert Pauses(settings, sleep, lambda: 0.5).seconds(10.0) == pytest.approx(10.5)


async def test_a_reply_that_stays_unreadable_is_held_and_its_words_are_found(harness: PodHarness) -> None:
    """After three attempts the bytes are archived as one held message, and history tells what they said."""
    broken = {"events": "lost", "ackId": "nobody-knows"}
    held: list[Message] = []

    def going_on(taken: list[Batch]) -> bool:
        if not held:
            held.extend(m for m in messages(taken) if m.kind is Kind.UNKNOWN)
            if held:
                harness.pod.say(ALICE, harness.conversation, "going on")
        return bool(held) and said("going on")(taken)

    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        looked = len(harness.requests("message.history"))
        harness.pod.faults.add("status", route="datafeed.read", status=200, body=broken, times=3)
        await batches_until(connector, cursors, going_on)
    assert json.loads(held[0].raw) == broken
    assert len(harness.requests("message.history")) >= looked + 2


async def test_a_message_left_out_of_its_event_is_fetched(harness: PodHarness) -> None:
    """An event that only names its message is completed by asking for it; if that fails, it is held."""
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        async with asyncio.timeout(DEADLINE):
            receiving = connector.receive({})
            harness.pod.faults.add("empty_payload", route="datafeed.read", times=2)
            await harness.say("named only")
            first = await anext(receiving)
            assert [message.text for message in first.messages] == ["named only"]
            await connector.acknowledge(first)
            harness.pod.faults.add("empty_payload", route="datafeed.read")
            harness.pod.faults.add("status", route="message.get", status=403)
            await harness.say("refused as well")
            second = await anext(receiving)
            await receiving.aclose()
    assert [message.kind for message in second.messages] == [Kind.UNKNOWN]
    assert second.messages[0].refers_to and cursors


async def test_a_start_during_an_outage_waits_for_its_end(harness: PodHarness) -> None:
    """Entering does not fail when the platform is away, and receiving begins when it is back."""
    connector = harness.connector()
    await harness.go_away()
    async with connector:
        with pytest.raises(Unreachable) as caught:
            await connector.send(permit(harness, HELLO), Traffic())
        assert caught.value.certain
        await harness.come_back()
        await harness.say("good morning")
        await batches_until(connector, {STREAM + harness.conversation: "1"}, said("good morning"))


async def test_refused_credentials_end_in_signed_out_with_a_remedy(harness: PodHarness) -> None:
    """Only after its patience does receiving end, and it says what a person has to do."""
    harness.pod.revoke_key(BOT)
    async with harness.connector(sign_in_patience=0.05) as connector:
        with pytest.raises(SignedOut) as caught:
            async with asyncio.timeout(DEADLINE):
                await anext(connector.receive({}))
        assert caught.value.remedy and connector.refused_since
        assert (await connector.check())[0][:2] == ("sign-in", False)


async def test_an_unusable_key_is_said_at_once(harness: PodHarness) -> None:
    """No waiting mends a key that is no key."""
    connector = SymphonyConnector(SymphonySettings(harness.pod.url, BOT, "no key"), harness.blobs)
    with pytest.raises(SignedOut):
        async with connector:
            pass


# --- sending --------------------------------------------------------------------------------------------


async def test_ten_refused_tokens_are_one_login(harness: PodHarness) -> None:
    """Many calls find their token refused together: one signs in, all repeat, each message arrives once."""
    async with harness.connector() as connector:
        harness.pod.faults.add("status", route="message.create", status=401, times=10)
        await asyncio.gather(
            *(connector.send(permit(harness, f"m{number}", number), Traffic()) for number in range(10))
        )
    assert len(harness.requests("login.session")) == len(harness.requests("login.keymanager")) == 2
    assert sorted(await harness.heard()) == [f"m{number}" for number in range(10)]


async def test_tokens_that_stay_refused_are_not_renewed_for_ever(harness: PodHarness) -> None:
    """One renewal and one repetition, then the caller hears of it; nothing was sent."""
    async with harness.connector() as connector:
        harness.pod.faults.add("status", route="message.create", status=401, times=None)
        with pytest.raises(Unreachable) as caught:
            await connector.send(permit(harness, HELLO), Traffic())
    assert caught.value.certain
    assert len(harness.requests("message.create")) == len(harness.requests("login.session")) == 2


@pytest.mark.parametrize(
    ("fault", "settings", "expected"),
    [
        ("status", {"status": 400}, "rejected"),
        ("status", {"status": 403}, "not-member"),
        ("status", {"status": 451}, "compliance"),
        ("status", {"status": 400, "retry_after": 3}, True),
        ("status", {"status": 429, "retry_after": 3}, True),
        ("status", {"status": 404}, True),
        ("status", {"status": 500}, False),
        ("status", {"status": 503}, False),
        ("html", {"status": 502}, False),
        ("html", {"status": 200}, False),
        ("drop", {}, False),
        ("truncate", {}, False),
        ("timeout", {}, False),
    ],
)
async def test_what_each_answer_to_a_send_means(
    harness: PodHarness, fault: str, settings: dict[str, Any], expected: str | bool
) -> None:
    """Refused with its code, or unreachable with what is certain; never tried again by itself."""
    async with harness.connector(send_timeout=1.5 if fault == "timeout" else DEADLINE) as connector:
        harness.pod.faults.add(fault, route="message.create", times=None, **settings)
        with pytest.raises((Refused, Unreachable)) as caught:
            await connector.send(permit(harness, HELLO), Traffic())
    error = caught.value
    assert (error.code if isinstance(error, Refused) else error.certain) == expected
    if "retry_after" in settings:
        assert isinstance(error, Unreachable) and error.retry_after == settings["retry_after"]
    assert len(harness.requests("message.create")) == 1


@pytest.mark.parametrize(
    ("fault", "settings"),
    [("status", {"status": 500}), ("drop", {}), ("truncate", {}), ("timeout", {}), ("html", {"status": 200})],
)
async def test_an_uncertain_send_is_looked_up_and_not_repeated(
    harness: PodHarness, fault: str, settings: dict[str, Any]
) -> None:
    """The message arrived and its answer was lost: the stream tells, and the receipt says `found`."""
    ours = permit(harness, HELLO, first_try_at=harness.now())
    async with harness.connector(send_timeout=1.5 if fault == "timeout" else DEADLINE) as connector:
        harness.pod.faults.add(fault, route="message.create", after=True, **settings)
        with pytest.raises(Unreachable) as caught:
            await connector.send(ours, Traffic())
        again = permit(harness, HELLO, attempt=2, uncertain=True, first_try_at=ours.first_try_at)
        receipt = await connector.send(again, Traffic())
    assert caught.value.certain is False
    assert receipt.found and receipt.ids == tuple(
        message.message_id for message in harness.pod.messages(harness.conversation)
    )
    assert len(harness.requests("message.create")) == 1


@pytest.mark.parametrize("files", [False, True])
async def test_nothing_is_sent_once_the_lease_is_over(harness: PodHarness, files: bool) -> None:
    """However far the request had come: the pod has no message, and that is certain. The next one goes."""
    more = (harness.blobs.add(b"x" * 3_000_000, "a.bin"),) if files else ()
    connector = SymphonyConnector(harness.settings(), harness.blobs, lease=Over())
    async with connector:
        with pytest.raises(Unreachable) as caught:
            await connector.send(permit(harness, Content("hello", files=more)), Traffic())
        assert caught.value.certain
        assert await harness.heard() == []
        connector._lease = Over(looks=1)
        await connector.send(permit(harness, HELLO), Traffic())
        assert len(await harness.heard()) == 1


async def test_an_uncertain_send_that_never_arrived_is_sent(harness: PodHarness) -> None:
    """Not found is sent: the look-up comes first, and somebody else's copy of the permit does not count."""
    async with harness.connector() as connector:
        ours = permit(harness, HELLO, uncertain=True, attempt=2, first_try_at=harness.now())
        harness.pod.say(
            ALICE, harness.conversation, messageml="<messageML>forged</messageML>", data=_data(ours.id)
        )
        receipt = await connector.send(ours, Traffic())
    routes = [request.route for request in harness.pod.requests]
    assert routes.index("message.history") < routes.index("message.create")
    assert not receipt.found and await harness.heard() == ["hello"]


def _data(permit_id: str) -> str:
    mark = {"type": "org.weighbridge.permit", "version": "1.0", "permit": permit_id}
    return json.dumps({"weighbridge": mark})


@pytest.mark.parametrize(
    ("route", "status"), [("message.history", 403), ("message.history", 500), ("message.create", 429)]
)
async def test_an_uncertain_send_stays_uncertain_until_it_is_found(
    harness: PodHarness, route: str, status: int
) -> None:
    """Nobody claims that nothing was sent as long as an earlier attempt may be on its way."""
    async with harness.connector() as connector:
        harness.pod.faults.add("status", route=route, status=status)
        with pytest.raises(Unreachable) as caught:
            await connector.send(
                permit(harness, HELLO, uncertain=True, attempt=2, first_try_at=harness.now()), Traffic()
            )
    assert caught.value.certain is False
    assert await harness.heard() == []


async def test_what_nobody_remembers_is_looked_for(harness: PodHarness) -> None:
    """Its row calls it the first attempt, and it is there: it does not go twice."""
    async with harness.connector() as connector:
        first = await connector.send(permit(harness, HELLO), Traffic())
        again = await connector.send(permit(harness, HELLO, unknown=True, first_try_at=1), Traffic())
    assert again.found and again.ids == first.ids
    assert await harness.heard() == ["hello"]


@pytest.mark.parametrize(
    ("route", "status"), [("message.history", 403), ("message.history", 500), ("message.create", 429)]
)
async def test_what_nobody_remembers_is_no_sign_of_an_attempt(
    harness: PodHarness, route: str, status: int
) -> None:
    """Looking sends nothing, and what the pod turned away it does not have: that is certain."""
    async with harness.connector() as connector:
        harness.pod.faults.add("status", route=route, status=status)
        with pytest.raises(Unreachable) as caught:
            await connector.send(permit(harness, HELLO, unknown=True, first_try_at=1), Traffic())
    assert caught.value.certain is True
    assert await harness.heard() == []


async def test_attachments_are_opened_again_for_a_repetition(harness: PodHarness) -> None:
    """A repeated form carries the whole file, not the empty rest of a read one."""
    content = bytes(range(256)) * 200
    blob = harness.blobs.add(content, 'a "b"\r\n研究.pdf', Kind.FILE, "application/pdf")
    async with harness.connector() as connector:
        harness.pod.faults.add("status", route="message.create", status=401)
        await connector.send(permit(harness, Content("see", files=(blob,))), Traffic())
    assert harness.blobs.opened == 2
    (message,) = harness.pod.messages(harness.conversation)
    assert message.files[0].path.read_bytes() == content
    assert "研究.pdf" in message.files[0].name


async def test_a_damaged_blob_stops_the_send_and_says_so(harness: PodHarness) -> None:
    """What the archive cannot vouch for is not sent, and the archive's error is what the caller hears."""
    blob = harness.blobs.add(b"x" * 1000, "a.pdf")
    harness.blobs.spoil(blob)
    async with harness.connector() as connector:
        with pytest.raises(StoreError):
            await connector.send(permit(harness, Content("see", files=(blob,))), Traffic())
    assert await harness.heard() == []


async def test_what_is_too_large_never_leaves(harness: PodHarness) -> None:
    """Limits are checked before anything is sent."""
    async with harness.connector() as connector:
        with pytest.raises(Refused) as caught:
            await connector.send(permit(harness, Content("x" * 70_000)), Traffic())
    assert caught.value.code == "too-large"
    assert not harness.requests("message.create")


async def test_the_message_names_its_author_and_carries_its_permit(harness: PodHarness) -> None:
    """People see who speaks; the data lets us know our own again."""
    ours = permit(harness, Content("你好", author="李雷", quote="price?"))
    async with harness.connector() as connector:
        await connector.send(ours, Traffic())
    (message,) = harness.pod.messages(harness.conversation)
    assert "<b>李雷:</b> 你好" in message.presentation and "<i>│ price?</i>" in message.presentation
    assert json.loads(message.data or "{}")["weighbridge"]["permit"] == ours.id


# --- notes ----------------------------------------------------------------------------------------------


async def test_a_posted_note_is_nobodys_message(harness: PodHarness) -> None:
    """It stands in the room letter by letter; by the feed and from history it comes back as an echo of ours,
    which is neither archived nor relayed."""
    note = drawn().sign(0, 7, bytes(32))
    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        posted = await connector.post_note(harness.conversation, "checkpoint/0/7", note)
        await harness.say("after it")
        batches = await batches_until(connector, cursors, heard_live("after it"))
        again = await batches_until(
            connector, harness.paired() | {STREAM + harness.conversation: "1"}, said("after it")
        )
    for taken in (batches, again):
        assert not [message for message in messages(taken) if "weighbridge" in message.text]
    echoes = {echo.permit: echo.id for batch in batches for echo in batch.echoes}
    assert echoes["checkpoint/0/7"] == posted
    ours = [one for one in harness.pod.messages(harness.conversation) if one.author.username == BOT]
    assert [list(notes_in(one.presentation)) for one in ours][-1] == [note]


async def test_a_room_that_is_not_ours_says_so(harness: PodHarness) -> None:
    """Before anything is posted, for a doctor, and when it is."""
    closed = harness.pod.create_room("Closed", [ALICE])
    async with harness.connector() as connector:
        assert await connector.check_stream(harness.conversation) == "a member of the room"
        for attempt in (
            connector.check_stream(closed),
            connector.post_note(closed, "checkpoint/0/7", drawn().sign(0, 7, bytes(32))),
        ):
            with pytest.raises(Refused) as caught:
                await attempt
            assert caught.value.code == "not-member"


# --- attachments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "settings", "expected"),
    [
        ("status", {"status": 400}, "gone"),
        ("status", {"status": 404}, "gone"),
        ("status", {"status": 403}, "not-member"),
        ("status", {"status": 429, "retry_after": 3}, Unreachable),
        ("status", {"status": 500}, Unreachable),
        ("html", {"status": 502}, Unreachable),
        ("html", {"status": 200}, Unreachable),
        ("drop", {"times": None}, Unreachable),
        ("drop", {}, None),
        ("status", {"status": 401}, None),
        ("status", {"status": 401, "times": None}, Unreachable),
    ],
)
async def test_what_each_answer_to_a_fetch_means(
    harness: PodHarness, fault: str, settings: dict[str, Any], expected: str | type[Exception] | None
) -> None:
    """Gone is refused, an accident is worth another try, a refused token is renewed; no half file passes."""
    async with harness.connector() as connector:
        message = await _file(harness, connector, b"\x00\xff" * 300_000)
        harness.pod.faults.add(fault, route="attachment.get", **settings)
        if expected is None:
            assert (await content_of(connector, message))[0] == b"\x00\xff" * 300_000
            return
        with pytest.raises((Refused, Unreachable)) as caught:
            await content_of(connector, message)
    if isinstance(expected, str):
        assert isinstance(caught.value, Refused) and caught.value.code == expected
    else:
        assert isinstance(caught.value, expected)


async def test_a_file_over_the_limit_is_refused_however_it_is_announced(harness: PodHarness) -> None:
    """By its announced size before it is fetched, and by what comes while it is."""
    async with harness.connector(max_file_bytes=1000) as connector:
        message = await _file(harness, connector, b"x" * 1001)
        with pytest.raises(Refused) as caught:
            await content_of(connector, message)
        assert caught.value.code == "too-large" and not harness.requests("attachment.get")
        silent = File(message.files[0].ref, "a", size=-1)
        with pytest.raises(Refused) as caught:
            _ = [piece async for piece in connector.fetch(silent)]
        assert caught.value.code == "too-large" and harness.requests("attachment.get")


async def _file(harness: PodHarness, connector: SymphonyConnector, content: bytes) -> Any:
    cursors = await settle(harness, connector)
    await harness.give("a.bin", content)
    with_files: Callable[[list[Batch]], bool] = lambda taken: any(m.files for m in messages(taken))  # noqa: E731
    batches = await batches_until(connector, cursors, with_files)
    return next(message for message in messages(batches) if message.files)


# --- people and rooms -----------------------------------------------------------------------------------


async def test_people_are_found_and_rooms_opened(harness: PodHarness) -> None:
    """An advisor is found by address, and gets a room in which both sides can speak."""
    async with harness.connector() as connector:
        alice = await connector.find_user("alice.wong@bank.example")
        assert alice is not None
        assert (alice.network, alice.name, alice.address) == (
            SYMPHONY,
            "Alice Wong",
            "alice.wong@bank.example",
        )
        assert await connector.find_user("nobody@bank.example") is None
        room = await connector.open_room("Alice Wong / 李雷", [alice.id])
        me = await connector.whoami()
    harness.pod.say(ALICE, room, "I am in")
    assert {str(user_id) for user_id in harness.pod.stream(room).members} == {alice.id, me.id}


async def test_a_colleague_is_written_to_directly(harness: PodHarness) -> None:
    """A conversation named by an address is the direct chat with that person: looked up and opened once."""
    direct = "im:alice.wong@bank.example"
    async with harness.connector() as connector:
        for number in (1, 2):
            one = replace(permit(harness, f"look at message {number}", number), conversation=direct)
            await connector.send(one, Traffic())
        me, alice = await connector.whoami(), await connector.find_user("alice.wong@bank.example")
    (chat,) = [stream for stream in harness.pod.streams.values() if stream.kind == "IM"]
    assert alice is not None and {str(user_id) for user_id in chat.members} == {me.id, alice.id}
    posts = [request.path for request in harness.requests("message.create")]
    assert len(posts) == 2 and all(chat.stream_id in path for path in posts)
    assert (len(harness.requests("user.lookup")), len(harness.requests("im.create"))) == (2, 1)


async def test_a_direct_chat_that_was_posted_into_is_looked_up_there(harness: PodHarness) -> None:
    """After a lost answer, the direct chat itself is searched: the notice is not written twice."""
    direct = "im:alice.wong@bank.example"
    first = replace(permit(harness, HELLO, first_try_at=harness.now()), conversation=direct)
    async with harness.connector() as connector:
        sent = await connector.send(first, Traffic())
        again = await connector.send(replace(first, attempt=2, uncertain=True), Traffic())
    assert (again.ids, again.found) == (sent.ids, True)


async def test_nobody_with_the_address_is_refused(harness: PodHarness) -> None:
    """An address that no active user has: refused for good, nothing is opened."""
    async with harness.connector() as connector:
        with pytest.raises(Refused) as caught:
            await connector.send(
                replace(permit(harness, HELLO), conversation="im:nobody@bank.example"), Traffic()
            )
    assert caught.value.code == "unknown-user"
    assert not harness.requests("im.create")


async def test_the_doctor_hears_what_works_and_what_does_not(harness: PodHarness) -> None:
    """Every step is named with its result; the first broken door is said plainly."""
    async with harness.connector() as connector:
        assert [result[:2] for result in await connector.check()] == [
            ("sign-in", True),
            ("agent", True),
            ("account", True),
            ("datafeeds", True),
        ]
        harness.pod.faults.add("status", route="datafeed.list", status=403)
        assert (await connector.check())[-1][:2] == ("datafeeds", False)


# --- recounting -----------------------------------------------------------------------------------------


async def test_a_recount_finds_rooms_that_nobody_told_us_of(harness: PodHarness) -> None:
    """A room that no cursor names and no feed ever spoke of is asked all the same; our own words carry
    their permit."""
    strange = harness.pod.create_room("Unknown", [BOT, ALICE])
    harness.pod.say(ALICE, strange, "off the record")
    async with harness.connector() as connector:
        await connector.send(permit(harness, HELLO), Traffic())
        seen = [item async for item in connector.recount(0, harness.now() + 60_000)]
    assert [one.conversation for one in seen if not one.permit] == [strange]
    assert [one.permit for one in seen if one.permit] == [f"{1:020d}"]


async def test_what_is_ours_is_shown_with_its_words(harness: PodHarness) -> None:
    """A delivery reads as it was sent; a note as it was signed; what somebody wrote by hand has no permit."""
    key = "canary/2026-11-21/1763773200000"
    signer = Signer("weighbridge/5b1c4e1a0c77d2e9", b"k" * 32)
    note = signer.note(0, f"{signer.origin(0)}\nweighbridge canary {key}\n")
    async with harness.connector() as connector:
        await connector.send(permit(harness, HELLO), Traffic())
        await connector.post_note(harness.conversation, key, note)
        harness.pod.say(BOT, harness.conversation, "by hand")
        seen = [
            one async for one in connector.recount(0, harness.now() + 60_000) if isinstance(one, Sighting)
        ]
    assert [one.permit for one in seen if one.ours] == [f"{1:020d}", key, ""]
    sent, posted, by_hand = (letters(one.text) for one in seen if one.ours)
    assert letters(HELLO.text) in sent and by_hand == " by hand "
    assert posted.replace(" ", "") == letters(note).replace(" ", "")
    assert all(one.at for one in seen)


async def test_a_stream_that_the_account_has_left_is_said(harness: PodHarness) -> None:
    """What the archive knows and the pod does not list cannot be asked for any more."""
    async with harness.connector() as connector:
        seen = [item async for item in connector.recount(5, 9, [harness.conversation, "left"])]
    assert [one.conversation for one in seen if isinstance(one, Unasked)] == ["left"]


async def test_its_own_leaving_is_told_apart_from_other_peoples(harness: PodHarness) -> None:
    """The bridge is removed from a room and added again, and so is somebody else: by the id of the first note
    a recount knows that what was said meanwhile never was for the bridge."""
    pod = harness.pod
    harness.conversation = pod.create_room("Hers", [ALICE, BOT])
    room, owner = pod.stream(harness.conversation), pod.user(ALICE)
    pod.add_user("bob.li", "bob.li@bank.example", "Bob Li")

    def changes(batches: list[Batch]) -> list[tuple[str, bool]]:
        notes = [one for one in messages(batches) if one.kind is Kind.NOTE]
        ways = [(one.text.split()[-4], one.id.startswith(WENT)) for one in notes]
        return [one for one in ways if one[0] in ("joined", "left")]

    async with harness.connector() as connector:
        cursors = await settle(harness, connector)
        for act, user in ((pod.join, "bob.li"), (pod.leave, "bob.li"), (pod.leave, BOT), (pod.join, BOT)):
            act(room, pod.user(user), by=owner)
        batches = await batches_until(connector, cursors, lambda batches: len(changes(batches)) == 4)
    assert changes(batches) == [("joined", False), ("left", False), ("left", True), ("joined", False)]


async def test_a_stream_whose_history_is_refused_is_said(harness: PodHarness) -> None:
    """What the pod does not show is no silence: the recount says which stream it could not ask."""
    harness.pod.faults.add("status", route="message.history", status=403)
    async with harness.connector() as connector:
        seen = [item async for item in connector.recount(5, 9)]
    assert [(one.conversation, one.since, one.until) for one in seen if isinstance(one, Unasked)] == [
        (harness.conversation, 5, 9)
    ]


async def test_streams_without_an_id_end_no_list(
    harness: PodHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that cannot be read count for where the next page begins: none is asked for twice."""
    pages, asked = [[{}] * 100, [{}] * 99 + [{"id": "room"}], []], []

    async def answer(url: str, *_: object) -> object:
        asked.append(url.rpartition("?")[2])
        return pages[len(asked) - 1]

    async with harness.connector() as connector:
        monkeypatch.setattr(connector, "_post", answer)
        assert await connector._own_streams() == ["room"]
    assert asked == [f"skip={skip}&limit=100" for skip in (0, 100, 200)]

"""Every fault switch of the mock pod does what its row in `FAULTS` promises, and nothing once it is spent.

One trial per switch; a switch without a trial fails the suite.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from symphony_mock_rig import ALICE, Scene, scene

from connectors.symphony.mock import FAULTS, UnknownFault
from connectors.symphony.mock.faults import ANSWER, FaultBook

HELLO = "<messageML>hello</messageML>"
CUT = (aiohttp.ClientError, ConnectionError)
Trial = Callable[[Scene], Awaitable[None]]


async def feed_with(act: Scene, *texts: str, attachments: Any = ()) -> str:
    """A feed of the bot that holds these messages of Alice."""
    feed = await act.bot.open_feed()
    for text in texts:
        act.pod.say(ALICE, act.room, text, attachments=attachments)
    return feed


async def events_under(act: Scene, switch: str, *texts: str, **given: Any) -> list[Any]:
    """What a read yields while the switch is on."""
    feed = await feed_with(act, *texts, **given)
    act.pod.faults.add(switch)
    return (await act.bot.read(feed)).json["events"]


def texts_of(act: Scene) -> list[str]:
    return [message.text for message in act.pod.messages(act.room)]


async def try_status(act: Scene) -> None:
    act.pod.faults.add("status", route="message.create", status=429, retry_after=7)
    answer = await act.bot.send(act.room, HELLO)
    assert (answer.status, answer.headers["Retry-After"], answer.json["code"]) == (429, "7", 429)
    assert texts_of(act) == []


async def try_drop(act: Scene) -> None:
    act.pod.faults.add("drop", route="message.create")
    with pytest.raises(CUT):
        await act.bot.send(act.room, HELLO)
    assert texts_of(act) == []


async def try_delay(act: Scene) -> None:
    act.pod.faults.add("delay", route="message.create", seconds=30.0)
    with pytest.raises(TimeoutError):
        await act.bot.call("POST", f"/agent/v4/stream/{act.room}/message/create", data=b"", within=0.05)


async def try_timeout(act: Scene) -> None:
    act.pod.faults.add("timeout", route="session.info")
    with pytest.raises(TimeoutError):
        await act.bot.get("/pod/v2/sessioninfo", within=0.05)


async def try_truncate(act: Scene) -> None:
    act.pod.faults.add("truncate", route="message.create")
    with pytest.raises(aiohttp.ClientPayloadError):
        await act.bot.send(act.room, HELLO)
    assert texts_of(act) == ["hello"], "the message was accepted; only its answer is broken"


async def try_html(act: Scene) -> None:
    act.pod.faults.add("html", route="session.info", status=200)
    answer = await act.bot.get("/pod/v2/sessioninfo")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")


async def try_slow_poll(act: Scene) -> None:
    feed = await act.bot.open_feed()
    act.pod.faults.add("slow_poll", seconds=300.0)
    with pytest.raises(TimeoutError):
        await act.bot.read(feed, within=0.05)


async def try_duplicate_delivery(act: Scene) -> None:
    feed = await feed_with(act, "once")
    act.pod.faults.add("duplicate_delivery")
    first = (await act.bot.read(feed)).json
    second = (await act.bot.read(feed, first["ackId"])).json
    assert [event["messageId"] for event in first["events"]] == [
        event["messageId"] for event in second["events"]
    ]
    assert (await act.bot.read(feed, second["ackId"])).json["events"] == []


async def try_out_of_order(act: Scene) -> None:
    events = await events_under(act, "out_of_order", "first", "second")
    words = [event["payload"]["messageSent"]["message"]["message"] for event in events]
    assert "second" in words[0] and "first" in words[1]


async def try_same_event_id(act: Scene) -> None:
    events = await events_under(act, "same_event_id", "first", "second")
    assert len({event["id"] for event in events}) == 1
    assert len({event["messageId"] for event in events}) == 2


async def try_attachment_without_images(act: Scene) -> None:
    file = ("a.txt", "text/plain", b"abc")
    (event,) = await events_under(act, "attachment_without_images", "file", attachments=[file])
    (attachment,) = event["payload"]["messageSent"]["message"]["attachments"]
    assert attachment.keys() == {"id", "name", "size"}


async def try_user_id_as_string(act: Scene) -> None:
    (event,) = await events_under(act, "user_id_as_string", "hello")
    assert event["initiator"]["user"]["userId"] == str(act.pod.user(ALICE).user_id)


async def try_null_event(act: Scene) -> None:
    events = await events_under(act, "null_event", "hello")
    assert events[0] is None and len(events) == 2


async def try_empty_payload(act: Scene) -> None:
    (event,) = await events_under(act, "empty_payload", "hello")
    assert event["payload"] == {} and event["type"] == "MESSAGESENT" and event["messageId"]


async def try_unknown_event_type(act: Scene) -> None:
    events = await events_under(act, "unknown_event_type", "hello")
    assert [event["type"] for event in events] == ["SOMETHINGNEW", "MESSAGESENT"]


async def try_no_initiator(act: Scene) -> None:
    (event,) = await events_under(act, "no_initiator", "hello")
    assert "initiator" not in event and event["payload"]


async def try_feed_expired(act: Scene) -> None:
    feed, other = await feed_with(act, "lost"), await act.bot.open_feed()
    act.pod.faults.add("feed_expired")
    assert (await act.bot.read(feed)).status == 400
    assert [item["id"] for item in (await act.bot.get("/agent/v5/datafeeds")).json] == [other]


async def try_feed_vanished(act: Scene) -> None:
    feed, _ = await feed_with(act, "lost"), await act.bot.open_feed()
    act.pod.faults.add("feed_vanished")
    assert (await act.bot.get("/agent/v5/datafeeds")).json == []
    assert (await act.bot.read(feed)).status == 400


async def try_feed_cap(act: Scene) -> None:
    act.pod.faults.add("feed_cap")
    assert (await act.bot.post("/agent/v5/datafeeds", {})).status == 403


async def try_create_feed_status(act: Scene) -> None:
    act.pod.faults.add("create_feed_status")
    answer = await act.bot.post("/agent/v5/datafeeds", {})
    assert answer.status == 200 and answer.json["id"]


async def try_delete_feed_status(act: Scene) -> None:
    for status in (204, 400):
        feed = await act.bot.open_feed()
        act.pod.faults.add("delete_feed_status", status=status)
        assert (await act.bot.call("DELETE", f"/agent/v5/datafeeds/{feed}")).status == status


async def try_session_expired(act: Scene) -> None:
    act.pod.faults.add("session_expired", route="session.info")
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 401
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 401, "the session stays ended"
    await act.bot.login()


async def try_key_manager_expired(act: Scene) -> None:
    act.pod.faults.add("key_manager_expired", route="datafeed.list")
    assert (await act.bot.get("/agent/v5/datafeeds")).status == 401
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 200, "the session itself lives on"
    await act.bot.login()


async def try_login_refused(act: Scene) -> None:
    act.pod.faults.add("login_refused", route="login.keymanager")
    token = {"token": act.bot.jwt()}
    assert (await act.bot.post("/relay/pubkey/authenticate", token)).status == 401
    assert (await act.bot.post("/relay/pubkey/authenticate", token)).status == 200


async def try_key_revoked(act: Scene) -> None:
    act.pod.faults.add("key_revoked", route="session.info")
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 401
    assert (await act.bot.post("/login/pubkey/authenticate", {"token": act.bot.jwt()})).status == 401
    act.pod.restore_key(act.bot.username)
    await act.bot.login()


async def try_other_json_types(act: Scene) -> None:
    message = act.pod.say(ALICE, act.room, "hello")
    act.pod.faults.add("other_json_types", route="message.status")
    status = (await act.bot.get(f"/pod/v1/message/{message.message_id}/status")).json
    assert isinstance(status["author"]["userId"], int)
    act.pod.compliance.note("act", "Act", act.pod.user(ALICE), act.pod.clock.now_ms())
    act.pod.faults.add("other_json_types", route="audittrail.list")
    trail = (await act.bot.get("/agent/v1/audittrail/privilegeduser?startTimestamp=0")).json
    assert isinstance(trail["items"][0]["timestamp"], int)


async def try_health_down(act: Scene) -> None:
    act.pod.faults.add("health_down")
    answer = await act.bot.get("/agent/v3/health/extended")
    assert (answer.status, answer.json["status"]) == (503, "DOWN")


@pytest.mark.parametrize("switch", FAULTS)
async def test_every_switch_does_what_it_promises(switch: str) -> None:
    """Each row of FAULTS has a trial here, its fault strikes as often as asked, and then it is off."""
    trial: Trial = globals()[f"try_{switch}"]
    async with scene() as act:
        await trial(act)
        assert list(act.pod.faults) == []
        assert (await act.bot.get("/pod/v2/sessioninfo")).status == 200


@pytest.mark.parametrize("switch", [name for name, switch in FAULTS.items() if switch.kind == ANSWER])
async def test_an_accepted_send_can_lose_its_answer(switch: str) -> None:
    """Any answer fault with `after` leaves the message posted: the uncertain send a bridge looks up."""
    async with scene() as act:
        act.pod.faults.add(switch, route="message.create", after=True)
        try:
            answer = await act.bot.call(
                "POST", f"/agent/v4/stream/{act.room}/message/create", data=form_of(HELLO), within=0.3
            )
            assert answer.status in (502, 503)
        except (*CUT, TimeoutError):
            pass
        assert texts_of(act) == ["hello"]


def form_of(message: str) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("message", message)
    return form


async def test_faults_strike_their_route_alone() -> None:
    """A fault of one route leaves the others in peace."""
    async with scene() as act:
        act.pod.faults.add(route="message.create", times=None)
        assert (await act.bot.get("/pod/v2/sessioninfo")).status == 200
        assert [(await act.bot.send(act.room, HELLO)).status for _ in range(3)] == [503, 503, 503]
        act.pod.faults.clear()
        assert (await act.bot.send(act.room, HELLO)).status == 200


def test_a_probability_strikes_about_that_often_and_the_same_way_again() -> None:
    """The seed decides: a load test with accidents can be repeated."""
    runs = []
    for _ in range(2):
        book = FaultBook(seed=7)
        book.add("status", times=None, probability=0.2)
        runs.append([book.take_answer("any", after=False) is not None for _ in range(1000)])
    assert runs[0] == runs[1]
    assert 150 < sum(runs[0]) < 250


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "nonsense"}, "no fault is called 'nonsense'"),
        ({"name": "feed_cap", "route": "message.create"}, "only on datafeed.create"),
        ({"name": "drop", "seconds": 3}, "no setting seconds"),
        ({"name": "feed_cap", "after": True}, "cannot be set with after=True"),
    ],
)
def test_a_wrong_fault_is_refused_with_its_reason(wrong: dict[str, Any], said: str) -> None:
    """A test that asks for a fault that cannot be learns it at once, not by passing for nothing."""
    with pytest.raises(UnknownFault, match=said):
        FaultBook().add(**wrong)

"""Another process can do over HTTP what a test does with the object; and a person can watch in a browser."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from symphony_mock_rig import ALICE, BOB, BOT, Caller, Scene, scene

from connectors.symphony.mock import FAULTS
from connectors.symphony.mock.control import load_text

PICTURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def act() -> AsyncIterator[Scene]:
    async with scene() as served:
        yield served


async def mock(act: Scene, path: str, body: Any = None, method: str = "POST") -> Any:
    """A control call that must succeed."""
    answer = await act.bot.call(method, f"/_mock/{path}", json=body)
    assert answer.status == 200, answer
    return answer.json


async def test_a_cast_can_be_set_up_from_outside(act: Scene) -> None:
    """Users, bots with their keys, rooms, members and IMs; the new bot logs in with the key it was given."""
    carol = {"username": "carol", "email": "carol@bank.example", "display_name": "Carol Ng"}
    number = (await mock(act, "users", carol))["userId"]
    made = await mock(act, "bots", {"username": "second-bot"})
    room = (await mock(act, "rooms", {"name": "Desk", "members": ["carol", "second-bot"]}))["streamId"]
    await mock(act, f"streams/{room}/members", {"user": ALICE})
    assert {user["id"] for user in await mock(act, "users", method="GET")} >= {number, made["userId"]}
    assert room in [stream["id"] for stream in await mock(act, "streams", method="GET")]
    assert (await mock(act, "ims", {"members": ["carol", ALICE]}))["streamId"]
    second = Caller(act.pod, act.bot.url, made["privateKey"], act.bot.http, "second-bot")
    await second.login()
    assert (await second.send(room, "<messageML>hi</messageML>")).status == 200


async def test_people_write_edit_and_delete_from_outside(act: Scene) -> None:
    """say, edit, suppress and the messages of a stream, in JSON."""
    said = await mock(act, "say", {"user": ALICE, "stream": act.room, "text": "a < b"})
    assert said["text"] == "a < b" and said["byAgent"] is False and said["acceptedNs"] <= time.monotonic_ns()
    await mock(act, "edit", {"messageId": said["messageId"], "text": "b"})
    other = await mock(
        act, "say", {"user": BOB, "stream": "Li Lei", "messageml": "<messageML><b>c</b></messageML>"}
    )
    assert [row["text"] for row in await mock(act, f"streams/{act.room}/messages", method="GET")] == [
        "b",
        "c",
    ]
    await mock(act, "suppress", {"messageId": other["messageId"]})
    assert [row["text"] for row in await mock(act, f"streams/{act.room}/messages", method="GET")] == ["b"]


async def test_files_go_in_as_a_form_and_come_out_raw(act: Scene) -> None:
    """The page's way of sending a file: multipart; an image comes out as one, the rest as bytes."""
    form = aiohttp.FormData(quote_fields=False)
    for name, value in {"user": ALICE, "stream": act.room, "text": "see"}.items():
        form.add_field(name, value)
    form.add_field("attachment", PICTURE, filename="图.png", content_type="image/png")
    form.add_field("attachment", b"<script>", filename="x.html", content_type="text/html")
    said = (await act.bot.call("POST", "/_mock/say", data=form)).json
    image, page = said["attachments"]
    shown = await act.bot.get(f"/_mock/files/{said['messageId']}/{image['id']}")
    assert (shown.content, shown.headers["Content-Type"], image["name"]) == (PICTURE, "image/png", "图.png")
    kept = await act.bot.get(f"/_mock/files/{said['messageId']}/{page['id']}")
    assert kept.headers["Content-Type"] == "application/octet-stream"


async def test_faults_clock_requests_and_rules_from_outside(act: Scene) -> None:
    """The whole table of switches is listed; faults are set and cleared; time moves; requests are read."""
    listed = await mock(act, "faults", method="GET")
    assert {switch["name"] for switch in listed["switches"]} == set(FAULTS)
    await mock(act, "faults", {"route": "session.info", "status": 503, "times": None})
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 503
    assert len((await mock(act, "faults", method="GET"))["active"]) == 1
    await mock(act, "faults", method="DELETE")
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 200
    before = (await mock(act, "clock", method="GET"))["now"]
    assert (await mock(act, "clock", {"advance": 3600}))["now"] >= before + 3600
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 401
    seen = await mock(act, "requests?route=session.info", method="GET")
    assert [record["status"] for record in seen] == [503, 200, 401]
    await mock(act, "requests", method="DELETE")
    assert await mock(act, "requests", method="GET") == []
    await mock(act, "dlp", {"name": "cards", "pattern": "4111"})
    blocked = await act.bot.post("/_mock/say", {"user": ALICE, "stream": act.room, "text": "4111"})
    assert blocked.status == 451


async def test_keys_are_revoked_restored_and_replaced_from_outside(act: Scene) -> None:
    """A revoked key ends the session; a replaced one logs in."""
    await mock(act, "keys", {"user": BOT, "act": "revoke"})
    assert (await act.bot.get("/pod/v2/sessioninfo")).status == 401
    await mock(act, "keys", {"user": BOT, "act": "restore"})
    act.bot.key = (await mock(act, "keys", {"user": BOT, "act": "replace"}))["privateKey"]
    await act.bot.login()


async def test_load_arrives_numbered_sized_and_timed(act: Scene) -> None:
    """Injected messages reach the feed; each has its place, its author and its time."""
    feed = await act.bot.open_feed()
    before = time.monotonic_ns()
    done = await mock(act, "load", {"streams": [act.room], "count": 50, "size": 200, "label": "bench"})
    assert done["count"] == 50 and before <= done["startedNs"] <= done["endedNs"] <= time.monotonic_ns()
    await act.bot.send(act.room, "<messageML>from the bot</messageML>")
    people = await mock(act, "arrivals?by=person", method="GET")
    assert [row[5][:13] for row in people["arrivals"]] == [f"bench {number:07d}" for number in range(50)]
    assert [row[2] for row in people["arrivals"]] == sorted(row[2] for row in people["arrivals"])
    later = await mock(act, f"arrivals?since={done['next']}", method="GET")
    assert [(row[3], row[5]) for row in later["arrivals"]] == [("agent", "from the bot")]
    assert len((await act.bot.read(feed)).json["events"]) == 51


async def test_load_keeps_the_pace_it_is_given(act: Scene) -> None:
    """With a rate, the last message is not in before its time."""
    done = await mock(act, "load", {"streams": [act.room], "count": 11, "rate": 100, "user": ALICE})
    assert done["endedNs"] - done["startedNs"] >= 100_000_000


def test_a_load_text_has_its_size() -> None:
    """Filler makes the text as long as asked, never shorter than its head."""
    assert [len(load_text("x", 1, size)) for size in (1, 10, 500)] == [10, 10, 500]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("say", {"user": "nobody", "stream": "Li Lei", "text": "x"}, "No user nobody"),
        ("say", {"user": ALICE, "stream": "nowhere", "text": "x"}, "No stream nowhere"),
        ("suppress", {}, "messageId"),
        ("faults", {"name": "nonsense"}, "no fault is called"),
        ("users", {"username": ALICE, "email": "x@bank.example", "display_name": "X"}, "taken"),
        ("rooms", {"name": "X"}, "members"),
        ("clock", {"advance": -1}, "only goes forward"),
    ],
)
async def test_a_wrong_control_call_says_what_is_wrong(act: Scene, path: str, body: Any, said: str) -> None:
    """A mistake in a test script is an answer with a sentence, not a stack trace."""
    answer = await act.bot.post(f"/_mock/{path}", body)
    assert answer.status in (400, 404) and said in answer.json["message"]


# the chat window


async def test_the_page_is_self_contained_and_locked_down(act: Scene) -> None:
    """One answer holds the whole window; its policy lets nothing else load or run, and names are escaped."""
    act.pod.add_user("mallory", "m@bank.example", "<script>alert(1)</script> M")
    page = await act.bot.get("/_mock/chat?user=mallory")
    text = page.content.decode()
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script>alert" not in text and "{{" not in text
    assert "http://" not in text and "https://" not in text and 'src="//' not in text
    assert (await act.bot.get("/_mock/chat?user=nobody")).status == 404


async def frames(act: Scene, user: str) -> AsyncIterator[Any]:
    """The page's live feed, frame by frame."""
    async with act.bot.http.get(f"{act.bot.url}/_mock/chat/stream?user={user}") as reply:
        async for line in reply.content:
            if line.startswith(b"data: "):
                yield orjson.loads(line[6:])


async def test_the_page_hears_what_happens_in_its_persons_streams_only(act: Scene) -> None:
    """Live: a first frame with everything, then each change, as harmless HTML; others' streams are not."""
    private = act.pod.create_im([BOB, BOT])
    feed = frames(act, ALICE)
    first = await anext(feed)
    assert first["present"] == [act.room] and private not in first["present"]
    said = act.pod.say(
        BOB, act.room, messageml='<messageML><b>x</b><img src="https://a.example/i.png"/></messageML>'
    )
    (stream,) = (await anext(feed))["changed"]
    assert [(message["author"], message["mine"], message["html"]) for message in stream["messages"]] == [
        ("Bob Li", False, "<b>x</b>")
    ]
    status = (await act.bot.get(f"/pod/v1/message/{said.message_id}/status")).json
    assert [reader["displayName"] for reader in status["read"]] == ["Alice Wong"], (
        "whoever sees it has read it"
    )
    act.pod.suppress(said.message_id)
    (stream,) = (await anext(feed))["changed"]
    assert (stream["messages"][0]["gone"], stream["messages"][0]["html"]) == (True, "")
    await feed.aclose()

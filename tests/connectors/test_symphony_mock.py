"""The mock pod keeps the vendor's contract: logins, feeds, messages, files, rooms.

Time is moved, never slept: the pod's clock is frozen where a test is about it.
"""

import asyncio
import base64
from typing import Any

import pytest
from symphony_mock_rig import ALICE, BOB, BOT, Scene, scene

from connectors.symphony.mock import Refusal, SymphonyPod
from connectors.symphony.mock.sessions import new_key_pair

HELLO = "<messageML>hello</messageML>"
HALF_HOUR = 1800


# login


async def test_a_login_needs_the_right_key_algorithm_subject_and_expiry() -> None:
    """Only an RS512 JWT of a known bot's own key, ending within five minutes, opens a session."""
    async with scene() as act:
        bot = act.bot
        stranger, _ = new_key_pair()
        wrong = {
            "another key": bot.jwt(key=stranger),
            "RS256": bot.jwt(algorithm="RS256"),
            "expired": bot.jwt(ahead=-5),
            "too far ahead": bot.jwt(ahead=600),
            "unknown user": bot.jwt(sub="nobody"),
            "a person": bot.jwt(sub=ALICE),
            "no JWT": "abc",
        }
        for path in ("/login", "/relay"):
            answers = {
                why: await bot.post(f"{path}/pubkey/authenticate", {"token": token})
                for why, token in wrong.items()
            }
            assert {why: answer.status for why, answer in answers.items()} == dict.fromkeys(wrong, 401)
            assert answers["no JWT"].json == {"code": 401, "message": "Unauthorized"}


async def test_sessions_and_key_manager_tokens_run_out() -> None:
    """Tokens live as long as the pod was told; after that every guarded call is 401 until a new login."""
    async with scene(frozen_clock=True, session_seconds=60, key_manager_seconds=30) as act:
        assert (await act.bot.get("/agent/v5/datafeeds")).status == 200
        act.pod.clock.advance(31)
        assert (await act.bot.get("/agent/v5/datafeeds")).status == 401
        assert (await act.bot.get("/pod/v2/sessioninfo")).status == 200
        act.pod.clock.advance(31)
        assert (await act.bot.get("/pod/v2/sessioninfo")).status == 401
        await act.bot.login()
        assert (await act.bot.get("/agent/v5/datafeeds")).status == 200


async def test_a_replaced_key_works_for_three_days_more() -> None:
    """Key rotation: the previous key logs in for 72 hours, then only the new one."""
    async with scene(frozen_clock=True) as act:
        old = act.bot.key
        act.bot.key = act.pod.replace_key(BOT)
        token = {"token": act.bot.jwt(key=old)}
        assert (await act.bot.post("/login/pubkey/authenticate", token)).status == 200
        act.pod.clock.advance(72 * 3600 + 1)
        token = {"token": act.bot.jwt(key=old)}
        assert (await act.bot.post("/login/pubkey/authenticate", token)).status == 401
        await act.bot.login()


async def test_an_app_acts_on_behalf_of_a_user_without_a_key_manager_token() -> None:
    """On-behalf-of: the app's session buys a user's session, whose messages are the user's."""
    async with scene() as act:
        key = act.pod.add_app("app1")
        token = {"token": act.bot.jwt(key=key, sub="app1")}
        app = (await act.bot.post("/login/pubkey/app/authenticate", token)).json["token"]
        path = f"/login/pubkey/app/username/{ALICE}/authenticate"
        act.bot.tokens = {"sessionToken": app}
        act.bot.tokens = {
            "sessionToken": (await act.bot.call("POST", path)).json["token"],
            "keyManagerToken": "",
        }
        assert (await act.bot.send(act.room, HELLO)).json["user"]["username"] == ALICE


async def test_simplified_keys_make_the_key_manager_unnecessary() -> None:
    """With the switch on, the session token is a JWT that says so, and agent calls need nothing else."""
    async with scene(simplified_keys=True) as act:
        body = act.bot.tokens["sessionToken"].split(".")[1]
        assert b'"canUseSimplifiedKeyDelivery":true' in base64.urlsafe_b64decode(body + "===")
        act.bot.tokens["keyManagerToken"] = ""
        assert (await act.bot.get("/agent/v5/datafeeds")).status == 200


# datafeeds


def texts(batch: Any) -> list[str]:
    """The words of a batch's messages."""
    shown = [event["payload"]["messageSent"]["message"]["message"] for event in batch["events"]]
    return [text.split("<p>")[1].split("</p>")[0] for text in shown]


async def test_an_acknowledged_batch_never_returns_and_another_does_after_its_time() -> None:
    """At least once: what was read comes again until the ackId of its batch was sent."""
    async with scene(frozen_clock=True, redelivery_seconds=30) as act:
        feed = await act.bot.open_feed()
        act.pod.say(ALICE, act.room, "one")
        first = (await act.bot.read(feed)).json
        assert (texts(first), texts((await act.bot.read(feed)).json)) == (["one"], [])
        act.pod.clock.advance(31)
        again = (await act.bot.read(feed)).json
        assert texts(again) == ["one"] and again["ackId"] != first["ackId"]
        assert texts((await act.bot.read(feed, again["ackId"])).json) == []
        act.pod.clock.advance(31)
        assert texts((await act.bot.read(feed, again["ackId"])).json) == [], "the same ackId may be repeated"


async def test_redelivered_events_come_before_newer_ones() -> None:
    """A batch that returns takes its old place at the head of the queue."""
    async with scene(frozen_clock=True) as act:
        feed = await act.bot.open_feed()
        act.pod.say(ALICE, act.room, "one")
        await act.bot.read(feed)
        act.pod.say(ALICE, act.room, "two")
        act.pod.clock.advance(31)
        assert texts((await act.bot.read(feed)).json) == ["one", "two"]


async def test_an_ack_id_of_elsewhere_is_refused() -> None:
    """An ackId the feed never gave out is 400, as a malformed one is."""
    async with scene() as act:
        feed, other = await act.bot.open_feed(), await act.bot.open_feed()
        foreign = (await act.bot.read(other)).json["ackId"]
        for ack_id in ("nonsense", foreign, f"{feed}.99"):
            assert (await act.bot.read(feed, ack_id)).status == 400


async def test_a_feed_ends_after_half_an_hour_without_a_read() -> None:
    """The time to live is counted from the last read; a feed that ended is 400 and takes its events along."""
    async with scene(
        frozen_clock=True, session_seconds=10 * HALF_HOUR, key_manager_seconds=10 * HALF_HOUR
    ) as act:
        feed = await act.bot.open_feed()
        act.pod.clock.advance(HALF_HOUR - 1)
        assert (await act.bot.read(feed)).status == 200
        act.pod.clock.advance(HALF_HOUR - 1)
        assert (await act.bot.read(feed)).status == 200
        act.pod.clock.advance(HALF_HOUR + 1)
        assert (await act.bot.read(feed)).status == 400
        assert (await act.bot.get("/agent/v5/datafeeds")).json == []


async def test_an_account_has_twenty_feeds_at_most() -> None:
    """The twenty-first feed is 403."""
    async with scene() as act:
        statuses = [(await act.bot.post("/agent/v5/datafeeds", {})).status for _ in range(21)]
        assert statuses == [201] * 20 + [403]


async def test_a_long_poll_ends_with_the_first_news() -> None:
    """A waiting read answers as soon as somebody writes."""
    async with scene(poll_seconds=30) as act:
        feed = await act.bot.open_feed()
        waiting = asyncio.create_task(act.bot.read(feed))
        await act.pod.until_requested("datafeed.read")
        act.pod.say(ALICE, act.room, "news")
        assert texts((await waiting).json) == ["news"]


async def test_a_long_poll_without_news_ends_empty_in_its_time() -> None:
    """Thirty seconds of the pod's clock after the request the answer is an empty list and a fresh ackId."""
    async with scene(frozen_clock=True, poll_seconds=30) as act:
        feed = await act.bot.open_feed()
        waiting = asyncio.create_task(act.bot.read(feed))
        await act.pod.until_requested("datafeed.read")
        act.pod.clock.advance(31)
        answer = (await waiting).json
        assert answer["events"] == [] and answer["ackId"]


async def test_readers_of_one_feed_share_its_events_and_two_feeds_each_have_all() -> None:
    """Several readers split one feed; another feed of the account sees everything again."""
    async with scene(batch_limit=1) as act:
        feed, other = await act.bot.open_feed(), await act.bot.open_feed()
        for word in ("one", "two"):
            act.pod.say(ALICE, act.room, word)
        assert [texts((await act.bot.read(feed)).json) for _ in range(2)] == [["one"], ["two"]]
        assert texts((await act.bot.read(other)).json) == ["one"]


async def test_a_datahose_hears_conversations_its_account_is_not_in() -> None:
    """The compliance feed: all of the pod, narrowed by type; a wrong type or a missing tag is 400."""
    async with scene() as act:
        wanted = {"type": "datahose", "tag": "all", "eventTypes": ["MESSAGESENT"]}
        await act.bot.post("/agent/v5/events/read", wanted)
        private = act.pod.create_im([ALICE, BOB])
        act.pod.say(BOB, private, "between us")
        assert texts((await act.bot.post("/agent/v5/events/read", wanted)).json) == ["between us"]
        for wrong in ({"type": "fanout"}, {"tag": ""}, {"eventTypes": []}):
            assert (await act.bot.post("/agent/v5/events/read", {**wanted, **wrong})).status == 400


async def test_the_sender_hears_its_own_message_too() -> None:
    """MESSAGESENT goes to every member's feed, the author's included."""
    async with scene() as act:
        feed = await act.bot.open_feed()
        sent = (await act.bot.send(act.room, HELLO)).json
        (event,) = (await act.bot.read(feed)).json["events"]
        assert (
            event["messageId"] == event["payload"]["messageSent"]["message"]["messageId"] == sent["messageId"]
        )


# messages


@pytest.mark.parametrize("size", [3, 1_000_000], ids=["small", "streamed"])
async def test_a_file_comes_back_as_base64_text(size: int) -> None:
    """An attachment's bytes survive, read at once or streamed; the download is base64 text."""
    content = bytes(range(256)) * (size // 256 + 1)
    async with scene() as act:
        sent = (
            await act.bot.send(act.room, HELLO, ("持仓.bin", content), ("b.txt", b"second"), data="")
        ).json
        first, second = sent["attachments"]
        assert (first["name"], first["size"], first["images"], second["name"]) == (
            "持仓.bin",
            len(content),
            [],
            "b.txt",
        )
        where = f"/agent/v1/stream/{act.room}/attachment?fileId={first['id']}&messageId={sent['messageId']}"
        answer = await act.bot.get(where)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert base64.b64decode(answer.content, validate=True) == content


async def test_attachments_over_thirty_megabytes_are_refused() -> None:
    """The limit is on all files of a message together; a refused message has no file on disk."""
    async with scene() as act:
        half = b"x" * 16_000_000
        answer = await act.bot.send(act.room, HELLO, ("a", half), ("b", half))
        assert answer.status == 400
        assert list(act.pod.directory.iterdir()) == [] and act.pod.messages(act.room) == []


@pytest.mark.parametrize(
    "message", ["<messageML>", "plain", "<messageML>${x}</messageML>", "<messageML></messageML>"]
)
async def test_a_message_that_is_no_messageml_is_refused(message: str) -> None:
    """A 40x means that nothing was sent."""
    async with scene() as act:
        assert (await act.bot.send(act.room, message, ("a.txt", b"x"))).status == 400
        assert act.pod.messages(act.room) == [] and list(act.pod.directory.iterdir()) == []


async def test_only_members_write_into_a_stream() -> None:
    """A stream one is not in is 403, an unknown one 404."""
    async with scene() as act:
        private = act.pod.create_im([ALICE, BOB])
        assert [(await act.bot.send(stream, HELLO)).status for stream in (private, "nowhere")] == [403, 404]


async def test_an_edit_is_a_new_message_that_names_the_first() -> None:
    """Chains of edits keep the first message's id and time; only the author may edit."""
    async with scene() as act:
        feed = await act.bot.open_feed()
        first = act.pod.say(ALICE, act.room, "teh")
        second = act.pod.edit(first.message_id, "the")
        act.pod.edit(first.message_id, "The")
        shown = [
            event["payload"]["messageSent"]["message"] for event in (await act.bot.read(feed)).json["events"]
        ]
        assert [message.get("replacing") for message in shown] == [None, first.message_id, second.message_id]
        assert [message.get("initialMessageId") for message in shown[1:]] == [first.message_id] * 2
        assert [message.text for message in act.pod.messages(act.room)] == ["The"]
        path = f"/agent/v4/stream/{act.room}/message/{first.message_id}/update"
        assert (await act.bot.form(path, HELLO)).status == 403


async def test_a_deleted_message_is_announced_once_and_gone_from_history() -> None:
    """Suppression: an event, an empty look-up, no place in history; a second time does nothing but say 0."""
    async with scene() as act:
        feed = await act.bot.open_feed()
        number = (await act.bot.send(act.room, HELLO)).json["messageId"]
        path = f"/pod/v1/admin/messagesuppression/{number}/suppress"
        dates = [(await act.bot.post(path)).json["suppressionDate"] for _ in range(2)]
        assert dates[0] > 0 and dates[1] == 0
        kinds = [event["type"] for event in (await act.bot.read(feed)).json["events"]]
        assert kinds == ["MESSAGESENT", "MESSAGESUPPRESSED"]
        assert (await act.bot.get(f"/agent/v1/message/{number}")).status == 204
        assert (await act.bot.get(f"/agent/v4/stream/{act.room}/message?since=0")).status == 204
        foreign = act.pod.say(ALICE, act.room, "mine")
        refused = await act.bot.post(f"/pod/v1/admin/messagesuppression/{foreign.message_id}/suppress")
        assert refused.status == 403


async def test_deleting_an_edited_message_takes_all_its_versions() -> None:
    """Nothing of it is left in history, whichever version was named."""
    async with scene() as act:
        for name_first in (True, False):
            first = act.pod.say(ALICE, act.room, "one")
            last = act.pod.edit(first.message_id, "two")
            act.pod.suppress((first if name_first else last).message_id)
        assert (await act.bot.get(f"/agent/v4/stream/{act.room}/message?since=0")).status == 204


async def test_history_can_be_paged_without_loss_or_repetition() -> None:
    """The cursor rule: since = the last timestamp seen, skip = how many with that timestamp were seen."""
    async with scene(frozen_clock=True) as act:
        for number in range(25):
            act.pod.say(ALICE, act.room, str(number))
            act.pod.clock.advance(0.001 if number % 3 == 0 else 0)
        seen: list[Any] = []
        while page := await history_page(act, seen):
            seen += page
        assert [message["message"].split("<p>")[1].split("<")[0] for message in seen] == [
            str(n) for n in range(25)
        ]


async def history_page(act: Scene, seen: list[Any]) -> list[Any]:
    since = seen[-1]["timestamp"] if seen else 0
    skip = sum(message["timestamp"] == since for message in seen)
    answer = await act.bot.get(f"/agent/v4/stream/{act.room}/message?since={since}&skip={skip}&limit=4")
    return [] if answer.status == 204 else answer.json


async def test_ids_are_understood_in_both_alphabets() -> None:
    """Screens show standard base64 with padding; the API takes it for the URL-safe id."""
    async with scene() as act:
        room = act.pod.streams.pop(act.room)
        room.stream_id = "ab_c-d"
        act.pod.streams["ab_c-d"] = room
        assert (await act.bot.get("/pod/v2/streams/ab%2Fc%2Bd==/info")).json["id"] == "ab_c-d"


# rooms and people


async def test_room_rules_of_the_platform_hold() -> None:
    """Names are short and unique but for case and blanks; public and cross-pod rooms have their limits."""
    async with scene() as act:
        wrong = [
            {"name": "x" * 50},
            {"name": " li LEI"},
            {"name": "Public", "public": True},
            {"name": "Cross", "crossPod": True, "readOnly": True},
        ]
        assert [(await act.bot.post("/pod/v3/room/create", room)).status for room in wrong] == [400] * 4


async def test_only_owners_manage_a_room() -> None:
    """Promoting, removing others, closing: 403 for a plain member; anyone may leave."""
    async with scene() as act:
        bob, bot = ({"id": act.pod.user(name).user_id} for name in (BOB, BOT))
        place = f"/pod/v1/room/{act.room}"
        assert (await act.bot.post(f"{place}/membership/promoteOwner", bob)).status == 403
        assert (await act.bot.post(f"{place}/membership/remove", bob)).status == 403
        assert (await act.bot.post(f"{place}/setActive?active=false")).status == 403
        assert (await act.bot.post(f"{place}/membership/remove", bot)).status == 200
        assert (await act.bot.send(act.room, HELLO)).status == 403


async def test_the_im_of_the_same_people_is_the_same_im() -> None:
    """Creating an IM twice gives one stream."""
    async with scene() as act:
        alice = act.pod.user(ALICE).user_id
        first, second = [(await act.bot.post("/pod/v1/im/create", [alice])).json["id"] for _ in range(2)]
        assert first == second == act.pod.create_im([ALICE, BOT])


async def test_user_look_up_lists_whom_it_did_not_find() -> None:
    """Unknown addresses are errors beside the users found; nothing found at all is 204."""
    async with scene() as act:
        answer = await act.bot.get("/pod/v3/users?email=alice.wong@bank.example,none@bank.example&local=true")
        assert [user["displayName"] for user in answer.json["users"]] == ["Alice Wong"]
        assert answer.json["errors"] == [{"error": "invalid.email", "email": "none@bank.example"}]
        assert (await act.bot.get("/pod/v3/users?email=none@bank.example")).status == 204
        assert (await act.bot.get("/pod/v3/users?email=a@b.example&uid=1")).status == 400


async def test_another_companys_user_makes_a_stream_external_and_hides_the_user_name() -> None:
    """Cross-pod: the stream is external with both tenants, and the user is known by id, not by user name."""
    async with scene() as act:
        act.pod.add_user("carol", "carol@other.example", "Carol Other", tenant=77, company="Other")
        room = act.pod.create_room("Joint", [ALICE, "carol", BOT])
        feed = await act.bot.open_feed()
        act.pod.say("carol", room, "hello")
        message = (await act.bot.read(feed)).json["events"][0]["payload"]["messageSent"]["message"]
        assert message["stream"]["external"] is True and message["stream"]["recipientTenantIds"] == [77, 190]
        assert "username" not in message["user"]


async def test_a_dlp_block_is_451_and_only_recorded_when_it_warns() -> None:
    """Block refuses the text, Warn lets it pass; both leave a violation."""
    async with scene() as act:
        act.pod.add_dlp_rule("cards", "4111")
        act.pod.add_dlp_rule("names", "Lei", "Warn")
        assert (await act.bot.send(act.room, "<messageML>4111 Lei</messageML>")).status == 451
        assert (await act.bot.send(act.room, "<messageML>Li Lei</messageML>")).status == 200
        assert [violation.rule.name for violation in act.pod.compliance.violations] == ["cards", "names"]


# the pod as an object


async def test_requests_are_recorded_for_assertions_and_can_be_switched_off() -> None:
    """Method, path, headers, form fields and answer of each call, bounded in number."""
    async with scene(keep_requests=2) as act:
        await act.bot.send(act.room, HELLO, ("a.txt", b"abc"), data='{"bridge": "1"}')
        record = act.pod.requests[-1]
        assert (record.route, record.status, record.headers["sessionToken"]) == (
            "message.create",
            200,
            act.bot.tokens["sessionToken"],
        )
        assert record.fields == {"message": HELLO, "data": '{"bridge": "1"}'}
        assert record.files == [{"part": "attachment", "name": "a.txt", "size": 3}]
        assert len(act.pod.requests) == 2
        act.pod.front_desk.recording = False
        await act.bot.get("/pod/v2/sessioninfo")
        assert act.pod.requests[-1] is record


async def test_a_stopped_pod_comes_back_with_its_messages_and_feeds() -> None:
    """A restart of the agent loses nothing: what a bot did not read waits for it."""
    async with scene() as act:
        feed = await act.bot.open_feed()
        await act.pod.stop()
        act.pod.say(ALICE, act.room, "meanwhile")
        act.bot.url = await act.pod.start()
        assert texts((await act.bot.read(feed)).json) == ["meanwhile"]


def test_remembered_messages_are_bounded_on_request() -> None:
    """A load test of any length needs the memory of a short one."""
    pod = SymphonyPod(keep_messages=10)
    pod.add_user(ALICE, "alice.wong@bank.example", "Alice Wong")
    room = pod.create_room("Load", [ALICE])
    first = pod.say(ALICE, room, "0")
    for number in range(1, 100):
        pod.say(ALICE, room, str(number))
    assert len(pod.arrivals) < 20 and pod.forgotten_arrivals + len(pod.arrivals) == 100
    assert [message.text for message in pod.messages(room)][-1] == "99"
    with pytest.raises(Refusal, match="not found"):
        pod.message(first.message_id)

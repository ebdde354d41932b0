"""Every answer of the mock pod has the shape that Symphony's OpenAPI files give it.

One walk through a pod's life calls every route; each answer is validated against the agent's OpenAPI 3 file,
or the pod's or login's Swagger 2 file, of the pinned specification commit.
"""

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from symphony_mock_rig import ALICE, BOB, Caller, Exchange, Scene, scene

from connectors.symphony.mock import agent_routes, login_routes, pod_routes

SPECS = Path(__file__).parents[1] / "specs" / "symphony"
ROUTES = (*login_routes.ROUTES, *agent_routes.ROUTES, *pod_routes.ROUTES)
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}


@functools.cache
def document(part: str) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((SPECS / f"{part}-api-public.yaml").read_text(encoding="utf-8"), Loader=loader)


@functools.cache
def registry() -> Registry:
    parts = {part: Resource.from_contents(document(part), DRAFT202012) for part in ("agent", "pod", "login")}
    return Registry().with_resources([(f"urn:{part}", resource) for part, resource in parts.items()])


def operation(method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The specification's operation for a request, and the part it stands in. Fails if there is none."""
    part, rest = path.split("?")[0].strip("/").split("/", 1)
    part = "login" if part == "relay" else part
    found = [
        (template.count("{"), item[method.lower()])
        for template, item in document(part)["paths"].items()
        if method.lower() in item and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), "/" + rest)
    ]
    assert found, f"the specification has no {method} {path}"
    return part, min(found, key=lambda entry: entry[0])[1]


def schema(method: str, path: str, status: int) -> dict[str, Any] | None:
    """The JSON schema of an answer; None where it has no body or no JSON one."""
    part, found = operation(method, path)
    answer = {str(code): entry for code, entry in found["responses"].items()}.get(str(status))
    if status >= 400 and status != 503:
        return ERROR
    assert answer is not None, f"{method} {path} may not answer {status}"
    media = answer.get("content", {}).get("application/json", {})
    wanted = answer.get("schema") or media.get("schema")
    return None if wanted is None or status == 204 else {"$id": f"urn:{part}/use", **absolute(part, wanted)}


def absolute(part: str, value: Any) -> Any:
    """A schema with its references made independent of where it stands."""
    if isinstance(value, list):
        return [absolute(part, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"urn:{part}{item}" if key == "$ref" else absolute(part, item) for key, item in value.items()
    }


def faults_of(exchange: Exchange) -> list[str]:
    """What the specification finds wrong with an answer."""
    wanted = schema(exchange.method, exchange.path, exchange.status)
    if wanted is None:
        return []
    assert exchange.headers["Content-Type"].startswith("application/json"), exchange
    errors = Draft202012Validator(wanted, registry=registry()).iter_errors(exchange.json)
    where = f"{exchange.method} {exchange.path} {exchange.status}"
    return [f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


async def call_all_routes(act: Scene) -> None:
    pod, bot = act.pod, act.bot
    pod.user(bot.username).content_manager = True
    pod.compliance.add_disclaimer("External", "Not advice", pod.clock.now_ms())
    await sign_in_every_way(act)
    await use_feeds(act)
    await write(act)
    await live_in_rooms(act)
    await ask_about_people(act)
    await read_compliance(act)


async def sign_in_every_way(act: Scene) -> None:
    pod, bot = act.pod, act.bot
    app_key = pod.add_app("app1")
    app = await bot.post("/login/pubkey/app/authenticate", {"token": bot.jwt(key=app_key, sub="app1")})
    as_app = {"sessionToken": app.json["token"]}
    for person in ("username/alice.wong", f"user/{pod.user(ALICE).user_id}"):
        await bot.post(f"/login/pubkey/app/{person}/authenticate", headers=as_app)
    await bot.post("/login/idm/tokens?scope=sym-files")
    await bot.get("/login/idm/keys")
    await bot.post("/login/pubkey/authenticate", {"token": "nonsense"})
    for path in ("/agent/v1/info", "/agent/v3/health", "/agent/v3/health/extended"):
        await bot.get(path)
    pod.faults.add("health_down")
    await bot.get("/agent/v3/health/extended")


async def use_feeds(act: Scene) -> None:
    pod, bot = act.pod, act.bot
    feed = await bot.open_feed()
    await bot.get("/agent/v5/datafeeds")
    await make_every_event(act)
    answer = await bot.read(feed)
    kinds = {event["type"] for event in answer.json["events"]}
    assert {"MESSAGESENT", "ROOMUPDATED", "GENERICSYSTEMEVENT", "CONNECTIONACCEPTED"} <= kinds, kinds
    wanted = {"type": "datahose", "tag": "bridge", "eventTypes": ["MESSAGESENT"], "scopes": ["INTERNAL"]}
    await bot.post("/agent/v5/events/read", wanted)
    pod.say(ALICE, act.room, "seen by the datahose")
    hosed = await bot.post("/agent/v5/events/read", wanted)
    assert len(hosed.json["events"]) == 1
    await bot.call("DELETE", f"/agent/v5/datafeeds/{feed}")
    await bot.read(feed)


async def make_every_event(act: Scene) -> None:
    """Let one event of each kind reach the bot's feed."""
    pod, room = act.pod, pod_stream(act)
    alice, bob, bot = pod.user(ALICE), pod.user(BOB), pod.user(act.bot.username)
    said = pod.say(ALICE, room, "With a file", attachments=[("a.txt", "text/plain", b"abc")])
    pod.edit(said.message_id, "Edited")
    pod.suppress(pod.say(ALICE, room, "Deleted").message_id)
    pod.say(BOB, room, "Reply", reply_to=said.message_id)
    pod.submit_form(ALICE, said.message_id, "form", {"action": "yes"})
    pod.tell_system(room, "federation", "ONBOARDED", {"contact": "1"})
    pod.update_room(alice, room, {"description": "changed"})
    pod.set_owner(room, bob, True, by=alice)
    pod.set_owner(room, bob, False, by=alice)
    pod.leave(room, bob, by=alice)
    pod.join(room, bob, by=alice)
    pod.set_active(room, False, by=alice)
    pod.set_active(room, True, by=alice)
    pod.create_im([alice, bot])
    pod.create_room("Second", [bot, alice])
    pod.connect(alice, bot, "PENDING_OUTGOING")
    pod.connect(bot, alice, "ACCEPTED")


def pod_stream(act: Scene) -> Any:
    return act.pod.stream(act.room)


async def write(act: Scene) -> None:
    pod, bot, room = act.pod, act.bot, act.room
    rich = '<messageML>Hi <mention email="alice.wong@bank.example"/> <emoji shortcode="smiley"/></messageML>'
    sent = (await bot.send(room, rich, ("chart.png", b"\x89PNG"), data="", version="")).json
    number, file = sent["messageId"], sent["attachments"][0]["id"]
    await bot.send(room, "<messageML>broken")
    await bot.form(
        f"/agent/v4/stream/{room}/message/{number}/update", "<messageML>new</messageML>", silent="True"
    )
    await bot.form("/agent/v4/message/blast", "<messageML>all</messageML>", sids=f"{room},nowhere")
    past = {
        "message": "<messageML>old</messageML>",
        "intendedMessageTimestamp": 1,
        "originatingSystemId": "x",
    }
    await bot.post(
        "/agent/v4/message/import",
        [
            {**past, "intendedMessageFromUserId": pod.user(ALICE).user_id, "streamId": room},
            {**past, "streamId": room},
        ],
    )
    await bot.get(f"/agent/v1/message/{number}")
    await bot.get(f"/agent/v4/stream/{room}/message?since=0")
    await bot.get(f"/agent/v4/stream/{room}/message?since=99999999999999")
    await bot.get(f"/agent/v1/message/search?query=text:new AND streamId:{room}")
    await bot.post("/agent/v1/message/search", {"text": "new", "streamId": room})
    await bot.get(f"/agent/v1/stream/{room}/attachment?fileId={file}&messageId={number}")
    await bot.get(f"/pod/v1/streams/{room}/attachments")
    pod_stream(act).read_marks[pod.user(ALICE).user_id] = pod.clock.now_ms()
    for path in (f"message/{number}/status", f"admin/messages/{number}/receipts"):
        await bot.get(f"/pod/v1/{path}")
    await bot.get(f"/pod/v1/admin/messages/{number}/metadata/relationships")
    await bot.post(f"/pod/v1/admin/messagesuppression/{number}/suppress")
    await bot.post("/agent/v1/util/echo", {"message": "hello"})


async def live_in_rooms(act: Scene) -> None:
    pod, bot = act.pod, act.bot
    alice = pod.user(ALICE).user_id
    room = (await bot.post("/pod/v3/room/create", {"name": "Third", "description": "d"})).json[
        "roomSystemInfo"
    ]["id"]
    for act_name in ("add", "promoteOwner", "demoteOwner", "remove"):
        await bot.post(f"/pod/v1/room/{room}/membership/{act_name}", {"id": alice})
    await bot.get(f"/pod/v2/room/{room}/membership/list")
    await bot.get(f"/pod/v1/admin/room/{room}/membership/list?includePastMembers=true")
    await bot.get(f"/pod/v1/admin/stream/{room}/membership/list")
    await bot.get(f"/pod/v3/room/{room}/info")
    await bot.post(f"/pod/v3/room/{room}/update", {"description": "new"})
    await bot.post("/pod/v3/room/search", {"query": "thi"})
    await bot.post(f"/pod/v1/room/{room}/setActive?active=false")
    await bot.get(f"/pod/v2/streams/{room}/info")
    await bot.post("/pod/v1/streams/list", {"streamTypes": [{"type": "IM"}, {"type": "ROOM"}]})
    im = (await bot.post("/pod/v1/im/create", [alice])).json["id"]
    await bot.get(f"/pod/v1/im/{im}/info")
    await bot.post("/pod/v1/admin/im/create", [alice, pod.user(BOB).user_id])


async def ask_about_people(act: Scene) -> None:
    bot, bob = act.bot, act.pod.user(BOB).user_id
    await bot.get("/pod/v2/sessioninfo")
    await bot.get("/pod/v3/users?email=alice.wong@bank.example,nobody@bank.example")
    await bot.get("/pod/v3/users?uid=1")
    await bot.post("/pod/v1/connection/create", {"userId": bob})
    for verb in ("accept", "reject"):
        await bot.post(f"/pod/v1/connection/{verb}", {"userId": bob})
    await bot.get("/pod/v1/connection/list")
    await bot.get(f"/pod/v1/connection/user/{bob}/info")
    await bot.post(f"/pod/v1/connection/user/{bob}/remove")


async def read_compliance(act: Scene) -> None:
    pod, bot = act.pod, act.bot
    now = pod.clock.now_ms()
    rule = pod.add_dlp_rule("cards", r"\b4111")
    pod.add_dlp_rule("rooms", "secret", data_type="RoomMeta")
    assert (await bot.send(act.room, "<messageML>4111 1111</messageML>")).status == 451
    assert (await bot.post("/pod/v3/room/create", {"name": "secret plan"})).status == 451
    for path in ("policies", f"policies/{rule.policy_id}"):
        await bot.get(f"/agent/v3/dlp/{path}")
    for kind in ("message", "stream", "signal"):
        answer = await bot.get(f"/agent/v3/dlp/violations/{kind}?startTime=0")
        assert len(answer.json["violations"]) == (kind != "signal")
    pod.suppress(pod.say(ALICE, act.room, "to be removed").message_id, by=bot.username)
    trail = await bot.get("/agent/v1/audittrail/privilegeduser?startTimestamp=0")
    assert trail.json["items"][0]["initiatorUsername"] == bot.username
    group = pod.compliance.add_group("Research", [pod.user(BOB).user_id], now)
    pod.compliance.add_barrier([group], now)
    alice = pod.user(ALICE).user_id
    await bot.get(f"/pod/v1/admin/group/{group}/membership/list")
    await bot.get(f"/pod/v1/admin/user/{alice}/disclaimer")
    await bot.post(f"/pod/v1/admin/user/{alice}/disclaimer/update", {"id": "disclaimer-1"})
    for path in (f"user/{alice}/disclaimer", "disclaimer/disclaimer-1", "disclaimer/disclaimer-1/users"):
        await bot.get(f"/pod/v1/admin/{path}")
    await bot.call("DELETE", f"/pod/v1/admin/user/{alice}/disclaimer")
    for path in ("disclaimer/list", "group/list", "policy/list"):
        await bot.get(f"/pod/v1/admin/{path}")
    for path in ("v1/files/allowedTypes", "file_ext/v1/allowed_extensions"):
        await bot.get(f"/pod/{path}")


@pytest.fixture
async def walked() -> tuple[Scene, Caller]:
    """A pod after all its routes were called."""
    async with scene(bearer_tokens=True, delete_feed_status=204) as act:
        await call_all_routes(act)
    return act, act.bot


async def test_every_answer_validates_against_the_specification(walked: tuple[Scene, Caller]) -> None:
    """No answer differs in shape from the vendor's OpenAPI files, and none is a bug of the mock."""
    _, caller = walked
    assert not [exchange for exchange in caller.exchanges if exchange.status == 500]
    faults = [fault for exchange in caller.exchanges for fault in faults_of(exchange)]
    assert not faults, "\n".join(faults)


async def test_the_walk_leaves_no_route_out(walked: tuple[Scene, Caller]) -> None:
    """The check above covers the whole mock: a route nobody calls would be a route nobody validates."""
    act, _ = walked
    called = {
        (record.route, record.method) for record in act.pod.requests if record.status and record.status < 300
    }
    assert {(route.name, route.method) for route in ROUTES} - called == set()


async def test_a_wrong_type_would_be_noticed(walked: tuple[Scene, Caller]) -> None:
    """The validator has teeth: the switch that turns strings into numbers makes it complain."""
    _, caller = walked
    shown = next(exchange for exchange in caller.exchanges if exchange.path.endswith("/status"))
    spoiled = shown.content.replace(b'"timestamp":"', b'"timestamp":1,"was":"')
    assert faults_of(Exchange(shown.method, shown.path, 200, shown.headers, spoiled))

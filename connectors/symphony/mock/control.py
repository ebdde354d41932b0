"""Routes under /_mock: another process drives the pod as a test in this one would, in JSON.

Every route names its fields in the body it takes; a wrong one is a 400 with a sentence. These requests are
not recorded and no fault falls on them. Times of arrival are CLOCK_MONOTONIC nanoseconds, comparable between
processes of one machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from connectors.symphony.mock.clock import monotonic_ns
from connectors.symphony.mock.compliance import BLOCK, MESSAGES
from connectors.symphony.mock.directory import Message, Stream, User
from connectors.symphony.mock.faults import FAULTS, UnknownFault
from connectors.symphony.mock.forms import read_form
from connectors.symphony.mock.world import Refusal

if TYPE_CHECKING:
    from connectors.symphony.mock.pod import SymphonyPod

LOAD_SLICE = 20
"""Messages injected before the loop lets others run."""
HEAD_CHARACTERS = 48
"""Of a message's text, what a row of the arrivals shows."""
FILLER = "The quick brown fox weighs nine stone and a half. "

Control = Callable[["SymphonyPod", web.Request], Awaitable[Any]]


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as fault:
        raise Refusal(400, f"The body is not JSON: {fault}") from fault
    if not isinstance(body, dict):
        raise Refusal(400, "The body is not a JSON object")
    return body


def message_row(message: Message) -> dict[str, Any]:
    """A message as the control interface shows it: the API's view and what a test wants beside it."""
    return {
        **message.view(),
        "text": message.text,
        "acceptedNs": message.accepted_ns,
        "byAgent": message.by_agent,
    }


# people and streams


async def _add_user(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    return {"userId": pod.add_user(**await _body(request))}


async def _add_bot(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    private_key = pod.add_bot(**body)
    return {"userId": pod.user(body["username"]).user_id, "privateKey": private_key}


async def _list_users(pod: SymphonyPod, request: web.Request) -> list[dict[str, Any]]:
    return [user.profile() for user in pod.users.values()]


async def _key(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    if body["act"] == "replace":
        return {"privateKey": pod.replace_key(body["user"])}
    {"revoke": pod.revoke_key, "restore": pod.restore_key}[body["act"]](body["user"])
    return {}


async def _create_room(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    return {"streamId": pod.create_room(**await _body(request))}


async def _create_im(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    return {"streamId": pod.create_im((await _body(request))["members"])}


async def _list_streams(pod: SymphonyPod, request: web.Request) -> list[dict[str, Any]]:
    return [stream.info() for stream in pod.streams.values()]


async def _membership(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    stream, user = pod.stream(request.match_info["sid"]), pod.user(body["user"])
    owner = next((place.user for place in stream.members.values() if place.owner), stream.creator)
    {"add": pod.join, "remove": pod.leave}[body.get("act", "add")](stream, user, by=owner)
    return {"members": [member.username for member in stream.users]}


# messages


async def _say(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    if not request.content_type.startswith("multipart/"):
        body = await _body(request)
        return message_row(pod.say(**body))
    form = await read_form(request, pod.new_file)
    author, stream = pod.user(form.texts["user"]), pod.stream(form.texts["stream"])
    composed = pod.composed(form.texts.get("text"), form.texts.get("messageml"), form.texts.get("data"))
    files = [file for _, file in form.files]
    return message_row(
        pod.post(
            author, stream, *composed, files, by_agent=False, parent_id=form.texts.get("reply_to") or None
        )
    )


async def _edit(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    return message_row(pod.edit(body.pop("messageId"), **body))


async def _suppress(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    return {"suppressionDate": pod.suppress(body["messageId"], body.get("user"))}


async def _messages(pod: SymphonyPod, request: web.Request) -> list[dict[str, Any]]:
    return [message_row(message) for message in pod.messages(request.match_info["sid"])]


async def _file(pod: SymphonyPod, request: web.Request) -> web.StreamResponse:
    message = pod.message(request.match_info["message"])
    for file in message.files:
        if file.file_id == request.match_info["file"]:
            # Types a browser would run are handed out as plain bytes.
            kind = (
                file.content_type
                if file.content_type.startswith(("image/png", "image/jpeg", "image/gif", "image/webp"))
                else ""
            )
            headers = {
                "Content-Type": kind or "application/octet-stream",
                "X-Content-Type-Options": "nosniff",
            }
            return web.FileResponse(file.path, headers=headers)
    raise Refusal(404, "The file was not found")


# faults, clock, requests, compliance


async def _list_faults(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    switches = [
        {
            "name": name,
            "kind": switch.kind,
            "promise": switch.promise,
            "routes": switch.routes,
            "settings": switch.settings,
        }
        for name, switch in FAULTS.items()
    ]
    return {"switches": switches, "active": [fault.as_json() for fault in pod.faults]}


async def _add_fault(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    return pod.faults.add(**await _body(request)).as_json()


async def _clear_faults(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    number = request.query.get("number")
    pod.faults.clear(int(number) if number else None)
    return {}


async def _clock(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    return {"now": pod.clock.advance(float(body["advance"])) if "advance" in body else pod.clock.now()}


async def _requests(pod: SymphonyPod, request: web.Request) -> list[dict[str, Any]]:
    wanted = request.query.get("route", "")
    return [record.as_json() for record in pod.requests if not wanted or record.route == wanted]


async def _clear_requests(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    pod.requests.clear()
    return {}


async def _recording(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    pod.front_desk.recording = bool((await _body(request))["on"])
    return {"on": pod.front_desk.recording}


async def _add_dlp_rule(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    body = await _body(request)
    rule = pod.add_dlp_rule(
        body["name"], body["pattern"], body.get("action", BLOCK), body.get("data_type", MESSAGES)
    )
    return {"policyId": rule.policy_id}


# load


async def _load(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    """Inject messages as people would write them; answers when all are in.

    Body: `streams` (ids or names), `count`, `size` (bytes of each text), `rate` (messages a second; absent:
    as fast as it goes), `user` (absent: the first person of each stream), `label` (the first word of each
    text, before its seven-digit number).
    """
    body = await _body(request)
    streams = [pod.stream(reference) for reference in body["streams"]]
    authors = [pod.user(body["user"]) if "user" in body else _first_person(stream) for stream in streams]
    started = monotonic_ns()
    for number in range(int(body["count"])):
        await _keep_pace(number, body.get("rate"), started)
        turn = number % len(streams)
        pod.say(
            authors[turn],
            streams[turn],
            load_text(body.get("label", "load"), number, int(body.get("size", 100))),
        )
    return {
        "count": int(body["count"]),
        "startedNs": started,
        "endedNs": monotonic_ns(),
        "next": arrivals_end(pod),
    }


def _first_person(stream: Stream) -> User:
    person = next((user for user in stream.users if not user.service), None)
    if person is None:
        raise Refusal(400, f"No person is in stream {stream.stream_id}: name a user")
    return person


async def _keep_pace(number: int, rate: float | None, started: int) -> None:
    if rate is None:
        if number % LOAD_SLICE == 0:
            await asyncio.sleep(0)
        return
    ahead = number / rate - (monotonic_ns() - started) / 1e9
    if ahead > 0:
        await asyncio.sleep(ahead)


def load_text(label: str, number: int, size: int) -> str:
    """The text of an injected message: label, number, and filler up to `size` bytes."""
    head = f"{label} {number:07d} "
    return (head + FILLER * (max(0, size - len(head)) // len(FILLER) + 1))[: max(size, len(head))]


def arrivals_end(pod: SymphonyPod) -> int:
    """The number the next arrival will have."""
    return pod.forgotten_arrivals + len(pod.arrivals)


async def _arrivals(pod: SymphonyPod, request: web.Request) -> dict[str, Any]:
    """Messages in the order of their arrival from number `since` on; `by=agent` or `by=person` narrows them.

    Rows: message id, stream id, CLOCK_MONOTONIC nanoseconds, by, user name, the first characters of the text.
    """
    first = max(0, int(request.query.get("since", 0)) - pod.forgotten_arrivals)
    wanted = request.query.get("by", "")
    rows = [_arrival_row(message) for message in pod.arrivals[first:]]
    return {"next": arrivals_end(pod), "arrivals": [row for row in rows if wanted in ("", row[3])]}


def _arrival_row(message: Message) -> tuple[str, str, int, str, str, str]:
    by = "agent" if message.by_agent else "person"
    head = message.text[:HEAD_CHARACTERS]
    return (
        message.message_id,
        message.stream.stream_id,
        message.accepted_ns,
        by,
        message.author.username,
        head,
    )


ROUTES: tuple[tuple[str, str, Control], ...] = (
    ("GET", "/_mock/users", _list_users),
    ("POST", "/_mock/users", _add_user),
    ("POST", "/_mock/bots", _add_bot),
    ("POST", "/_mock/keys", _key),
    ("GET", "/_mock/streams", _list_streams),
    ("POST", "/_mock/rooms", _create_room),
    ("POST", "/_mock/ims", _create_im),
    ("POST", "/_mock/streams/{sid}/members", _membership),
    ("GET", "/_mock/streams/{sid}/messages", _messages),
    ("POST", "/_mock/say", _say),
    ("POST", "/_mock/edit", _edit),
    ("POST", "/_mock/suppress", _suppress),
    ("GET", "/_mock/files/{message}/{file}", _file),
    ("GET", "/_mock/faults", _list_faults),
    ("POST", "/_mock/faults", _add_fault),
    ("DELETE", "/_mock/faults", _clear_faults),
    ("GET", "/_mock/clock", _clock),
    ("POST", "/_mock/clock", _clock),
    ("GET", "/_mock/requests", _requests),
    ("DELETE", "/_mock/requests", _clear_requests),
    ("POST", "/_mock/recording", _recording),
    ("POST", "/_mock/dlp", _add_dlp_rule),
    ("POST", "/_mock/load", _load),
    ("GET", "/_mock/arrivals", _arrivals),
)


def add_routes(application: web.Application, pod: SymphonyPod) -> None:
    """Put the control routes into the application."""
    for method, path, control in ROUTES:
        application.router.add_route(method, path, _attend(pod, control))


def _attend(pod: SymphonyPod, control: Control) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def attended(request: web.Request) -> web.StreamResponse:
        try:
            answer = await control(pod, request)
        except Refusal as refusal:
            return _json({"code": refusal.status, "message": refusal.message}, refusal.status)
        except KeyError as missing:
            return _json(
                {"code": 400, "message": f"The field {missing} is missing or has an unknown value"}, 400
            )
        except (UnknownFault, TypeError, ValueError) as fault:
            return _json({"code": 400, "message": str(fault)}, 400)
        return answer if isinstance(answer, web.StreamResponse) else _json(answer)

    return attended


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

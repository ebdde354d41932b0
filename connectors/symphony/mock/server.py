"""The pod's front desk: one path for every request, whatever its route.

Record it, let a fault fall on it, check its tokens, call the handler, turn what it returns into an answer,
let a fault spoil that. The routes themselves are tables in `login_routes`, `agent_routes`, `pod_routes` and
`control`.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from connectors.symphony.mock.clock import Signal
from connectors.symphony.mock.directory import StoredFile, Stream, User, normal_id
from connectors.symphony.mock.faults import FAULTS, Fault
from connectors.symphony.mock.sessions import Session
from connectors.symphony.mock.world import Refusal

if TYPE_CHECKING:
    from connectors.symphony.mock.pod import SymphonyPod

OPEN, SESSION, AGENT = "open", "session", "agent"
"""What a route asks for: nothing, a session token, or a session token and a key manager token."""
JSON = "application/json"
BASE64_CHUNK = 48 * 1024
"""Bytes of a file encoded at a time; a multiple of three, so that the pieces join to one base64 text."""
RECORDED_BODY = 64 * 1024
"""Text of a request kept in its record, in characters."""
BALANCER_PAGE = (
    b"<html><head><title>Unavailable</title></head><body><h1>Please try again later</h1></body></html>"
)


@dataclass(frozen=True)
class Answer:
    """What a handler answers when it is not JSON with 200: a status with a body, or a file in base64."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    file: StoredFile | None = None


@dataclass(slots=True)
class RequestRecord:
    """One request as it came in, for assertions."""

    route: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    size: int | None
    at: float
    body: Any = None
    fields: dict[str, str] | None = None
    files: list[dict[str, Any]] | None = None
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as the control interface shows it."""
        headers = {str(name): value for name, value in self.headers.items()}
        return {name: getattr(self, name) for name in self.__slots__} | {"headers": headers}


class Call:
    """One request in the hands of a handler: who calls, and the parts of the request."""

    __slots__ = ("pod", "record", "request", "route", "session")

    def __init__(self, pod: SymphonyPod, route: Route, request: web.Request) -> None:
        self.pod = pod
        self.route = route
        self.request = request
        self.session: Session | None = None
        self.record: RequestRecord | None = None

    @property
    def user(self) -> User:
        """The account the call acts as."""
        assert self.session is not None, "an open route has no user"
        return self.session.user

    def part(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]

    def stream(self, name: str = "sid") -> Stream:
        """The stream named in the path. Raises Refusal 404."""
        found = self.pod.streams.get(normal_id(self.part(name)))
        if found is None:
            raise Refusal(404, "Stream not found")
        return found

    def member_stream(self, name: str = "sid") -> Stream:
        """The stream named in the path, if the caller is in it. Raises Refusal 403 or 404."""
        stream = self.stream(name)
        if self.user.user_id not in stream.members:
            raise Refusal(403, "The user is not a member of the stream")
        return stream

    def text(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query.get(name, default)

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        return self.text(name).lower() == "true"

    def number(self, name: str, default: int | None = None) -> int | None:
        """A query parameter that is a whole number. Raises Refusal 400."""
        written = self.text(name)
        if not written:
            return default
        if not written.lstrip("-").isdecimal():
            raise Refusal(400, f"Parameter {name} is not a number: {written}")
        return int(written)

    def count(self, name: str, default: int, most: int | None = None) -> int:
        """A query parameter that is not negative, capped at `most`. Raises Refusal 400."""
        value = self.number(name, default)
        assert value is not None
        if value < 0:
            raise Refusal(400, f"Parameter {name} is negative")
        return value if most is None else min(value, most)

    async def json(self, kind: type = dict) -> Any:
        """The JSON body; an empty one is an empty value of `kind`. Raises Refusal 400."""
        raw = await self.request.read()
        try:
            body = orjson.loads(raw) if raw.strip() else kind()
        except orjson.JSONDecodeError as fault:
            raise Refusal(400, f"The body is not JSON: {fault}") from fault
        if not isinstance(body, kind):
            raise Refusal(400, f"The body is not a JSON {kind.__name__}")
        if self.record is not None and len(raw) <= RECORDED_BODY:
            self.record.body = body
        return body

    def gone(self) -> bool:
        """Whether the client has hung up."""
        transport = self.request.transport
        return transport is None or transport.is_closing()

    def hang_up(self) -> None:
        """Cut the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """A row of a route table: its name (what faults and records call it), method, path, guard and handler."""

    name: str
    method: str
    path: str
    guard: str
    handler: Handler


class FrontDesk:
    """Turns a route into an aiohttp handler."""

    def __init__(self, pod: SymphonyPod, keep_requests: int) -> None:
        self._pod = pod
        self.requests: deque[RequestRecord] = deque(maxlen=keep_requests)
        self.recording = keep_requests > 0
        self.arrived = Signal()

    def attend(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler of a route."""

        async def attended(request: web.Request) -> web.StreamResponse:
            call = Call(self._pod, route, request)
            if self.recording:
                self._record(call)
            response = await self._answered(call)
            if call.record is not None:
                call.record.status = response.status
            return response

        return attended

    def _record(self, call: Call) -> None:
        request = call.request
        call.record = RequestRecord(
            call.route.name,
            request.method,
            request.raw_path.partition("?")[0],
            dict(request.query),
            dict(request.headers),
            request.content_length,
            self._pod.clock.now(),
        )
        self.requests.append(call.record)
        self.arrived.ring()

    async def _answered(self, call: Call) -> web.StreamResponse:
        faults = self._pod.faults
        name = call.route.name
        before = faults.take_answer(name, after=False) if faults else None
        if before is not None and FAULTS[before.name].name not in ("delay", "truncate"):
            return await self._strike(before, call)
        if before is not None and before.name == "delay":
            await asyncio.sleep(before.settings["seconds"])
        response = await self._handled(call)
        spoiled = before if before is not None and before.name == "truncate" else None
        if spoiled is None and faults:
            spoiled = faults.take_answer(name, after=True)
        return response if spoiled is None else await self._spoil(spoiled, call, response)

    async def _handled(self, call: Call) -> web.StreamResponse:
        try:
            if call.route.guard != OPEN:
                self._admit(call)
            answer = await call.route.handler(call)
        except Refusal as refusal:
            body = {"code": refusal.status, "message": refusal.message}
            answer = Answer(refusal.status, body, refusal.headers)
        return await respond(call, answer)

    def _admit(self, call: Call) -> None:
        headers = call.request.headers
        session = self._pod.sessions.session(headers.get("sessionToken"))
        if session is None:
            raise Refusal(401, "Invalid session")
        if self._pod.faults:
            self._end_by_fault(call, session)
        if call.route.guard == AGENT and not self._pod.sessions.key_manager_ok(
            headers.get("keyManagerToken"), session
        ):
            raise Refusal(401, "Invalid key manager token")
        call.session = session

    def _end_by_fault(self, call: Call, session: Session) -> None:
        faults, name = self._pod.faults, call.route.name
        if faults.take("key_revoked", name):
            self._pod.revoke_key(session.user)
            raise Refusal(401, "Invalid session")
        if faults.take("session_expired", name):
            self._pod.sessions.end(session.user)
            raise Refusal(401, "Invalid session")
        if call.route.guard == AGENT and faults.take("key_manager_expired", name):
            self._pod.sessions.end_key_manager(session.user)

    async def _strike(self, fault: Fault, call: Call) -> web.StreamResponse:
        if fault.name == "drop":
            call.hang_up()
        elif fault.name == "timeout":
            await self._pod.stopped.wait()
        elif fault.name == "html":
            return web.Response(status=fault.settings["status"], body=BALANCER_PAGE, content_type="text/html")
        elif fault.name == "status":
            return _error(fault)
        return web.Response(status=503)

    async def _spoil(self, fault: Fault, call: Call, response: web.StreamResponse) -> web.StreamResponse:
        if fault.name == "delay":
            await asyncio.sleep(fault.settings["seconds"])
            return response
        if fault.name == "truncate":
            return await _truncated(call, response)
        return await self._strike(fault, call)


def _error(fault: Fault) -> web.Response:
    status = fault.settings["status"]
    body = fault.settings["body"] or {"code": status, "message": f"Fault {fault.number}: HTTP {status}"}
    response = web.Response(status=status, body=orjson.dumps(body), content_type=JSON)
    if fault.settings["retry_after"] is not None:
        response.headers["Retry-After"] = str(fault.settings["retry_after"])
    return response


async def _truncated(call: Call, response: web.StreamResponse) -> web.StreamResponse:
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes) or response.prepared:
        call.hang_up()
        return response
    whole = response.body
    short = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    short.content_length = max(2, len(whole))
    await short.prepare(call.request)
    await short.write(whole[: len(whole) // 2])
    if call.request.transport is not None:
        call.request.transport.close()
    return short


async def respond(call: Call, answer: Any) -> web.StreamResponse:
    """The HTTP answer of what a handler returned: JSON, None for 204, an Answer, or a ready response."""
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=204)
    if not isinstance(answer, Answer):
        return web.Response(body=orjson.dumps(answer), content_type=JSON)
    if answer.file is not None:
        return await _base64_file(call, answer.file)
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    return web.Response(
        status=answer.status, body=orjson.dumps(answer.body), headers=answer.headers, content_type=JSON
    )


async def _base64_file(call: Call, file: StoredFile) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = 4 * ((file.size + 2) // 3)
    await response.prepare(call.request)
    with file.path.open("rb") as disk:
        while chunk := disk.read(BASE64_CHUNK):
            await response.write(base64.b64encode(chunk))
    await response.write_eof()
    return response

"""The WeCom API under /cgi-bin: tokens, customer service accounts, sync_msg, send_msg, media.

Rules of this file: HTTP in, `World` asked, JSON out; no rule of the platform lives here. Errors are JSON
with HTTP status 200. Bodies are read whatever their Content-Type says, since clients in use send none.
Every call passes `_dispatch`, which gates and records it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import BodyPartReader, web

from connectors.weixin.mock import codes
from connectors.weixin.mock.codes import ApiError
from connectors.weixin.mock.faults import Switchboard
from connectors.weixin.mock.media import Media
from connectors.weixin.mock.records import WINDOW, Account, Customer, Recorded
from connectors.weixin.mock.tokens import Tokens
from connectors.weixin.mock.world import PAGE, World

PIECE = 64 * 1024
_JSON = {"Content-Type": "application/json; charset=UTF-8"}
_PLAIN = {"Content-Type": "text/plain; charset=UTF-8"}
_BODY_KEPT = 16 * 1024


class Dropped(Exception):
    """The call's connection is to be closed without a reply."""


@dataclass(slots=True)
class Call:
    """An API call whose token was accepted."""

    corpid: str
    query: Any
    body: dict[str, Any]


@dataclass(frozen=True)
class Route:
    """How a path is answered. `reads` is what it wants: json, query (GET), or either."""

    handler: Callable[[Call], dict[str, Any]]
    reads: str = "json"


class CgiBin:
    """The API. `base_url` is where contact links point to; set once the server listens."""

    def __init__(self, world: World, tokens: Tokens, faults: Switchboard, record: int) -> None:
        self.requests: deque[Recorded] = deque(maxlen=record)
        self.base_url = ""
        self.account_change: Callable[[str, list[str], list[str]], None] = lambda corpid, added, deleted: None
        self._world = world
        self._tokens = tokens
        self._faults = faults
        self._recording = record > 0
        self._routes = self._table()

    def register(self, app: web.Application) -> None:
        """Put the API into a server."""
        app.router.add_route("*", "/cgi-bin/{route:.+}", self._dispatch)

    def _table(self) -> dict[str, Route]:
        return {
            "kf/account/add": Route(self._account_add),
            "kf/account/del": Route(self._account_del),
            "kf/account/update": Route(self._account_update),
            "kf/account/list": Route(self._account_list, "either"),
            "kf/add_contact_way": Route(self._add_contact_way),
            "kf/servicer/add": Route(self._servicer_add),
            "kf/servicer/del": Route(self._servicer_del),
            "kf/servicer/list": Route(self._servicer_list, "query"),
            "kf/customer/batchget": Route(self._batchget),
            "kf/service_state/get": Route(self._state_get),
            "kf/service_state/trans": Route(self._state_trans),
            "kf/sync_msg": Route(self._sync_msg),
            "kf/send_msg": Route(self._send_msg),
            "kf/send_msg_on_event": Route(self._send_msg_on_event),
            "getcallbackip": Route(lambda call: {"ip_list": ["127.0.0.1"]}, "query"),
            "get_api_domain_ip": Route(lambda call: {"ip_list": ["127.0.0.1"]}, "query"),
        }

    # --- the way of every call

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["route"]
        stamp = time.monotonic_ns()
        raw = b""
        try:
            await self._gate(path, request)
            if path == "media/get":
                reply = await self._media_get(request)
            else:
                if path != "media/upload":
                    raw = await request.read()
                reply = _json(await self._answer(path, request, raw))
        except ApiError as error:
            reply = self._refused(request, path, raw, stamp, error)
        except web.HTTPException:
            self._record(request, path, raw, stamp, None)
            raise
        except Dropped:
            self._record(request, path, raw, stamp, None)
            return _hang_up(request)
        else:
            self._record(request, path, raw, stamp, codes.OK)
        return self._spoiled(path, request, reply)

    async def _answer(self, path: str, request: web.Request, raw: bytes) -> dict[str, Any]:
        if path == "gettoken":
            return self._gettoken(request)
        corpid = self._tokens.corp_of(request.query.get("access_token", ""))
        if path == "media/upload":
            return await self._media_upload(request)
        route = self._routes.get(path)
        if route is None:
            raise web.HTTPNotFound()
        body = _body(route, request.method, raw)
        return {"errcode": 0, "errmsg": "ok", **route.handler(Call(corpid, request.query, body))}

    async def _gate(self, path: str, request: web.Request) -> None:
        if not self._faults.armed:
            return
        for name, params in self._faults.take_phase("gate", path):
            if name == "slow":
                await asyncio.sleep(params["seconds"])
            elif name == "drop_before":
                raise Dropped
            elif name == "http_5xx":
                raise _gateway_error(params["status"])
            else:
                if name == "token_expired":
                    self._tokens.expire()
                raise ApiError(params["errcode"], name)

    def _spoiled(self, path: str, request: web.Request, reply: web.StreamResponse) -> web.StreamResponse:
        """The reply, or what faults of the way back make of it."""
        if not self._faults.armed:
            return reply
        for name, _ in self._faults.take_phase("reply", path):
            if name == "drop_after":
                return _hang_up(request)
            if name == "reply_garbage":
                return web.Response(body=b"<html><body>gateway</body></html>", content_type="text/html")
            if isinstance(reply, web.Response):
                reply = web.Response(body=reply.body, headers=_PLAIN)
        return reply

    def _refused(
        self, request: web.Request, path: str, raw: bytes, stamp: int, error: ApiError
    ) -> web.Response:
        self._record(request, path, raw, stamp, error.errcode)
        return _json(error.body())

    def _record(self, request: web.Request, path: str, raw: bytes, stamp: int, errcode: int | None) -> None:
        if self._recording:
            query = dict(request.query)
            self.requests.append(Recorded(request.method, path, query, raw[:_BODY_KEPT], stamp, errcode))

    # --- tokens and media

    def _gettoken(self, request: web.Request) -> dict[str, Any]:
        query = request.query
        token, left = self._tokens.issue(query.get("corpid", ""), query.get("corpsecret", ""))
        return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": left}

    async def _media_upload(self, request: web.Request) -> dict[str, Any]:
        kind = request.query.get("type", "")
        if not request.content_type.startswith("multipart/"):
            raise ApiError(codes.MEDIA_MISSING, "multipart/form-data expected")
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "media" and part.filename:
                media = await self._world.media.receive(kind, part.filename, pieces_of(part))
                created = str(int(media.created_at))
                return {
                    "errcode": 0,
                    "errmsg": "ok",
                    "type": kind,
                    "media_id": media.media_id,
                    "created_at": created,
                }
        raise ApiError(codes.MEDIA_MISSING, "no part named media with a filename")

    async def _media_get(self, request: web.Request) -> web.StreamResponse:
        self._tokens.corp_of(request.query.get("access_token", ""))
        if self._faults.fires("media_gone", "media/get"):
            raise ApiError(codes.MEDIA_ID_WRONG, "media_id expired")
        media = self._world.media.find(request.query.get("media_id", ""))
        if self._faults.fires("media_json_octets", "media/get"):
            body = orjson.dumps(ApiError(codes.BUSY).body())
            return web.Response(body=body, content_type="application/octet-stream")
        if self._faults.fires("media_truncated", "media/get"):
            return await _send_half(request, media)
        headers = {"Content-Type": media.content_type}
        if not self._faults.fires("media_unnamed", "media/get"):
            headers["Content-Disposition"] = disposition(media)
        return web.FileResponse(media.path, chunk_size=PIECE, headers=headers)

    # --- accounts and people

    def _account_add(self, call: Call) -> dict[str, Any]:
        avatar = _text(call.body, "media_id")
        if avatar:
            self._world.media.find(avatar)
        account = self._world.add_account(call.corpid, _text(call.body, "name"), avatar)
        self.account_change(call.corpid, [account.open_kfid], [])
        return {"open_kfid": account.open_kfid}

    def _account_del(self, call: Call) -> dict[str, Any]:
        account = self._account(call)
        self._world.remove_account(account)
        self.account_change(call.corpid, [], [account.open_kfid])
        return {}

    def _account_update(self, call: Call) -> dict[str, Any]:
        account = self._account(call)
        avatar = _text(call.body, "media_id")
        if avatar:
            self._world.media.find(avatar)
            account.avatar = avatar
        account.name = _text(call.body, "name") or account.name
        return {}

    def _account_list(self, call: Call) -> dict[str, Any]:
        offset = _number(call.body, "offset", 0, 0, 1_000_000)
        limit = _number(call.body, "limit", 100, 1, 100)
        found = self._world.accounts_of(call.corpid)[offset : offset + limit]
        return {"account_list": [_account_row(account) for account in found]}

    def _add_contact_way(self, call: Call) -> dict[str, Any]:
        account = self._account(call)
        scene = _text(call.body, "scene")
        return {"url": self.base_url + self._world.contact_link(account, scene)}

    def _servicer_add(self, call: Call) -> dict[str, Any]:
        account = self._account(call)
        users, departments = _staff(call.body)
        account.servicers = {**dict.fromkeys(users, 0), **account.servicers}
        account.departments += [one for one in departments if one not in account.departments]
        return _staff_result(users, departments)

    def _servicer_del(self, call: Call) -> dict[str, Any]:
        account = self._account(call)
        users, departments = _staff(call.body)
        account.servicers = {one: state for one, state in account.servicers.items() if one not in users}
        account.departments = [one for one in account.departments if one not in departments]
        return _staff_result(users, departments)

    def _servicer_list(self, call: Call) -> dict[str, Any]:
        account = self._world.account(call.query.get("open_kfid"), call.corpid)
        rows: list[dict[str, Any]] = [{"userid": one, "status": at} for one, at in account.servicers.items()]
        return {"servicer_list": rows + [{"department_id": one} for one in account.departments]}

    def _batchget(self, call: Call) -> dict[str, Any]:
        wanted = call.body.get("external_userid_list")
        strings = isinstance(wanted, list) and all(isinstance(one, str) for one in wanted)
        if not isinstance(wanted, list) or not strings or not 1 <= len(wanted) <= 100:
            raise ApiError(codes.PARAMETER_WRONG, "external_userid_list: 1 to 100")
        known = [one for one in wanted if one in self._world.customers]
        context = call.body.get("need_enter_session_context") == 1
        return {
            "customer_list": [self._customer_row(self._world.customers[one], context) for one in known],
            "invalid_external_userid": [one for one in wanted if one not in self._world.customers],
        }

    def _customer_row(self, customer: Customer, context: bool) -> dict[str, Any]:
        row: dict[str, Any] = {
            "external_userid": customer.external_userid,
            "nickname": customer.nickname,
            "avatar": customer.avatar,
            "gender": customer.gender,
        }
        if customer.unionid:
            row["unionid"] = customer.unionid
        recent = self._world.clock.now() - customer.entered_at <= WINDOW
        if context and customer.context and recent:
            row["enter_session_context"] = customer.context
        return row

    # --- sessions and messages

    def _state_get(self, call: Call) -> dict[str, Any]:
        session = self._world.session(self._account(call), self._customer(call))
        reply: dict[str, Any] = {"service_state": int(session.state)}
        if session.servicer_userid:
            reply["servicer_userid"] = session.servicer_userid
        return reply

    def _state_trans(self, call: Call) -> dict[str, Any]:
        state, servicer = call.body.get("service_state"), _text(call.body, "servicer_userid")
        code = self._world.transfer(self._account(call), self._customer(call), state, servicer)
        return {"msg_code": code} if code else {}

    def _sync_msg(self, call: Call) -> dict[str, Any]:
        body = call.body
        account = self._sync_account(call)
        self._check_sync_token(_text(body, "token", 128))
        cursor, limit = _text(body, "cursor", 64), _number(body, "limit", PAGE, 1, PAGE)
        if body.get("voice_format", 0) not in (0, 1):
            raise ApiError(codes.PARAMETER_WRONG, "voice_format")
        if self._faults.fires("sync_empty_page", "kf/sync_msg"):
            return {"next_cursor": cursor or self._world.rewind("", 0), "has_more": 1, "msg_list": []}
        cursor, limit = self._disturbed(cursor, limit)
        messages, after, more = self._world.page(call.corpid, account, cursor, limit)
        return {"next_cursor": after, "has_more": int(more), "msg_list": messages}

    def _sync_account(self, call: Call) -> Account | None:
        open_kfid = call.body.get("open_kfid")
        if open_kfid:
            return self._world.account(open_kfid, call.corpid)
        if self._world.rules.strict_account or self._faults.fires("sync_strict_account", "kf/sync_msg"):
            raise ApiError(codes.PARAMETER_WRONG, "open_kfid is required")
        return None

    def _check_sync_token(self, token: str) -> None:
        if token:
            self._world.check_msg_token(token)
        elif self._faults.fires("sync_tokenless_limit", "kf/sync_msg"):
            raise ApiError(codes.FREQUENCY_LIMIT, "no token")
        if self._faults.fires("sync_bad_token", "kf/sync_msg"):
            raise ApiError(codes.MSG_TOKEN_WRONG)

    def _disturbed(self, cursor: str, limit: int) -> tuple[str, int]:
        """Cursor and limit as faults move them."""
        gap = self._faults.take("sync_gap", "kf/sync_msg")
        if gap:
            cursor = self._world.rewind(cursor, -gap["drop"])
        repeat = self._faults.take("sync_repeat", "kf/sync_msg")
        if repeat:
            cursor = self._world.rewind(cursor, repeat["back"])
        short = self._faults.take("sync_short_page", "kf/sync_msg")
        return cursor, min(limit, short["limit"]) if short else limit

    def _send_msg(self, call: Call) -> dict[str, Any]:
        customer = self._world.customer(call.body.get("touser"))
        return {"msgid": self._world.send(self._account(call), customer, call.body)}

    def _send_msg_on_event(self, call: Call) -> dict[str, Any]:
        return {"msgid": self._world.send_on_event(call.corpid, call.body)}

    def _account(self, call: Call) -> Account:
        return self._world.account(call.body.get("open_kfid"), call.corpid)

    def _customer(self, call: Call) -> Customer:
        return self._world.customer(call.body.get("external_userid"))


async def pieces_of(part: BodyPartReader) -> AsyncIterator[bytes]:
    """The bytes of one multipart part, piece by piece."""
    while piece := await part.read_chunk(PIECE):
        yield piece


def disposition(media: Media) -> str:
    """Content-Disposition of a download: an ASCII fallback and the real name (RFC 6266)."""
    plain = media.name.encode("ascii", "replace").decode().replace('"', "'")
    return f"attachment; filename=\"{plain}\"; filename*=utf-8''{quote(media.name, safe='')}"


def _body(route: Route, method: str, raw: bytes) -> dict[str, Any]:
    if route.reads == "query" or (route.reads == "either" and not raw):
        return {}
    if method != "POST":
        raise ApiError(codes.PARAMETER_WRONG, "POST required")
    if not raw:
        raise ApiError(codes.BODY_EMPTY)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ApiError(codes.BODY_NOT_JSON, "body is not JSON") from None
    if not isinstance(body, dict):
        raise ApiError(codes.BODY_NOT_JSON, "body is not a JSON object")
    return body


def _text(body: dict[str, Any], name: str, limit: int = 2048) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str) or len(value.encode()) > limit:
        raise ApiError(codes.PARAMETER_WRONG, f"{name}: string of at most {limit} bytes")
    return value


def _number(body: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or not low <= value <= high:
        raise ApiError(codes.PARAMETER_WRONG, f"{name}: {low} to {high}")
    return value


def _staff(body: dict[str, Any]) -> tuple[list[str], list[int]]:
    """(userids, department ids) of a servicer call, at least one in all."""
    users, departments = body.get("userid_list") or [], body.get("department_id_list") or []
    good = isinstance(users, list) and isinstance(departments, list)
    good = good and all(isinstance(one, str) for one in users)
    if not good or not all(isinstance(one, int) for one in departments) or not users + departments:
        raise ApiError(codes.PARAMETER_WRONG, "userid_list or department_id_list")
    return users, departments


def _staff_result(users: list[str], departments: list[int]) -> dict[str, Any]:
    named: list[dict[str, Any]] = [{"userid": one} for one in users]
    named += [{"department_id": one} for one in departments]
    return {"result_list": [{**one, "errcode": 0, "errmsg": "success"} for one in named]}


def _account_row(account: Account) -> dict[str, Any]:
    return {
        "open_kfid": account.open_kfid,
        "name": account.name,
        "avatar": account.avatar,
        "manage_privilege": True,
    }


def _json(body: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(body), headers=_JSON)


def _gateway_error(status: int) -> web.HTTPException:
    kind = {500: web.HTTPInternalServerError, 502: web.HTTPBadGateway, 503: web.HTTPServiceUnavailable}
    return kind.get(status, web.HTTPGatewayTimeout)()


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _send_half(request: web.Request, media: Media) -> web.StreamResponse:
    reply = web.StreamResponse(
        headers={"Content-Length": str(media.size), "Content-Type": media.content_type}
    )
    await reply.prepare(request)
    await reply.write(_first_half(media))
    if request.transport is not None:
        request.transport.close()
    return reply


def _first_half(media: Media) -> bytes:
    with media.path.open("rb") as file:
        return file.read(media.size // 2)

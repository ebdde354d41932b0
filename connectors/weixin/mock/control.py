"""Driving the mock from another process: JSON under /_mock, one route per verb of `WeixinPlatform`.

Rules of this file: every route is a thin wrapper; what it wants is in its docstring, what it lacks is told
with status 400. Nothing here exists on the real platform, and nothing a connector does may depend on it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import BodyPartReader, web

from connectors.weixin.crypto import CryptError
from connectors.weixin.mock.cgi import PIECE, disposition
from connectors.weixin.mock.codes import ApiError
from connectors.weixin.mock.faults import FAULTS
from connectors.weixin.mock.load import Load, stamp_row
from connectors.weixin.mock.media import Media
from connectors.weixin.mock.notices import CallbackRefused
from connectors.weixin.mock.records import WINDOW, Line, Session

if TYPE_CHECKING:
    from connectors.weixin.mock.platform import WeixinPlatform

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_WRONG = (ApiError, CryptError, CallbackRefused, KeyError, TypeError, ValueError)


class Control:
    """The routes under /_mock."""

    def __init__(self, platform: "WeixinPlatform") -> None:
        self._platform = platform

    def register(self, app: web.Application) -> None:
        """Put the routes into a server."""
        app.router.add_routes(
            [
                web.get("/_mock/", _answered(self.overview)),
                web.post("/_mock/corps", _answered(self.add_corp)),
                web.post("/_mock/accounts", _answered(self.add_account)),
                web.post("/_mock/customers", _answered(self.add_customer)),
                web.post("/_mock/callback", _answered(self.set_callback)),
                web.get("/_mock/callbacks", _answered(self.callbacks)),
                web.post("/_mock/say", _answered(self.say)),
                web.post("/_mock/servicer_says", _answered(self.servicer_says)),
                web.post("/_mock/recall", _answered(self.recall)),
                web.post("/_mock/enter", _answered(self.enter)),
                web.post("/_mock/fail_delivery", _answered(self.fail_delivery)),
                web.post("/_mock/take_over", _answered(self.take_over)),
                web.post("/_mock/end_session", _answered(self.end_session)),
                web.get("/_mock/received", _answered(self.received)),
                web.get("/_mock/conversation", _answered(self.conversation)),
                web.get("/_mock/session", _answered(self.session)),
                web.get("/_mock/media/{media_id}", _answered(self.media)),
                web.post("/_mock/clock", _answered(self.clock)),
                web.post("/_mock/tokens", _answered(self.tokens)),
                web.get("/_mock/faults", _answered(self.faults)),
                web.post("/_mock/faults", _answered(self.arm)),
                web.delete("/_mock/faults", _answered(self.disarm)),
                web.get("/_mock/requests", _answered(self.requests)),
                web.post("/_mock/load", _answered(self.load)),
                web.get("/_mock/stamps", _answered(self.stamps)),
            ]
        )

    async def overview(self, request: web.Request) -> web.Response:
        """Corp, accounts, customers and the clock."""
        platform = self._platform
        world = platform.world
        return _json(
            {
                "corpid": platform.corpid,
                "now": platform.clock.now(),
                "accounts": [
                    {"open_kfid": one.open_kfid, "name": one.name} for one in world.accounts.values()
                ],
                "customers": [
                    {"external_userid": one.external_userid, "nickname": one.nickname}
                    for one in world.customers.values()
                ],
            }
        )

    async def add_corp(self, request: web.Request) -> web.Response:
        """{corpid, secret}: another corp, or another secret of one."""
        self._platform.add_corp(**await _object(request))
        return _json({})

    async def add_account(self, request: web.Request) -> web.Response:
        """{name, corpid?} -> {open_kfid}."""
        wanted = await _object(request)
        return _json({"open_kfid": self._platform.add_account(wanted["name"], wanted.get("corpid"))})

    async def add_customer(self, request: web.Request) -> web.Response:
        """{nickname, avatar?, gender?, unionid?} -> {external_userid}."""
        return _json({"external_userid": self._platform.add_customer(**await _object(request))})

    async def set_callback(self, request: web.Request) -> web.Response:
        """{url, token, aes_key, corpid?, verify?}: 400 when the URL verification fails."""
        wanted = await _object(request)
        verify = wanted.pop("verify", False)
        self._platform.set_callback(**wanted)
        if verify:
            await self._platform.verify_callback(wanted.get("corpid"))
        return _json({})

    async def callbacks(self, request: web.Request) -> web.Response:
        """Callbacks posted so far; `?settled=1` waits until none is under way."""
        if request.query.get("settled"):
            await self._platform.settled()
        return _json([asdict(one) for one in self._platform.callbacks])

    async def say(self, request: web.Request) -> web.Response:
        """JSON {customer, account?, text | location | ... | msgtype + content}, or a form -> {msgid}.

        The form's fields: customer, account?, kind (image, voice, video, file) before the part `file`.
        """
        if request.content_type.startswith("multipart/"):
            return _json({"msgid": await self._say_file(request)})
        return _json({"msgid": self._platform.say(**await _object(request))})

    async def servicer_says(self, request: web.Request) -> web.Response:
        """{servicer, customer, account?, text | ...} -> {msgid}."""
        return _json({"msgid": self._platform.servicer_says(**await _object(request))})

    async def recall(self, request: web.Request) -> web.Response:
        """{msgid}."""
        self._platform.recall(**await _object(request))
        return _json({})

    async def enter(self, request: web.Request) -> web.Response:
        """{customer, account?, scene?, scene_param?} -> {welcome_code}."""
        return _json({"welcome_code": self._platform.enter(**await _object(request))})

    async def fail_delivery(self, request: web.Request) -> web.Response:
        """{msgid, fail_type?}."""
        self._platform.fail_delivery(**await _object(request))
        return _json({})

    async def take_over(self, request: web.Request) -> web.Response:
        """{servicer, customer, account?} -> {msg_code}."""
        return _json({"msg_code": self._platform.take_over(**await _object(request))})

    async def end_session(self, request: web.Request) -> web.Response:
        """{customer, account?} -> {msg_code}."""
        return _json({"msg_code": self._platform.end_session(**await _object(request))})

    async def received(self, request: web.Request) -> web.Response:
        """?customer=&account= -> what the customer was sent, in order."""
        query = request.query
        found = self._platform.received(query["customer"], query.get("account"))
        return _json([asdict(one.line) for one in found])

    async def conversation(self, request: web.Request) -> web.Response:
        """?customer=&account= -> the whole chat, in order."""
        query = request.query
        found = self._platform.conversation(query["customer"], query.get("account"))
        return _json([asdict(one.line) for one in found])

    async def session(self, request: web.Request) -> web.Response:
        """?customer=&account= -> state, and what may still be sent."""
        world = self._platform.world
        account = self._platform.account(request.query.get("account"))
        session = world.session(account, world.customer(request.query["customer"]))
        return _json(window_of(session, self._platform.clock.now(), world.rules.quota))

    async def media(self, request: web.Request) -> web.StreamResponse:
        """Bytes of a media id, without a token; `?download=1` names the file."""
        media = self._platform.media.find(request.match_info["media_id"])
        headers = {"Content-Type": media.content_type}
        if request.query.get("download"):
            headers["Content-Disposition"] = disposition(media)
        return web.FileResponse(media.path, chunk_size=PIECE, headers=headers)

    async def clock(self, request: web.Request) -> web.Response:
        """{advance: seconds} -> {now}."""
        return _json({"now": self._platform.clock.advance((await _object(request))["advance"])})

    async def tokens(self, request: web.Request) -> web.Response:
        """{action: expire | rotate}."""
        action = {"expire": self._platform.tokens.expire, "rotate": self._platform.tokens.rotate}
        action[(await _object(request))["action"]]()
        return _json({})

    async def faults(self, request: web.Request) -> web.Response:
        """The table, what is armed, and how often each has fired."""
        board = self._platform.faults
        table = {
            name: {"does": one.does, "shows": one.shows, "phase": one.phase} for name, one in FAULTS.items()
        }
        return _json(
            {"table": table, "armed": [asdict(one) for one in board.armed], "fired": dict(board.fired)}
        )

    async def arm(self, request: web.Request) -> web.Response:
        """{name, route?, count? (null: for ever), probability?, params?}."""
        wanted = await _object(request)
        params = wanted.pop("params", {})
        self._platform.faults.arm(wanted.pop("name"), **wanted, **params)
        return _json({})

    async def disarm(self, request: web.Request) -> web.Response:
        """?name= switches one off, without it all."""
        self._platform.faults.clear(request.query.get("name"))
        return _json({})

    async def requests(self, request: web.Request) -> web.Response:
        """API calls made; `?clear=1` forgets them afterwards."""
        made = [{**asdict(one), "body": one.body.decode(errors="replace")} for one in self._platform.requests]
        if request.query.get("clear"):
            self._platform.requests.clear()
        return _json(made)

    async def load(self, request: web.Request) -> web.Response:
        """The fields of `Load` -> {customers, count, started, ended}."""
        wanted = await _object(request)
        if "customers" in wanted:
            wanted["customers"] = tuple(wanted["customers"])
        return _json(asdict(await self._platform.load(Load(**wanted))))

    async def stamps(self, request: web.Request) -> web.Response:
        """?side=customer or bridge&after=N -> {next, rows [msgid, customer, account, ns, text head]}."""
        lines = self._platform.world.lines
        after, side = int(request.query.get("after", 0)), request.query.get("side")
        rows = [stamp_row(line) for line in islice(lines, after, None) if side in (None, line.side)]
        return _json({"next": len(lines), "rows": rows})

    async def _say_file(self, request: web.Request) -> str:
        fields: dict[str, str] = {}
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name != "file":
                fields[part.name or ""] = await part.text()
                continue
            kind = fields.get("kind", "file")
            data = bytes(await part.read())
            what = {"file": (part.filename or "file", data)} if kind == "file" else {kind: data}
            return self._platform.say(fields["customer"], fields.get("account"), **what)
        raise ValueError("no part named file")


def window_of(session: Session, now: float, quota: int | None) -> dict[str, Any]:
    """What the account may still send: state, seconds left of the 48 h, messages left (None: unlimited)."""
    seconds = WINDOW - (now - session.wrote_at) if session.wrote_at is not None else 0
    left = None if quota is None else max(0, quota - session.sent_since)
    return {
        "state": int(session.state),
        "servicer_userid": session.servicer_userid,
        "seconds_left": max(0, int(seconds)),
        "quota": quota,
        "left": left if seconds > 0 else 0,
    }


def line_view(line: Line, media: Media | None) -> dict[str, Any]:
    """A chat line as the chat page draws it."""
    return {
        "msgid": line.msgid,
        "side": line.side,
        "msgtype": line.msgtype,
        "content": line.content,
        "at": line.at,
        "state": line.state,
        "file": {"name": media.name, "size": media.size} if media else None,
    }


def _answered(handler: Handler) -> Handler:
    """Tell the caller what he got wrong with status 400."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except _WRONG as error:
            return web.Response(
                status=400,
                body=orjson.dumps({"error": f"{type(error).__name__}: {error}"}),
                content_type="application/json",
            )

    return answered


async def _object(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    wanted = orjson.loads(raw) if raw else {}
    if not isinstance(wanted, dict):
        raise ValueError("a JSON object is expected")
    return wanted


def _json(answer: object) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json")

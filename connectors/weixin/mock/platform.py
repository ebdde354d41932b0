"""`WeixinPlatform`: the whole mock behind one object, for tests in this process and, served, for others.

Rules of this file: composition and short verbs; the rules of the platform are in `world`, its API in `cgi`,
its callbacks in `notices`. Everything a test can do here can be done over HTTP under /_mock (see
`control`).
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from connectors.weixin.mock.cgi import CgiBin
from connectors.weixin.mock.chat import ChatPage
from connectors.weixin.mock.clock import VirtualClock
from connectors.weixin.mock.control import Control
from connectors.weixin.mock.faults import Switchboard
from connectors.weixin.mock.load import Generator, Load, Loaded
from connectors.weixin.mock.media import MediaStore, name_for
from connectors.weixin.mock.notices import Attempt, Manners, Notifier
from connectors.weixin.mock.records import Account, Line, Recorded, State
from connectors.weixin.mock.tokens import Tokens
from connectors.weixin.mock.world import Rules, World

CORPID = "ww1234567890abcdef"
SECRET = "mock-app-secret"
_MEDIA = ("image", "voice", "video")
_UPLOAD_SLACK = 64 * 1024 * 1024


@dataclass(frozen=True)
class Received:
    """One thing the customer sees in the chat. `side` is bridge, servicer or customer."""

    line: Line
    _media: MediaStore

    @property
    def msgid(self) -> str:
        """The message's id."""
        return self.line.msgid

    @property
    def side(self) -> str:
        """Who wrote it."""
        return self.line.side

    @property
    def msgtype(self) -> str:
        """text, image, voice, video, file, link, miniprogram, msgmenu, location, business_card or ca_link."""
        return self.line.msgtype

    @property
    def content(self) -> dict[str, Any]:
        """The object under the msgtype's key."""
        return self.line.content

    @property
    def text(self) -> str:
        """Text of a text message, else ''."""
        return self.line.text

    @property
    def recalled(self) -> bool:
        """Whether it was taken back."""
        return self.line.state == "recalled"

    @property
    def file_name(self) -> str:
        """Name of the media behind it. Raises ApiError 40007 when there is none or it has expired."""
        return self._media.find(self.line.media_id).name

    def media(self) -> bytes:
        """Bytes of the media behind it. Raises ApiError 40007 when there is none or it has expired."""
        return self._media.find(self.line.media_id).path.read_bytes()


class WeixinPlatform:
    """A WeCom corp with 微信客服, its Weixin customers, and the platform between them.

    `corpid` and `secret` make the first corp. `rules` and `manners` set what the vendor leaves open
    (duplicate errcode, quota, callback retries). `record` is how many API calls are kept (0: none, for
    benches). `frozen_at` stops the clock but for `clock.advance`. `directory` is where media is kept (a
    temporary one inside it, removed at the end).
    """

    def __init__(
        self,
        *,
        corpid: str = CORPID,
        secret: str = SECRET,
        rules: Rules | None = None,
        manners: Manners | None = None,
        record: int = 10_000,
        frozen_at: float | None = None,
        directory: Path | None = None,
        seed: int | None = None,
    ) -> None:
        self.corpid = corpid
        self.secret = secret
        self.url = ""
        self.clock = VirtualClock(frozen_at)
        self.faults = Switchboard(seed)
        self.media = MediaStore(self.clock, directory)
        self.tokens = Tokens(self.clock)
        self.world = World(self.clock, self.faults, self.media, rules or Rules())
        self.notifier = Notifier(self.world, self.faults, manners or Manners())
        self.cgi = CgiBin(self.world, self.tokens, self.faults, record)
        self._chat = ChatPage(self.world)
        self._generator = Generator(self.world)
        self.world.ring = self.notifier.ring
        self.world.changed = self._chat.changed
        self.world.session_changed = self._chat.session_changed
        self.clock.moved = self._chat.clock_moved
        self.cgi.account_change = self.notifier.account_change
        self.add_corp(corpid, secret)

    # --- serving

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Listen while the block runs; yields the base URL (`<url>/cgi-bin/...`). Port 0 picks a free one.

        It can be served again afterwards, on the same port too: that is an outage, and nothing is forgotten.
        """
        runner = web.AppRunner(self.app(), access_log=None)
        await runner.setup()
        await self.notifier.start()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            self.url = self.cgi.base_url = f"http://{host}:{runner.addresses[0][1]}"
            yield self.url
        finally:
            await self.notifier.stop()
            self._chat.close()
            await runner.cleanup()

    def app(self) -> web.Application:
        """The aiohttp application: /cgi-bin, /_mock and /kfid."""
        app = web.Application(client_max_size=_UPLOAD_SLACK)
        self.cgi.register(app)
        Control(self).register(app)
        self._chat.register(app)
        return app

    # --- who there is

    def add_corp(self, corpid: str, secret: str) -> None:
        """A corp and one of its app secrets."""
        self.tokens.allow(corpid, secret)

    def add_account(self, name: str, corpid: str | None = None) -> str:
        """A customer service account; returns its open_kfid."""
        return self.world.add_account(corpid or self.corpid, name).open_kfid

    def add_customer(self, nickname: str, **details: Any) -> str:
        """A Weixin user; returns his external_userid. Details: avatar, gender, unionid."""
        return self.world.add_customer(nickname, **details).external_userid

    def set_callback(self, url: str, token: str, aes_key: str, corpid: str | None = None) -> None:
        """Where and how the corp is called back. Raises CryptError for a malformed key."""
        self.notifier.configure(corpid or self.corpid, url, token, aes_key)

    async def verify_callback(self, corpid: str | None = None) -> None:
        """Do the admin console's URL verification. Raises CallbackRefused."""
        await self.notifier.verify(corpid or self.corpid)

    # --- what people do

    def say(self, customer: str, account: str | None = None, **what: Any) -> str:
        """The customer writes; returns the msgid. Give one of:

        `text=` (with `menu_id=` for a menu click), `image=`/`voice=`/`video=` bytes, `file=(name, bytes)`,
        `location=`, `link=`, `business_card=`, `miniprogram=`, `merged_msg=` objects, or `msgtype=` and
        `content=` as they come.
        """
        msgtype, content = self._content(what)
        who = self.world.customer(customer)
        return self.world.customer_says(self._account(account), who, msgtype, content).msgid

    def servicer_says(self, servicer: str, customer: str, account: str | None = None, **what: Any) -> str:
        """An employee answers in the WeCom client (origin 5); takes the same keywords as `say`."""
        msgtype, content = self._content(what)
        who = self.world.customer(customer)
        return self.world.servicer_says(self._account(account), who, servicer, msgtype, content).msgid

    def recall(self, msgid: str) -> None:
        """The writer takes his message back."""
        self.world.recall(msgid)

    def enter(self, customer: str, account: str | None = None, scene: str = "", scene_param: str = "") -> str:
        """The customer opens the chat; returns the welcome_code or ''."""
        return self.world.enter(self._account(account), self.world.customer(customer), scene, scene_param)

    def fail_delivery(self, msgid: str, fail_type: int = 0) -> None:
        """An accepted message is not delivered: msg_send_fail with `fail_type`."""
        self.world.fail_delivery(msgid, fail_type)

    def take_over(self, servicer: str, customer: str, account: str | None = None) -> str:
        """An employee takes the session (state 3, change_type 1); returns the msg_code."""
        who = self.world.customer(customer)
        return self.world.servicer_changes(self._account(account), who, State.SERVICER, servicer, 1)

    def end_session(self, customer: str, account: str | None = None) -> str:
        """An employee ends the session (state 4, change_type 3); returns the msg_code."""
        who = self.world.customer(customer)
        return self.world.servicer_changes(self._account(account), who, State.ENDED, "", 3)

    # --- what there is to see

    def received(self, customer: str, account: str | None = None) -> list[Received]:
        """What the customer was sent, in order: the bridge's and servicers' messages that were delivered."""
        return [one for one in self.conversation(customer, account) if one.side != "customer"]

    def conversation(self, customer: str, account: str | None = None) -> list[Received]:
        """The whole chat as the customer sees it, his own messages too; failed ones are not there."""
        session = self.world.session(self._account(account), self.world.customer(customer))
        return [Received(line, self.media) for line in session.lines if line.state != "failed"]

    @property
    def requests(self) -> deque[Recorded]:
        """The API calls made, oldest first (the last `record` of them)."""
        return self.cgi.requests

    @property
    def callbacks(self) -> deque[Attempt]:
        """The callbacks posted, oldest first."""
        return self.notifier.attempts

    async def settled(self) -> None:
        """Return when no callback is under way any more."""
        await self.notifier.settled()

    async def load(self, load: Load) -> Loaded:
        """Have many customers write at once or at a rate: see `Load`."""
        return await self._generator.run(load, self._account(load.account))

    def account(self, open_kfid: str | None = None) -> Account:
        """An account's record; without an id the corp's first."""
        return self._account(open_kfid)

    def _account(self, open_kfid: str | None) -> Account:
        if open_kfid is None:
            return next(iter(self.world.accounts.values()))
        return self.world.account(open_kfid)

    def _content(self, what: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """(msgtype, content) of the keywords of `say`. Raises TypeError unless exactly one thing is said."""
        if "msgtype" in what:
            return what["msgtype"], what.get("content", {})
        menu_id = what.pop("menu_id", None)
        if len(what) != 1:
            raise TypeError("say exactly one thing: text, image, voice, video, file, location, link, ...")
        kind, value = next(iter(what.items()))
        if kind == "text":
            return kind, {"content": value} if menu_id is None else {"content": value, "menu_id": menu_id}
        if kind == "file":
            return kind, {"media_id": self.media.put(kind, *value).media_id}
        if kind in _MEDIA:
            return kind, {"media_id": self.media.put(kind, name_for(kind, value), value).media_id}
        return kind, value

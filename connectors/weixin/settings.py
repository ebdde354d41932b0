"""Settings of the Weixin connector.

Rules of this file: values only, and secrets never show in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WeixinSettings:
    """How the connector reaches one WeCom corp, and how the corp reaches it.

    `secret` belongs to the self-built app that may call 微信客服. Without `callback_token` and
    `callback_aes_key` nothing listens and accounts are polled alone. `open_kfids` limits the bridge to these
    accounts; empty means all that the app may use. `poll_interval` (seconds) is how often an account is
    looked at without a callback. `timeout` is in seconds, `media_limit` in bytes.

    `duplicate_errcodes` are what the platform answers when a msgid was used before. The vendor does not
    document the code, so they count only where it can have been used: on the repeat of a send whose first
    outcome nobody knows. Anywhere else they are what their row says.
    """

    corp_id: str
    secret: str = field(repr=False)
    api_url: str = "https://qyapi.weixin.qq.com"
    callback_token: str = field(default="", repr=False)
    callback_aes_key: str = field(default="", repr=False)
    listen_host: str = "127.0.0.1"
    listen_port: int = 8090
    callback_path: str = "/weixin/callback"
    open_kfids: tuple[str, ...] = ()
    poll_interval: float = 60.0
    duplicate_errcodes: frozenset[int] = frozenset({40058})
    timeout: float = 20.0
    media_limit: int = 32 * 1024 * 1024

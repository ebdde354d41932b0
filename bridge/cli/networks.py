"""From settings to connectors: the place where the house learns which networks there are.

Rules of this file: translation only. What a connector wants to be told is its own business, what an operator
writes is `bridge.config`'s; the two meet here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.message import SYMPHONY, WEIXIN

if TYPE_CHECKING:
    from bridge import config
    from bridge.ports import Blobs, Clock, Connector
    from connectors.symphony.settings import SymphonySettings
    from connectors.weixin.settings import WeixinSettings

MB = 1_000_000  # bytes


def symphony_settings(part: config.Symphony) -> SymphonySettings:
    """What the Symphony connector is told. `part` must be unlocked."""
    from connectors.symphony.settings import SymphonySettings

    return SymphonySettings(
        pod_url=part.pod_url,
        agent_url=part.agent_url,
        login_url=part.login_url,
        key_manager_url=part.key_manager_url,
        username=part.username,
        private_key=part.private_key.reveal(),
        proxy=part.proxy,
        ca_file=str(part.ca_file or ""),
        max_file_bytes=part.max_file_mb * MB,
    )


def weixin_settings(part: config.Weixin) -> WeixinSettings:
    """What the Weixin connector is told. `part` must be unlocked."""
    from connectors.weixin.settings import WeixinSettings

    host, port = part.listen
    return WeixinSettings(
        corp_id=part.corp_id,
        secret=part.secret.reveal(),
        api_url=part.api_url,
        callback_token=part.token.reveal(),
        callback_aes_key=part.aes_key.reveal(),
        listen_host=host,
        listen_port=port,
        callback_path=part.path,
        open_kfids=part.accounts,
        poll_interval=part.poll_seconds,
        duplicate_errcodes=frozenset(part.duplicate_errcodes),
        media_limit=part.max_file_mb * MB,
    )


def connectors(settings: config.Settings, blobs: Blobs, clock: Clock) -> dict[str, Connector]:
    """Every network by its name, not entered yet. `settings` must be unlocked; see `bridge.config.unlock`."""
    from connectors.symphony.client import SymphonyConnector
    from connectors.weixin.kf import WeixinConnector

    return {
        SYMPHONY: SymphonyConnector(symphony_settings(settings.symphony), blobs, clock=clock),
        WEIXIN: WeixinConnector(weixin_settings(settings.weixin), blobs, clock=clock),
    }

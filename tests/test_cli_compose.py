"""The composition root: what an operator writes reaches the connector it is meant for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge import config
from bridge.archivist import Destination
from bridge.cli import compose
from bridge.config import Archives, Exports, Settings, Symphony, Weixin
from bridge.errors import ConfigError

WRITTEN = """\
[symphony]
pod_url = "https://pod.example"
agent_url = "https://agent.example"
login_url = "https://login.example"
key_manager_url = "https://keys.example"
username = "weighbridge"
proxy = "http://proxy.example:3128"
ca_file = "ca.pem"
max_file_mb = 12

[weixin]
api_url = "https://wecom.example"
corp_id = "ww1234567890abcdef"
listen = "127.0.0.1:0"
path = "/called"
accounts = ["wk1", "wk2"]
poll_seconds = 7.5
duplicate_errcodes = [1, 2]
max_file_mb = 34
"""
SECRETS = {
    "WEIGHBRIDGE_SYMPHONY_PRIVATE_KEY": "hush-key",
    "WEIGHBRIDGE_WEIXIN_SECRET": "hush-secret",
    "WEIGHBRIDGE_WEIXIN_TOKEN": "hushtoken",
    "WEIGHBRIDGE_WEIXIN_AES_KEY": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
}


class NoBlobs:
    """No attachments."""

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """Nothing."""
        for piece in ():
            yield piece


def told_symphony(settings: Settings) -> Any:
    """What the connector was told."""
    return compose.symphony(settings, NoBlobs())._settings  # type: ignore[attr-defined]


def told_weixin(settings: Settings, **options: bool) -> Any:
    """What the connector was told."""
    return compose.weixin(settings, NoBlobs(), **options)._settings  # type: ignore[attr-defined]


@pytest.fixture
def settings() -> Settings:
    """Settings in which every value differs from its default."""
    return config.unlock(config.parse(WRITTEN, SECRETS, folder=Path("/etc/weighbridge")))


def test_symphony_is_told_what_was_written(settings: Settings) -> None:
    """Addresses, account, key, proxy, certificates and limit arrive unchanged; MB become bytes."""
    told = told_symphony(settings)
    assert (told.pod, told.agent) == ("https://pod.example", "https://agent.example")
    assert (told.login, told.key_manager) == ("https://login.example", "https://keys.example")
    assert (told.username, told.private_key) == ("weighbridge", "hush-key")
    assert (told.proxy, told.ca_file) == ("http://proxy.example:3128", "/etc/weighbridge/ca.pem")
    assert told.max_file_bytes == 12_000_000


def test_weixin_is_told_what_was_written(settings: Settings) -> None:
    """Address, corporation, secrets, callback, accounts, pace and limit arrive unchanged."""
    told = told_weixin(settings)
    assert (told.api_url, told.corp_id, told.secret) == (
        "https://wecom.example",
        "ww1234567890abcdef",
        "hush-secret",
    )
    assert (told.callback_token, told.callback_aes_key) == (
        "hushtoken",
        SECRETS["WEIGHBRIDGE_WEIXIN_AES_KEY"],
    )
    assert (told.listen_host, told.listen_port, told.callback_path) == ("127.0.0.1", 0, "/called")
    assert (told.open_kfids, told.poll_interval) == (("wk1", "wk2"), 7.5)
    assert told.duplicate_errcodes == {1, 2}
    assert told.media_limit == 34_000_000


def test_what_a_connector_was_told_prints_no_secret(settings: Settings) -> None:
    """The translated settings keep secrets to themselves, too."""
    shown = repr(told_symphony(settings)) + repr(told_weixin(settings))
    assert not [secret for secret in SECRETS.values() if secret in shown]


def test_commands_do_not_listen(settings: Settings) -> None:
    """A command that signs in beside a running daemon leaves the callback address alone."""
    told = told_weixin(settings, listen=False)
    assert (told.callback_token, told.callback_aes_key) == ("", "")


def test_each_network_is_under_its_own_name(settings: Settings) -> None:
    """One connector per network."""
    assert compose.symphony(settings, NoBlobs()).network == "symphony"
    assert compose.weixin(settings, NoBlobs()).network == "weixin"


def test_locked_settings_are_refused() -> None:
    """Connectors are not made from secrets nobody read: that is an error, not an empty password."""
    locked = config.parse(WRITTEN, {"WEIGHBRIDGE_SYMPHONY_PRIVATE_KEY_FILE": "key.pem"})
    with pytest.raises(ConfigError):
        compose.symphony(locked, NoBlobs())


def test_an_archive_beyond_a_wall_is_told() -> None:
    """Where records of a walled region would be refused, whoever names the archive is told; of one that is
    for some people only, nobody can say."""
    folder = Destination("records/drop", "file:///srv", "native")
    told = {
        "nowhere": folder,
        "us": folder._replace(region="us-east-1"),
        "cn": folder._replace(region="cn"),
        "approved": folder._replace(approval="CSRC-1"),
        "some": folder._replace(everybodys=False),
    }
    for exports, outside in (
        (Exports(), {"nowhere", "us"}),
        (Exports(walls=()), set()),
        (Exports(walls=("CN",), origins=("weixin=HK", "tag:hk=CN")), {"nowhere", "us"}),
        (Exports(walls=("CN",), origins=("weixin=HK",)), set()),
    ):
        found = compose.doubts(Settings(exports=exports), list(told.values()))
        assert {name for name, one in told.items() if any(one == doubted for doubted, _ in found)} == outside
        assert all("CN" in words for _, words in found)


def test_letters_have_to_take_what_is_carried() -> None:
    """Whoever names a mailbox is told where what is carried, larger in a letter, does not fit into one."""
    journal = Destination("records/journal", "smtps://mail.example/j@a.example", "eml")
    named = [Destination("records/drop", "file:///srv", "native"), journal]
    for most, carried, fits in (
        (50, 30, True),
        (42, 30, True),
        (41, 30, False),
        (25, 18, True),
        (25, 19, False),
    ):
        settings = Settings(
            archives=Archives(mail_max_mb=most),
            symphony=Symphony(max_file_mb=carried),
            weixin=Weixin(max_file_mb=1),
        )
        found = [one for one, told in compose.doubts(settings, named) if "max_file_mb" in told]
        assert found == ([] if fits else [journal])

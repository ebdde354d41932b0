"""Settings of the Weixin connector."""

from __future__ import annotations

from connectors.weixin.settings import WeixinSettings


def test_secrets_never_show() -> None:
    """Settings end up in tracebacks and in `doctor`; the secret, token and key must not."""
    shown = repr(WeixinSettings("ww1", "s3cret", callback_token="t0ken", callback_aes_key="k3y"))
    assert "ww1" in shown
    assert not {"s3cret", "t0ken", "k3y"} & set(shown.replace("'", " ").split())
    assert "s3cret" not in shown and "t0ken" not in shown and "k3y" not in shown


def test_defaults_reach_the_real_platform() -> None:
    """Nothing but the corp and its secret is needed to reach the platform and all its accounts."""
    settings = WeixinSettings("ww1", "s")
    assert settings.api_url == "https://qyapi.weixin.qq.com"
    assert settings.open_kfids == ()
    assert settings.callback_token == ""

"""The settings: sensible when little is said, silent about secrets."""

from __future__ import annotations

from connectors.symphony.settings import SymphonySettings


def test_everything_is_served_by_the_pod_unless_said_otherwise() -> None:
    """One URL is enough; each part can live elsewhere, with or without a slash at the end."""
    settings = SymphonySettings(
        "https://acme.example/", "bot", "key", agent_url="https://agent.acme.example/"
    )
    assert settings.pod == settings.login == settings.key_manager == "https://acme.example"
    assert settings.agent == "https://agent.acme.example"


def test_secrets_are_not_shown() -> None:
    """A key, a gateway's header and a proxy's password do not appear when settings are printed."""
    settings = SymphonySettings(
        "https://acme.example",
        "bot",
        "-----BEGIN SECRET",
        headers={"X-Api-Key": "SECRET"},
        proxy="http://user:SECRET@proxy.example:3128",
    )
    assert "SECRET" not in repr(settings)


def test_the_long_poll_outlives_the_agents() -> None:
    """The agent holds a read for about 30 s; a client that gives up before would never hear a quiet feed."""
    assert SymphonySettings("https://acme.example", "bot", "key").poll_timeout > 35

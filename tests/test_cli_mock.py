"""`weighbridge mock`: what it says when it cannot listen."""

from __future__ import annotations

import socket

import pytest

from bridge.cli import output, weighbridge
from bridge.cli.output import Exit


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of one call."""
    code = output.guarded(lambda: weighbridge.main(["mock", *arguments], standalone_mode=False))
    return code, capsys.readouterr().err


@pytest.mark.parametrize("network", ["symphony", "weixin"])
def test_a_taken_port_is_named_with_its_option(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else listens there: exit 2, the address, the reason, what to write; no traceback."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = str(door.getsockname()[1])
        code, err = said(capsys, network, "--port", port)
    assert code == Exit.WRONG
    assert f"127.0.0.1:{port} cannot be listened on (address already in use)" in err
    assert "--port 0" in err


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.example"])
def test_a_host_that_is_not_here_is_named(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address of another machine, or of none, is a matter of the options, too."""
    code, err = said(capsys, "symphony", "--host", host, "--port", "0")
    assert code == Exit.WRONG
    assert f"{host}:0 cannot be listened on" in err

"""The limited process: what it can no longer do, seen from inside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from inspection_rig import CONFINES, FILES

from bridge.inspection import child
from bridge.inspection.bounds import Limits
from bridge.inspection.inspector import command

LIMITS = Limits(60.0, 512 << 20, 1000)


def confined(code: str) -> str:
    """What `code` prints in a process with the limits of a child."""
    given = command("", LIMITS)
    done = subprocess.run(
        [*given[:2], "-c", CONFINES + code, *given[4:]],
        capture_output=True, text=True, env={}, cwd="/", timeout=120, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = bytearray(1 << 30)", "MemoryError"),
        ("import os; print([os.open('/dev/null', 0) for _ in range(99)])", "Too many open files"),
        ("import os; print(dict(os.environ))", "{'LC_CTYPE': 'C.UTF-8'}"),
        ("import resource; print(resource.getrlimit(resource.RLIMIT_CPU))", "(61, 61)"),
    ],
)
def test_what_it_cannot_do(code: str, says: str) -> None:
    """Memory ends, handles end, time ends, nothing of the daemon's environment is seen."""
    assert says in confined(code)


def test_no_file_grows(tmp_path: Path) -> None:
    """Not one byte can be left behind on a disk."""
    path = tmp_path / "left-behind"
    assert "File too large" in confined(f"open({str(path)!r}, 'wb', 0).write(b'x')")
    assert path.read_bytes() == b""


def test_no_network_is_there() -> None:
    """Where the kernel lets an ordinary process give its network away, nobody is reached, not even here."""
    if (
        confined("import os; print(os.readlink('/proc/self/ns/net'))")
        == f"{os.readlink('/proc/self/ns/net')}\n"
    ):
        pytest.skip("this kernel, or this container, keeps the network for the child")
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = confined(
            f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)"
        )
    assert "unreachable" in answer


def test_it_answers_in_two_lines(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The type first, so that it is known however the rest ends; then everything, at most so much of it."""
    child.look_into(BytesIO((FILES / "note.docx").read_bytes()), "file.docx", Limits(60.0, 1 << 30, 20))
    first, second = (json.loads(line) for line in capsysbinary.readouterr().out.splitlines())
    assert first == {"type": "docx"}
    assert (second["type"], len(second["text"]), second["cut"]) == ("docx", 20, True)


def test_it_imports_no_more_than_it_needs() -> None:
    """Starting is what a look into a text costs: neither the daemon nor a PDF reader is loaded for it."""
    loaded = confined("import bridge.inspection.contents; print(*sys.modules)")
    assert not {"asyncio", "structlog", "pypdf", "bridge.message", "email", "pydantic"} & set(loaded.split())


def test_it_starts_from_anywhere(tmp_path: Path) -> None:
    """Isolated from the folder and the environment it is started in, it finds its own code."""
    with (FILES / "note.docx").open("rb") as file:
        done = subprocess.run(
            command("docx", LIMITS),
            stdin=file,
            capture_output=True,
            env={},
            cwd=tmp_path,
            timeout=120,
            check=True,
        )
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == 2

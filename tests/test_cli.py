"""The command line: starts light, answers with documented exit codes, never shows or overwrites a secret."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization

import bridge.cli.init as init_module
from bridge import __version__, config
from bridge.cli import COMMANDS, LazyGroup, output, weighbridge
from bridge.cli.output import Exit
from bridge.cli.root import Root, pass_root
from bridge.errors import (
    ConfigError,
    Conflict,
    Missing,
    PolicyError,
    Refused,
    SignedOut,
    StoreError,
    Unreachable,
    WeighbridgeError,
)
from bridge.policy import check

MockProcess = Callable[..., contextlib.AbstractContextManager[dict[str, Any]]]
START = "import sys; from bridge.cli import main; sys.argv[0] = 'weighbridge'; "
HEAVY = {
    "aiohttp", "alembic", "cryptography", "orjson", "prometheus_client", "pydantic", "re2", "rich",
    "sqlalchemy", "structlog", "uvloop", "yaml",
}  # fmt: skip


def call(*arguments: str, code: str = "main()", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-c", START + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


# --- starting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nonsense"]])
def test_starting_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help, version and a typing mistake are answered without any of the libraries that do the work."""
    listing = "import atexit; atexit.register(lambda: print('modules:', *sys.modules)); main()"
    answer = call(*arguments, code=listing)
    loaded = {name.partition(".")[0] for name in answer.stdout.split("modules:")[1].split()}
    assert "click" in loaded
    assert not loaded & HEAVY


def test_who_only_reads_the_store_does_not_wait_for_the_grammar() -> None:
    """What lists and shows what is kept imports neither the grammar of policies nor its models."""
    loading = "import sys, bridge.store.database, bridge.store.views; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", loading], text=True).split())
    assert "bridge.store.views" in loaded
    assert not loaded & {"bridge.policy.language", "bridge.policy.compiled", "pydantic", "pypinyin"}


def test_help_time_is_reported(record_property: Callable[[str, object], None]) -> None:
    """How long `--help` takes as a process, in ms: reported, not asserted, since machines differ."""
    times = []
    for _ in range(3):
        before = time.perf_counter()
        assert call("--help").returncode == 0
        times.append(round((time.perf_counter() - before) * 1000))
    record_property("help_ms", min(times))


def test_help_lists_every_command() -> None:
    """Every command of the table stands in the help, with its line."""
    text = CliRunner().invoke(weighbridge, ["--help"]).output
    for name, (_, line) in COMMANDS.items():
        assert name in text
        assert line in text


def test_every_command_of_the_table_exists() -> None:
    """The lazy table names modules and attributes that are there, each answering --help."""
    for name in COMMANDS:
        result = CliRunner().invoke(weighbridge, [name, "--help"])
        assert result.exit_code == 0, (name, result.output, result.exception)


def test_the_version_is_the_package_version() -> None:
    """`--version` answers what the package says."""
    assert CliRunner().invoke(weighbridge, ["--version"]).output == f"weighbridge, version {__version__}\n"


def test_a_mistyped_command_gets_a_suggestion() -> None:
    """Who types `audti` is told about `audit`, with exit code 2."""
    answer = call("audti")
    assert answer.returncode == Exit.WRONG
    assert "weighbridge: no such command: audti; did you mean audit?" in answer.stderr
    assert answer.stdout == ""


def test_completion_knows_the_table() -> None:
    """The shell completes names of commands without importing them."""
    environ = os.environ | {
        "_WEIGHBRIDGE_COMPLETE": "bash_complete",
        "COMP_WORDS": "weighbridge po",
        "COMP_CWORD": "1",
    }
    answer = call(code="main()", env=environ)
    assert answer.stdout == "plain,policy\n"


# --- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, "weighbridge.toml"),
        ([], {"WEIGHBRIDGE_CONFIG": "b.toml"}, "b.toml"),
        (["--config", "c.toml"], {"WEIGHBRIDGE_CONFIG": "b.toml"}, "c.toml"),
    ],
)
def test_settings_come_from_the_named_file(
    arguments: list[str], environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--config, else WEIGHBRIDGE_CONFIG, else weighbridge.toml in the working folder."""

    @click.command()
    @pass_root
    def look(root: Root) -> None:
        click.echo(root.config)

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: look)
    assert CliRunner().invoke(weighbridge, [*arguments, "status"], env=environ).output == f"{expected}\n"


def test_root_reads_settings_only_when_asked(tmp_path: Path) -> None:
    """A file that is not there is no problem for who does not need it, and exit code 2 for who does."""
    root = Root(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="weighbridge init"):
        root.settings()
    (tmp_path / "w.toml").write_text("")
    assert Root(tmp_path / "w.toml").settings().daemon.batch == 200
    with pytest.raises(ConfigError, match="needed to run"):
        Root(tmp_path / "w.toml").unlocked()


# --- errors and exit codes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (ConfigError(["a", "b"]), 2, ["a", "b"]),
        (PolicyError(["p.yaml:3:1 x"]), 2, ["p.yaml:3:1 x"]),
        (
            StoreError("disk full"),
            4,
            ["disk full. Nothing was changed. Look at the disk, the rights and the database."],
        ),
        (Conflict("released already"), 1, ["released already. Nothing was changed. Look again."]),
        (Missing("there is no change 77"), 1, ["there is no change 77"]),
        (Unreachable("no answer", certain=True), 75, ["no answer. Try again later."]),
        (Refused("window", "48 hours are over"), 1, ["48 hours are over"]),
        (SignedOut("bad key", remedy="Renew it."), 3, ["bad key Renew it."]),
        (WeighbridgeError("other"), 1, ["other"]),
    ],
)
def test_every_error_has_its_exit_code_and_remedy(
    error: WeighbridgeError, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The errors of the house end as sentences on standard error and as the documented code."""

    def fail() -> None:
        raise error

    assert output.guarded(fail) == code
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [f"weighbridge: {line}" for line in lines]
    assert captured.out == ""


def test_every_kind_of_error_is_in_the_map() -> None:
    """No error of the tree falls through to the last line of `explain`."""

    def leaves(kind: type[WeighbridgeError]) -> Iterator[type[WeighbridgeError]]:
        below = kind.__subclasses__()
        yield from (leaf for sub in below for leaf in leaves(sub)) if below else (kind,)

    mapped = tuple(kind for kind, _, _ in output.ERRORS)
    assert all(
        issubclass(leaf, mapped) for leaf in leaves(WeighbridgeError) if leaf.__module__ == "bridge.errors"
    )


def test_a_bug_keeps_its_traceback() -> None:
    """What nobody expected is not turned into a sentence."""
    with pytest.raises(ZeroDivisionError):
        output.guarded(lambda: 1 / 0)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("x"), 2),
        (click.BadParameter("x"), 2),
    ],
)
def test_interrupts_and_usage_have_their_codes(raised: BaseException, code: int) -> None:
    """Ctrl-C is 130, a wrong argument 2."""

    def fail() -> None:
        raise raised

    assert output.guarded(fail) == code


def test_a_command_may_choose_its_exit_code() -> None:
    """`ctx.exit(5)` reaches the shell, through click and through us."""

    @click.command()
    @click.pass_context
    def verify(ctx: click.Context) -> None:
        ctx.exit(Exit.INTEGRITY)

    assert output.guarded(lambda: verify.main([], standalone_mode=False)) == 5


@pytest.mark.parametrize(("answer", "code"), [(Exit.PARTIAL, 6), (None, 0), (True, 0), ("text", 0)])
def test_what_a_command_returns(answer: object, code: int) -> None:
    """An exit code is an exit code; anything else a command returns is none."""
    assert output.guarded(lambda: answer) == code


def test_a_reader_that_leaves_is_no_error() -> None:
    """`weighbridge audit search | head` ends quietly."""
    code = (
        "from bridge.cli import output; "
        "sys.exit(output.guarded(lambda: [print('x' * 1000, flush=True) for _ in range(10000)]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", START + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


# --- tables and JSON ------------------------------------------------------------------------------------

ROWS = [
    {"seq": 7, "who": "李雷", "state": "held", "hidden": 1},
    {"seq": 123, "who": "Alice Wong", "state": None, "hidden": 2},
]
COLUMNS = {"seq": "SEQ", "who": "WHO", "state": "STATE"}


def test_tables_are_aligned_by_cells(capsys: pytest.CaptureFixture[str]) -> None:
    """Han characters take two cells, numbers stand right, the last column is not padded."""
    output.listing(ROWS, COLUMNS, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "SEQ  WHO         STATE",
        "  7  李雷        held",
        "123  Alice Wong",
    ]


def test_json_listings_are_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With everything a row holds, and in the script it is written in."""
    output.listing(ROWS, COLUMNS, as_json=True)
    written = capsys.readouterr().out
    assert [json.loads(line) for line in written.splitlines()] == ROWS
    assert "李雷" in written


def test_an_empty_listing_says_so_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """No data is no output; the sentence goes to the person. JSON readers hear nothing."""
    output.listing(iter([]), COLUMNS, as_json=False, empty="Nothing is held.")
    assert capsys.readouterr() == ("", "Nothing is held.\n")
    output.listing([], COLUMNS, as_json=True, empty="Nothing is held.")
    assert capsys.readouterr() == ("", "")


def test_details_are_names_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    """One thing, below each other or as one object."""
    output.details([("id", 1), ("who", "李雷")], as_json=False)
    output.details([("id", 1), ("who", "李雷")], as_json=True)
    assert capsys.readouterr().out == 'id   1\nwho  李雷\n{"id":1,"who":"李雷"}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mred", "a\\u001b[31mred"),
        ("line\nbreak\ttab", "line\\u000abreak\\u0009tab"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("\x9b2J", "\\u009b2J"),
        ("👩\u200d💻", "👩\u200d💻"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        (0, "0"),
    ],
)
def test_cells_cannot_steer_the_terminal(text: Any, expected: str) -> None:
    """A name that came from a network moves no cursor, turns no text around and breaks no line."""
    assert output.cell(text) == expected


@pytest.mark.parametrize(
    ("text", "cells"), [("abc", 3), ("李雷", 4), ("ｱ", 1), ("Ａ", 2), ("e\u0301", 1), ("", 0), ("早 a", 4)]
)
def test_width_counts_terminal_cells(text: str, cells: int) -> None:
    """Wide characters count two, combining marks none."""
    assert output.width(text) == cells


def test_cut_never_exceeds_its_cells() -> None:
    """A shortened text ends with an ellipsis and fits, wide characters or not."""
    assert output.cut("abcdef", 6) == "abcdef"
    assert output.cut("abcdefg", 6) == "abcde…"
    assert output.cut("早上好早上好", 6) == "早上…"


def test_times_are_utc_to_the_second() -> None:
    """Milliseconds since the epoch become a date people read; 0 means never."""
    assert output.when(1_795_341_600_123) == "2026-11-22 10:00:00Z"
    assert output.when(0) == ""


# --- init -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder that `init` made, and what it printed."""
    folder = tmp_path_factory.mktemp("init") / "bank"
    result = CliRunner().invoke(weighbridge, ["init", str(folder), "--pod-url", "https://pod.bank.example"])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_init_keeps_everything_to_its_owner(made: tuple[Path, str]) -> None:
    """Folders 0700, files 0600: nobody else reads keys, secrets or policies."""
    for path in [made[0], *made[0].rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_init_makes_a_key_whose_public_half_it_prints(made: tuple[Path, str]) -> None:
    """RSA of 4096 bits; the private half is in its file alone."""
    folder, printed = made
    pem = (folder / "secrets/symphony-key.pem").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert getattr(key, "key_size", 0) == 4096
    assert public.decode() in printed
    assert (folder / "secrets/symphony-public.pem").read_bytes() == public


def test_init_prints_no_secret(made: tuple[Path, str]) -> None:
    """Private key, callback token and AES key are nowhere in the output."""
    folder, printed = made
    for name in ("symphony-key.pem", "weixin-token", "weixin-aes-key"):
        secret = (folder / "secrets" / name).read_text().strip()
        assert secret and secret.splitlines()[-2 if "\n" in secret else 0] not in printed


def test_init_makes_a_callback_key_wecom_accepts(made: tuple[Path, str]) -> None:
    """EncodingAESKey: 43 letters and digits that decode to 32 bytes."""
    key = (made[0] / "secrets/weixin-aes-key").read_text().strip()
    assert len(key) == 43 and key.isalnum()
    assert len(base64.b64decode(key + "=", validate=True)) == 32


def test_init_writes_settings_that_say_what_is_missing(made: tuple[Path, str]) -> None:
    """The file is well formed, holds what was given, and `unlock` names what a person has to fill in."""
    settings = config.load(made[0] / "weighbridge.toml", {})
    assert settings.symphony.pod_url == "https://pod.bank.example"
    with pytest.raises(ConfigError) as caught:
        config.unlock(settings)
    missing = " ".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert (
        "symphony.username" in missing and "weixin.corp_id" in missing and "weixin-secret is empty" in missing
    )


def test_init_copies_every_shipped_policy(made: tuple[Path, str]) -> None:
    """What is shipped arrives, lists included."""
    source = init_module.policy_source()
    shipped = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    copied = {
        path.relative_to(made[0] / "policies") for path in (made[0] / "policies").rglob("*") if path.is_file()
    }
    assert copied == shipped


def test_monitored_policies_only_record() -> None:
    """`mode: enforce` becomes `mode: monitor`, a test of acting one of recording; the rest stays."""
    text = (
        "defaults: { mode: enforce }  # mode\n"
        "rules:\n"
        "  - because: enforced\n"
        "    tests:\n"
        '      - { given: "a, b", expect: redact, becomes: "*, b", tags: [x, y], note: n }  # why\n'
        "      - { given: c, expect: deliver }\n"
    )
    assert init_module.monitored(text) == (
        "defaults: { mode: monitor }  # mode\n"
        "rules:\n"
        "  - because: enforced\n"
        "    tests:\n"
        '      - { given: "a, b", would: redact, expect: deliver, note: n }  # why\n'
        "      - { given: c, expect: deliver }\n"
    )


def test_a_first_install_changes_nothing() -> None:
    """Sections that know no mode become comments, comments in them stay, and a tag is no longer expected."""
    text = (
        "kinds: { voice: hold }\n"
        "rules:\n"
        "  - { given: a, expect: deliver, tags: x }\n"
        "  - { given: b, expect: deliver, tags: [] }\n"
        "attachments:\n"
        "  macros: block  # always\n"
        "\n"
        "retention: []\n"
    )
    assert init_module.monitored(text) == (
        f"{init_module.WATCHING}# kinds: {{ voice: hold }}\n"
        "rules:\n"
        "  - { given: a, expect: deliver }\n"
        "  - { given: b, expect: deliver, tags: [] }\n"
        f"{init_module.WATCHING}# attachments:\n"
        "#   macros: block  # always\n"
        "\n"
        "retention: []\n"
    )


@pytest.mark.parametrize("enforce", [False, True])
def test_the_policies_of_init_pass_their_own_tests(enforce: bool, tmp_path: Path) -> None:
    """What `init` writes is accepted with no error or warning, recording or in force."""
    for name, text in init_module.shipped_policies(enforce=enforce):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    written = sorted(tmp_path.glob("policies/*.yaml"))
    assert written
    assert check(written) == []


def test_init_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file in the way, and nothing at all is written: exit code 2, the file is named."""
    monkeypatch.setattr(init_module, "KEY_BITS", 1024)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/weixin-token").write_text("mine")
    code = output.guarded(lambda: weighbridge.main(["init", str(tmp_path)], standalone_mode=False))
    assert code == Exit.WRONG
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["weixin-token"]
    assert (tmp_path / "secrets/weixin-token").read_text() == "mine"


def test_init_refuses_wrong_values_before_it_writes(tmp_path: Path) -> None:
    """An address that `run` would refuse is refused now."""
    arguments = ["init", str(tmp_path / "x"), "--pod-url", "http://pod.bank.example"]
    assert output.guarded(lambda: weighbridge.main(arguments, standalone_mode=False)) == Exit.WRONG
    assert not (tmp_path / "x").exists()


# --- mock -----------------------------------------------------------------------------------------------


def get(url: str) -> bytes:
    """The body of a page on this machine."""
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url, timeout=60) as answer:
        body: bytes = answer.read()
    return body


def test_mock_symphony_serves_until_told(tmp_path: Path, mock_process: MockProcess) -> None:
    """It says where it listens, has a chat window per person, and keeps the bot's key to its owner."""
    key = tmp_path / "key.pem"
    with mock_process("symphony", "--bot-key-out", str(key), "--user", "bob.li@bank.example=Bob Li") as facts:
        assert facts["bot"] == "weighbridge"
        assert list(facts["chats"]) == ["bob.li"]
        assert b"Bob Li" in get(facts["chats"]["bob.li"])
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert b"PRIVATE KEY" in key.read_bytes()


def test_mock_symphony_takes_the_key_of_init(made: tuple[Path, str], mock_process: MockProcess) -> None:
    """The public half from `init` is what the pod's administrator would be given."""
    with mock_process("symphony", "--bot-key", str(made[0] / "secrets/symphony-public.pem")) as facts:
        assert facts["url"].startswith("http://127.0.0.1:")


def test_mock_weixin_serves_until_told(made: tuple[Path, str], mock_process: MockProcess) -> None:
    """It has an account, a chat window per customer, and takes the callback secrets from files."""
    secrets = made[0] / "secrets"
    with mock_process(
        "weixin", "--customer", "李雷", "--callback", "http://127.0.0.1:9/weixin/callback",
        "--token-file", str(secrets / "weixin-token"), "--aes-key-file", str(secrets / "weixin-aes-key"),
    ) as facts:  # fmt: skip
        assert facts["account"].startswith("wk")
        assert b"<html" in get(facts["chats"]["李雷"]).lower()


@pytest.mark.parametrize(
    "arguments",
    [["symphony", "--user", "nobody"], ["weixin", "--callback", "http://127.0.0.1:9/x"]],
    ids=["person without a name", "callback without secrets"],
)
def test_mock_refuses_what_it_cannot_use(arguments: list[str]) -> None:
    """A wrong option ends with exit code 2 before anything listens."""
    assert output.guarded(lambda: weighbridge.main(["mock", *arguments], standalone_mode=False)) == Exit.WRONG


def every_command(at: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names that lead to each command and group below `at`, itself included."""
    yield path
    if isinstance(at, click.Group):
        context = click.Context(at)
        for name in at.list_commands(context):
            if (below := at.get_command(context, name)) is not None:
                yield from every_command(below, (*path, name))


def test_help_fits_a_terminal() -> None:
    """No line of any help is wider than eighty columns, and no command's own line ends in the middle.

    click keeps a margin of two.
    """
    wide, cut = [], []
    for path in every_command(weighbridge):
        shown = CliRunner().invoke(weighbridge, [*path, "--help"], terminal_width=78).output
        wide += [(path, line) for line in shown.splitlines() if output.width(line) > 80]
        commands = shown.partition("\nCommands:\n")[2]
        cut += [(path, line) for line in commands.splitlines() if line.endswith("...")]
    assert (wide, cut) == ([], [])

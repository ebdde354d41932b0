"""The documentation, executed: README's commands are run, and whatever the pages name has to exist.

Rules of this file: a page is read as text and held against the program's own tables (settings, metrics, log
lines, ledger kinds, commands). Both directions where it matters: what a page names exists, and what exists is
explained where its reader looks for it. `make` targets are not run here, because they run this.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pydantic
import pytest
from rules import obey
from story import ENTRIES, Terminal, copy_of_the_story

from bridge import config, flow, telemetry
from bridge.cli import COMMANDS, main, weighbridge
from bridge.cli.compose import WallClock
from bridge.ledger.entry import KINDS
from bridge.policy import language
from bridge.store.database import Database, create
from connectors.symphony import wire as symphony_wire
from connectors.weixin import errcodes

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


# --- reading pages --------------------------------------------------------------------------------------


@functools.cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file of the repository."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(path for line in answer.stdout.splitlines() if (path := ROOT / line).is_file())


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path, pattern: str) -> set[str]:
    """Whatever stands in backticks on a page and matches `pattern` as a whole."""
    return {code for code in CODE.findall(prose(read(page))) if re.fullmatch(pattern, code)}


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text)


def shell_lines(text: str) -> Iterator[str]:
    """The commands of a page's fenced blocks: after `$ ` in console blocks, every line in sh blocks."""
    for kind, body in FENCE.findall(text):
        for line in body.splitlines():
            if kind == "console" and line.startswith("$ "):
                yield line[2:]
            elif kind == "sh":
                yield line


# --- README's commands ----------------------------------------------------------------------------------

CLIENT_WRITES = "<!-- here the client writes -->"
PLACEHOLDER = "wkAbc/wmXyz"
PORTS = ("8101", "8102", "9471")
SHELL = frozenset("|&;<>$`*~")
"""What a line needs a shell for."""
PATIENCE = 90.0
"""Seconds that anything may take before it counts as broken."""


def steps(text: str) -> Iterator[str]:
    """What README's reader does, in order: commands, and the one thing done in a chat window."""
    for part in re.split(f"({re.escape(CLIENT_WRITES)})", text):
        yield from [part] if part == CLIENT_WRITES else shell_lines(part)


def until(met: Callable[[], Any], what: str) -> Any:
    """Wait for a condition, and give what met it."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := met()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.02)
    return answer


def ask(url: str, body: object = None) -> str:
    """The text at `url`, "" while nobody answers or the answer is no."""
    data = json.dumps(body).encode() if body is not None else None
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with straight.open(url, data, timeout=PATIENCE) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return ""


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return str(door.getsockname()[1])


class Reader:
    """Somebody who types what README says, in an empty folder, with ports of his own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: free_port() for port in PORTS}
        self.pages = f"http://127.0.0.1:{free_port()}"
        self.running: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("WEIGHBRIDGE_")}
        self.env |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WEIGHBRIDGE_DAEMON_HTTP": self.pages.removeprefix("http://"),
            "WEIGHBRIDGE_WEIXIN_LISTEN": f"127.0.0.1:{self.ports['9471']}",
            "WEIGHBRIDGE_PERSON": "reviewer@bank.example",
            "PWD": str(folder),
        }

    def does(self, step: str) -> None:
        """One step."""
        if step == CLIENT_WRITES:
            self._client_writes()
        elif not step.startswith("make "):
            for port, mine in self.ports.items():
                step = step.replace(port, mine)
            self._types(step.replace(PLACEHOLDER, "/".join(self._client()) if PLACEHOLDER in step else ""))

    def _types(self, command: str) -> None:
        if command.startswith("export "):
            for setting in shlex.split(command)[1:]:
                name, _, value = setting.partition("=")
                self.env[name] = re.sub(r"\$(\w+)", lambda found: self.env[found[1]], value)
        elif command.endswith("&"):
            self._starts(command.rstrip("& "))
        elif self.running and command.startswith("weighbridge ") and not set(command) & SHELL:
            self._calls(shlex.split(command)[1:])
        else:
            ended = subprocess.run(
                ["bash", "-c", command], cwd=self.folder, env=self.env, capture_output=True, text=True,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
            assert ended.returncode == 0, f"$ {command}\n{ended.stdout}{ended.stderr}"

    def _calls(self, words: list[str]) -> None:
        """A command while others run, in this process: that the program starts anew was shown before."""
        with pytest.MonkeyPatch.context() as here:
            here.chdir(self.folder)
            for name in (name for name in self.env if name.startswith(config.PREFIX)):
                here.setenv(name, self.env[name])
            here.setattr(sys, "argv", ["weighbridge", *words])
            with pytest.raises(SystemExit) as left:
                main()
        assert not left.value.code, f"$ weighbridge {shlex.join(words)}"

    def _starts(self, command: str) -> None:
        said = self.folder / f"said-{len(self.running)}"
        with said.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.env, stdout=file, stderr=file
            )
        self.running.append((command, process, said))

        def up() -> bool:
            assert process.poll() is None, f"$ {command}\n{read(said)}"
            return "listening on" in read(said) or bool(" run" in command and ask(f"{self.pages}/readyz"))

        until(up, f"$ {command}")

    def _client(self) -> tuple[str, str]:
        """Account and contact id, as the mock of Weixin has printed them."""
        said = next(read(file) for command, _, file in self.running if "mock weixin" in command)
        found = re.search(r"customer=(\w+[\w-]*)&account=([\w-]+)", said)
        assert found, said
        return found[2], found[1]

    def _client_writes(self) -> None:
        account, customer = self._client()
        wish = {"customer": customer, "account": account, "text": "早上好"}
        assert ask(f"http://127.0.0.1:{self.ports['8102']}/_mock/say", wish)
        until(lambda: "weighbridge_held 1.0" in ask(f"{self.pages}/metrics"), "the message to be held")

    def advisor_reads(self, text: str) -> bool:
        """Whether some stream of the pod shows `text`."""
        pod = f"http://127.0.0.1:{self.ports['8101']}/_mock/streams"
        streams = json.loads(ask(pod))
        return any(text in ask(f"{pod}/{stream['id']}/messages") for stream in streams)

    def leaves(self) -> list[int]:
        """Stop what was started, the last first; gives the exit codes."""
        codes = []
        for _, process, _ in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            codes.append(process.wait(PATIENCE))
        return codes

    def kills(self) -> None:
        """Leave nothing running."""
        for _, process, _ in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()


def test_what_the_readme_says_works(tmp_path: Path) -> None:
    """Every command of README, typed in order, succeeds; the released message reaches the advisor's room."""
    reader = Reader(tmp_path)
    with contextlib.ExitStack() as after:
        after.callback(reader.kills)
        for step in steps(read(README)):
            reader.does(step)
        until(lambda: reader.advisor_reads("早上好"), "the released message to arrive")
        assert reader.leaves() == [0, 0, 0]


SAYINGS = ("bridge/cli/play.py", "bridge/words.py", "policies/firm-wide.yaml", "policies/hk-equities.yaml")
FEED_LINE = re.compile(r"^  [\d:]{8}  .*? → (?:Alice Wong|李雷) +(.*?)  +[A-Za-z]+ +\d+ ms$", re.MULTILINE)


def test_the_transcript_is_of_this_demo() -> None:
    """What README shows of `make demo` is what people say there, or what the bridge and its policies say."""
    said = "".join(read(ROOT / name) for name in SAYINGS)
    lines = FEED_LINE.findall(read(README))
    assert len(lines) > 10
    texts = {re.sub(r"\[.*\]|…", "", text).strip() for line in lines for text in line.split(" ⏎ ")}
    obey(
        "README's transcript is of this demo: take it again.",
        (one for one in texts if one not in said and re.sub(r"\d+", "{number}", one) not in said),
    )


def test_make_targets_exist() -> None:
    """A page that says `make something` names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))

    def broken() -> Iterator[str]:
        for page in pages():
            text = "\n".join([*shell_lines(read(page)), *CODE.findall(read(page))])
            for target in re.findall(r"(?:^|[`\s])make ([a-z]+)", text):
                if target not in targets:
                    yield f"{page.relative_to(ROOT)}: make {target}: not in the Makefile"

    obey("Targets of make exist.", broken())


# --- links ----------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get where it is shown."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    """Every relative link of every page leads to a file that exists, and to a heading in it."""

    def broken() -> Iterator[str]:
        for page in pages():
            for target in LINK.findall(prose(read(page))):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = target.partition("#")
                path = (page.parent / name).resolve() if name else page
                if not path.exists():
                    yield f"{page.relative_to(ROOT)}: {target}: there is no such file"
                elif anchor and anchor not in anchors(path):
                    yield f"{page.relative_to(ROOT)}: {target}: there is no such heading"

    obey("Links lead somewhere.", broken())


# --- commands -------------------------------------------------------------------------------------------


def leaves() -> Iterator[tuple[str, ...]]:
    """Every command that does something, as its words: ("review", "list")."""
    for name in COMMANDS:
        command = command_of((name,))
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.list_commands(click.Context(command)))
        else:
            yield (name,)


def command_of(words: tuple[str, ...]) -> click.Command:
    """The command of these words; raises LookupError when there is none."""
    command: click.Command = weighbridge
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        if found is None:
            raise LookupError(word)
        command = found
    return command


def invocations(page: Path) -> Iterator[str]:
    """Every `weighbridge ...` that a page asks its reader to type, in blocks or in backticks."""
    text = read(page)
    for line in (*shell_lines(text), *CODE.findall(prose(text))):
        if found := re.search(r"(?:^|[ /])weighbridge (?=[a-z-])(.*)", line):
            yield found[1].rstrip("& ")


def unknown_in(invocation: str) -> str:
    """The first word or option of an invocation that the program does not know; "" when it knows all."""
    command: click.Command = weighbridge
    words = shlex.split(invocation)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
            options |= dict.fromkeys(("--help", "--version"))
            name = word.partition("=")[0]
            if name not in options:
                return word
            option = options[name]
            if isinstance(option, click.Option) and not option.is_flag and "=" not in word:
                words = words[1:]
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return word
            command = found
    return ""


def test_commands_on_pages_exist() -> None:
    """Whatever command, sub-command or option a page names, the program knows."""
    obey(
        "Pages name commands that exist.",
        (
            f"{page.relative_to(ROOT)}: weighbridge {invocation}: there is no {unknown!r}"
            for page in pages()
            if page.name != "CHANGELOG.md"
            for invocation in invocations(page)
            if (unknown := unknown_in(invocation))
        ),
    )


def test_every_command_is_on_a_page() -> None:
    """Nobody has to find a command by chance: each is shown in README or in docs."""
    shown = "\n".join(invocation for page in (README, *DOCS.glob("*.md")) for invocation in invocations(page))
    obey(
        "Every command is shown in README or docs, as it is typed.",
        (
            f"weighbridge {' '.join(words)}"
            for words in leaves()
            if not re.search(rf"(^|\s){' '.join(words)}\b", shown)
        ),
    )


# --- settings, metrics, log lines, entries --------------------------------------------------------------


def metrics() -> set[str]:
    """Names of metrics as Prometheus shows them."""
    families = telemetry.metrics.registry.collect()
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def settings() -> dict[str, set[str]]:
    """Keys of settings, by section."""
    keys: dict[str, set[str]] = {}
    for section, row in config.rows():
        keys.setdefault(section, set()).add(config.written_key(row))
    return keys


def grammar() -> set[str]:
    """Every key of the policy language."""
    models = (
        one
        for one in vars(language).values()
        if isinstance(one, type) and issubclass(one, pydantic.BaseModel)
    )
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def test_settings_on_pages_exist() -> None:
    """`[section] key`, and `WEIGHBRIDGE_...` in the environment, name settings that exist."""
    known = settings()
    variables = {config.variable(section, row.name) for section, row in config.rows()}
    variables |= {
        f"{config.PREFIX}{section}_{key}".upper() for section, keys in known.items() for key in keys
    } | config.ELSEWHERE

    def broken() -> Iterator[str]:
        for page in pages():
            place = page.relative_to(ROOT)
            for section, key in re.findall(r"`\[(\w+)\](?:`\s+`| )(\w+)`", read(page)):
                if key not in known.get(section, ()):
                    yield f"{place}: [{section}] {key}: there is no such setting"
            for variable in re.findall(r"\bWEIGHBRIDGE_[A-Z_]+[A-Z]\b", read(page)):
                if variable not in variables and "SECTION_KEY" not in variable:
                    yield f"{place}: {variable}: there is no such variable"

    obey("Settings on pages exist.", broken())


@pytest.mark.parametrize("page", [README, DOCS / "operations.md", DOCS / "networks.md"], ids=lambda p: p.stem)
def test_names_with_underscores_are_names_of_something(page: Path) -> None:
    """On the pages for operators, `such_a_word` is a setting, a metric or a key of the policy language."""
    known = metrics() | grammar() | set().union(*settings().values())
    unknown = named(page, r"[a-z]+(_[a-z]+)+") - known
    obey("A name that nobody knows helps nobody.", (f"{page.relative_to(ROOT)}: {one}" for one in unknown))


def test_metrics_are_explained() -> None:
    """The operator's manual explains every metric, and no other."""
    assert named(DOCS / "operations.md", r"weighbridge_\w+") == metrics()


@functools.cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    """The product's Python files, without the mocks."""
    files = [*(ROOT / "bridge").rglob("*.py"), *(ROOT / "connectors").rglob("*.py")]
    return tuple((path, ast.parse(read(path))) for path in files if "mock" not in path.parts)


def log_names() -> set[str]:
    """Every name of a log line that the product may write."""
    found = {"line:misworded"}
    for _, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                names = {text for argument in node.args for text in _names(argument)}
                found |= names if names and "log" in ast.unparse(node.func).lower() else set()
            if isinstance(node, ast.Assign) and "_LOG_NAMES" in ast.unparse(node.targets[0]):
                found.update(_names(node.value))
    return found


def _names(node: ast.expr) -> Iterator[str]:
    for inner in ast.walk(node):
        text = inner.value if isinstance(inner, ast.Constant) else None
        if isinstance(text, str) and telemetry.EVENT.fullmatch(text):
            yield text


def test_log_lines_are_explained() -> None:
    """The operator's manual explains every log line, and no other."""
    explained = named(DOCS / "operations.md", telemetry.EVENT.pattern)
    written = log_names()
    obey(
        "docs/operations.md has a row for every log line.",
        [*(f"{name}: not explained" for name in written - explained),
         *(f"{name}: nobody writes it" for name in explained - written)],
    )  # fmt: skip


def test_entries_are_explained() -> None:
    """The auditor's page explains every kind of ledger entry, and no other."""
    assert named(DOCS / "audit.md", telemetry.EVENT.pattern) == set(KINDS)


def refusals() -> set[str]:
    """The short words for why a delivery was not made."""
    found = {row.word for row in errcodes.ERRCODES.values() if row.word}
    found |= {word for word, _ in symphony_wire._REFUSALS.values()}
    for path, module in sources():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            first = node.args[0] if node.args else None
            if name == "Refused" and isinstance(first, ast.Constant):
                found.add(str(first.value))
            if name == "Attempt" and path.name == "pipeline.py":
                found |= {
                    str(one.value.value)
                    for one in node.keywords
                    if one.arg == "reason" and isinstance(one.value, ast.Constant)
                }
    return found


def test_reasons_are_explained() -> None:
    """Whatever stands under WHY in the outbox, the operator's manual says what to do about it."""
    missing = refusals() - named(DOCS / "operations.md", r"[a-z-]+")
    obey("docs/operations.md says what to do about every refusal.", missing)


def test_states_are_explained() -> None:
    """Whatever state a delivery is in, the operator's manual says what to do about it."""
    missing = {state.value for state in flow.DeliveryState} - named(DOCS / "operations.md", "[a-z]+")
    obey("docs/operations.md explains every state of a delivery.", missing)


async def test_the_auditors_script_finds_the_root(tmp_path: Path) -> None:
    """The script on the auditor's page gives the store's own roots, of all entries and of the first few."""
    file = tmp_path / "weighbridge.db"
    url = f"sqlite:///{file}"
    create(url, 1)
    store = Database(url, tmp_path / "blobs", WallClock())
    for number in range(9):
        await store.activate_policy([("firm-wide", f"{number:064x}")], "weighbridge", "a test")
    store.close()
    with contextlib.closing(sqlite3.connect(file)) as db:
        heads = dict(db.execute("SELECT size, root FROM heads"))
    scripts = [body for kind, body in FENCE.findall(read(DOCS / "audit.md")) if kind == "python"]
    script = next(script for script in scripts if "sqlite3" in script)
    assert printed(script, str(file)) == f"10 {heads[10].hex()}\n"
    for size in (1, 2, 7):
        assert printed(script, str(file), str(size)) == f"{size} {heads[size].hex()}\n"


def test_the_page_checks_proofs_without_us(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The checking program on the auditor's page accepts our proofs, and no altered one."""
    copy_of_the_story(tmp_path)
    older = min((tmp_path / "checkpoints").rglob("*.note"))
    command = ["audit", "proof", "1", "--against", str(older)]
    proof = Terminal(tmp_path, capsys).type(*command).out
    script = next(body for kind, body in FENCE.findall(read(DOCS / "audit.md")) if kind == "python")
    key, file = str(tmp_path / "checkpoints/key.pub"), tmp_path / "proof.json"
    file.write_text(proof)
    lines = printed(script, str(file), key).splitlines()
    assert lines[0].startswith(f"signed: {ENTRIES} entries")
    assert [line.split(", ")[-1] for line in lines[1:3]] == ["message:archived", "message:judged"]
    assert lines[-1] == f"unchanged: all of the first {int(older.stem)} entries"
    for altered in _altered(proof):
        file.write_text(json.dumps(altered))
        with pytest.raises(subprocess.CalledProcessError):
            printed(script, str(file), key)


def _altered(proof: str) -> Iterator[dict[str, Any]]:
    """A proof with one thing other than it was: an entry, its place, a hash, a size, a signature."""

    def other(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(proof)
        change(copy)
        return copy

    def flip(hashes: list[str]) -> None:
        hashes[1] = "00" * 32

    yield other(lambda p: p["entries"][0].update(entry=p["entries"][0]["entry"].replace("text", "file")))
    yield other(lambda p: p["entries"][1].update(number=p["entries"][1]["number"] + 1))
    yield other(lambda p: flip(p["entries"][0]["path"]))
    yield other(lambda p: p["entries"][0]["path"].pop())
    yield other(lambda p: p.update(checkpoint=p["checkpoint"].replace(f"\n{ENTRIES}\n", "\n300\n")))
    yield other(lambda p: p.update(checkpoint=p["earlier"]["checkpoint"]))
    yield other(lambda p: flip(p["earlier"]["path"]))
    yield other(lambda p: p["earlier"].update(checkpoint=p["checkpoint"]))


def printed(script: str, *arguments: str) -> str:
    """What a Python script prints."""
    words = [sys.executable, "-c", script, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


# --- the map --------------------------------------------------------------------------------------------


def test_the_map_names_every_module() -> None:
    """docs/architecture.md names every file and package of bridge, and none that is gone."""
    bridge = ROOT / "bridge"
    files = [path.relative_to(bridge) for path in bridge.rglob("*.py") if "migrations" not in path.parts]
    modules = {str(path) for path in files if path.name != "__init__.py"}
    packages = {f"{path.parent}/" for path in files if path.parent != Path(".")}
    on_map = named(DOCS / "architecture.md", r"[a-z_/]+(\.py|/)")
    gone = {name for name in on_map if not (bridge / name).exists() and not (ROOT / name).exists()}
    # What was planned and is not there is named in one place, which says so.
    gone -= {"records/", "console/"}
    obey(
        "docs/architecture.md is the map: every module has its line.",
        [*(f"{name}: not on the map" for name in (modules | packages) - on_map),
         *(f"{name}: on the map, and gone" for name in gone)],
    )  # fmt: skip


def test_the_changelog_begins_with_this_version() -> None:
    """The newest release is the version of pyproject.toml, with its date; above it stands what is to come."""
    version = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["version"]
    releases = re.findall(r"^## (.+)$", read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    releases = [release for release in releases if release != "Unreleased"]
    assert re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", releases[0]), releases[0]

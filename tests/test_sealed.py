"""Sealed at rest, from outside: a real daemon lives, is killed and lives on, and every byte it left is read.

Rules of this file: the daemon is the one that `weighbridge run` starts, between both mock networks, with the
policies that are shipped and one that does everything else a policy can do. What people wrote, who they are,
what their files are called and hold, and why somebody did something is looked for in every file below the
installation's folder, in every log line, page and command line of a child, in the shapes below. `ALLOWED`
names what is left out, and why; `docs/audit.md` says the same to the reader.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from daemon_rig import ALICE, DEADLINE, LI_LEI, PERSON, Place, Running, place, settings_folder, within
from sqlalchemy import func, select

from bridge.cli import output, weighbridge
from bridge.cli.output import Exit
from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.people import Pair
from bridge.store import schema as s

ALLOWED: Mapping[str, str] = {
    "policies": "the firm's own files, which its people write: the store keeps what decided, sealed",
    "weighbridge.toml": "the settings, which name whoever may approve",
}
"""What below the folder is not the installation's own writing."""

SECOND = "李雷的第二个微信"
GREETING = "早上好，今天的季度数字如何"
FIGURES = "Quarterly figures look better than feared"
FIGURES_AGAIN = "Quarterly figures look worse than feared"
CARD = "4111 1111 1111 1111"
HELD = "騰訊明日有公告請勿外傳"
REJECTED = "腾讯下周要被收购了"
RECALLED = "这句话我要收回来"
BANNED = "你加我私人微信吧"
STRANGERS = "陌生人也想问一句"
QUESTION = "May I have your consent, dear client"
UNSENT = "the words that a kill cut short"
REASON = "his own card, says the branch manager"
NO_REASON = "control room says never"
FILE = "季度数字草稿.txt"
OTHER_FILE = "holdings-of-the-family.txt"
INSIDE = "持仓明细：八千股港股与三千股美股"
INSIDE_TOO = "The family office holds eight thousand shares"
NOTICED = "desk.notice@bank.example"
ASKED = "本行会记录并监察"

SAID = (
    *("Alice Wong", LI_LEI, SECOND, ALICE, PERSON, FILE, OTHER_FILE, INSIDE, INSIDE_TOO, CARD),
    *(GREETING, FIGURES, FIGURES_AGAIN, HELD, REJECTED, RECALLED, BANNED, STRANGERS, QUESTION, UNSENT),
    *(REASON, NO_REASON, ASKED, "alice.wong", "Quarterly", "季度数字", "騰訊明日", "私人微信"),
    *("eight thousand", "港股与三千", "branch manager"),
)
"""What the archive says, whole and in the words that a search would know it by."""

PIECES = (
    *SAID,
    NOTICED,
    "腾讯明日",
    "4111111111111111",
    "腾讯",
    "季度",
    "港股",
    "持仓",
    "feared",
    "holdings",
)
"""What must be nowhere: that, whoever of the staff gets notices, and what an index would make of words."""

POLICY = """\
policy: sealed-desk
language: 1
title: What the shipped policies do not do
owner: compliance@bank.example
timezone: Asia/Hong_Kong
applies_to: { groups: clients }
defaults: { mode: enforce, unmatched: deliver, unpaired: hold, on_error: hold }
groups:
  clients: { weixin: "tag:客户" }
rules:
  - id: figures
    title: Somebody hears of figures
    because: Supervision manual 7
    severity: low
    when: { direction: to_weixin, finds: figures }
    then:
      tag: figures
      notify: desk.notice@bank.example
      annotate: { en: These are not final., zh: 数字未经审计。 }
      sample: { percent: 100, queue: daily-review }
    tests:
      - { given: Quarterly figures, recipient: "tag:客户", expect: annotate }
detectors:
  figures: { type: pattern, pattern: 'Quarterly figures' }
consent:
  from: clients
  text: { en: "Recorded by us. Answer “agree”.", zh: 本行会记录并监察此对话。如同意，请回复“同意”。 }
  agree: [同意, agree]
  until_given: hold
"""


# --- shapes ---------------------------------------------------------------------------------------------

SHORTEST = 6
"""Bytes below which a shape might stand in sealed bytes by chance, once in a few thousand runs."""


def shapes(text: str) -> Iterator[bytes]:
    """The bytes of a text as a program might have written them down."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "gbk", "gb18030", "big5"):
        with contextlib.suppress(UnicodeEncodeError):
            data = text.encode(encoding)
            yield data
            yield from in_base64(data)
            yield data.hex().encode()
    escaped = text.encode("unicode_escape")
    yield from (escaped, escaped.upper().replace(b"\\U", b"\\u"))
    yield "".join(f"&#{ord(one)};" if ord(one) > 127 else one for one in text).encode()
    yield from (quote(text).encode(), quote(text).lower().encode(), quote(text, safe="").encode())


def in_base64(data: bytes) -> Iterator[bytes]:
    """What stays the same of these bytes wherever they stand in something written in base64."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data)
        inner = whole[(0, 2, 3)[before] : len(whole) - (4 if (before + len(data)) % 3 else 0)]
        yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


SHAPES = {
    shape: (piece, number)
    for piece in PIECES
    for number, one in enumerate(dict.fromkeys((piece, piece.lower())))
    for shape in shapes(one)
    if len(shape) >= SHORTEST
}


def found_in(data: bytes) -> set[str]:
    """Which pieces stand in these bytes."""
    return {piece for shape, (piece, _) in SHAPES.items() if shape in data}


def in_clear(folder: Path) -> dict[str, set[str]]:
    """Which pieces stand in which files below a folder, in what a file is called, or where a link leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in ALLOWED:
            continue
        data = path.read_bytes() if path.is_file() else b""
        if pieces := found_in(data) | found_in(os.fsencode(name)):
            found[str(name)] = pieces
    return found


@pytest.mark.parametrize(
    "data",
    [
        FILE.encode("utf-16-be"),
        HELD.encode("big5"),
        HELD.encode("gb18030"),
        b'{"text": "\\u9a30\\u8a0a\\u660e\\u65e5"}',
        quote(FILE).encode(),
        base64.b64encode(f'{{"name": "{FILE}"}}'.encode()),
        base64.urlsafe_b64encode(f"??{GREETING}".encode()),
        b"ALICE.WONG@bank.example".lower(),
        INSIDE.encode("gbk").hex().encode(),
    ],
)
def test_the_search_finds_what_is_there(data: bytes, tmp_path: Path) -> None:
    """Whatever this file would overlook, it would overlook in silence: so each shape is tried."""
    (tmp_path / "core").write_bytes(bytes(99) + data + bytes(99))
    assert in_clear(tmp_path)


# --- the life -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `weighbridge init` writes, with the policy above beside the shipped ones."""
    folder = settings_folder(tmp_path_factory.mktemp("init") / "bank")
    (folder / "policies/sealed-desk.yaml").write_text(POLICY)
    return folder


@pytest.fixture
async def here(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """Both networks up, and a folder for whatever a program puts aside, below the installation's own."""
    async with place(template, tmp_path / "bank") as made:
        aside = made.folder / "tmp"
        aside.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(aside))
        made.environ |= {"TMPDIR": str(aside), "SQLITE_TMPDIR": str(aside)}
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        await introduce_second(made)
        yield made


async def introduce_second(here: Place) -> None:
    """A second customer, with a tag that makes consent necessary, in a room of his own with Alice."""
    here.second = here.platform.add_customer(SECOND)
    alice = here.pod.user(ALICE).user_id
    here.room = here.pod.create_room("Second", ["weighbridge", alice])
    advisor = Party(SYMPHONY, str(alice), "Alice Wong", ALICE, "en")
    client = Party(WEIXIN, here.second, SECOND, "", "zh-Hans", tags=frozenset({"客户"}))
    async with here.store() as database:
        pair = Pair(advisor, here.room, client, here.account)
        await database.make_pair(dict(pair.record()), PERSON, "known client")


async def type_(here: Place, *arguments: str) -> int:
    """A command beside the daemon; gives its exit code."""
    typed = ["--config", str(here.config), *arguments]
    return int(
        await asyncio.to_thread(output.guarded, lambda: weighbridge.main(typed, standalone_mode=False))
    )


async def opened(daemon: Running) -> None:
    """Wait until the daemon is ready and both networks are open."""
    await daemon.heard("READY=1")
    await daemon.heard("STATUS=both networks open")


async def held(here: Place, text: str) -> int:
    """The number of the message with this text, once it is held."""
    query = (
        select(s.messages.c.id, s.content.c.body)
        .join(s.content, (s.content.c.lane == s.messages.c.lane) & (s.content.c.seq == s.messages.c.entry))
        .where(s.messages.c.state == "held")
    )

    async def look() -> int:
        rows = await here.ask(lambda db: db.execute(query).all())
        return next((row.id for row in rows if text.encode() in row.body), 0)

    return await within(DEADLINE, look)


async def watched(parent: int, seen: set[bytes]) -> None:
    """Keep the command line and the environment of every child of a process, while there is one."""
    while is_there(parent):
        seen |= children(parent)
        await asyncio.sleep(0.005)


def is_there(process: int) -> bool:
    """Whether a process of this number has not ended."""
    return Path(f"/proc/{process}/task").exists()


def children(parent: int) -> set[bytes]:
    """What anybody on the machine, or its owner, may read about the children of a process."""
    found = set()
    for listed in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # they come and go while one looks
            for child in listed.read_text().split():
                found |= {Path(f"/proc/{child}/{name}").read_bytes() for name in ("cmdline", "environ")}
    return found


async def morning(here: Place) -> None:
    """What is said while nothing fails: both ways, edited, recalled, held, blocked, masked, with files."""
    here.platform.say(here.second, here.account, text="在吗")
    here.li_lei_writes(GREETING)
    await here.alice_sees(GREETING)
    figures = here.pod.say(ALICE, here.stream, text=f"{FIGURES}, card {CARD}")
    await here.li_lei_sees(FIGURES)
    here.pod.edit(figures.message_id, text=FIGURES_AGAIN)
    await here.li_lei_sees(FIGURES_AGAIN)
    recalled = here.platform.say(here.customer, here.account, text=RECALLED)
    await here.alice_sees(RECALLED)
    here.platform.recall(recalled)
    here.li_lei_writes(BANNED)
    here.pod.say(
        ALICE, here.stream, text="the list", attachments=[(FILE, "text/plain", INSIDE.encode("gbk"))]
    )
    here.platform.say(here.customer, here.account, file=(OTHER_FILE, INSIDE_TOO.encode() * 9000))
    stranger = here.platform.add_customer("韩梅梅的另一个号")
    here.platform.say(stranger, here.account, text=STRANGERS)
    here.alice_writes(HELD)
    here.alice_writes(REJECTED)
    await here.alice_sees("waits for a reviewer")
    here.pod.say(ALICE, here.room, text=QUESTION)
    await asked(here)
    here.platform.say(here.second, here.account, text="同意")
    await within(DEADLINE, lambda: any(QUESTION in text for text in second_saw(here)))


def second_saw(here: Place) -> list[str]:
    """What reached the second customer."""
    return [one.text for one in here.platform.received(here.second, here.account)]


async def asked(here: Place) -> None:
    """Wait until the second customer was asked for his consent."""
    await within(DEADLINE, lambda: any(ASKED in text for text in second_saw(here)))


async def desk(here: Place) -> None:
    """What people do beside the daemon, and that it succeeds."""
    why = ("--as", PERSON, "--reason", REASON)
    number, other = str(await held(here, HELD)), str(await held(here, REJECTED))
    draft, report = here.folder / "policies/sealed-desk.yaml", here.folder.parent / "report.json"
    shares = ("--shares", "3", "--needed", "2", "--out", str(here.folder / "shares"))
    for command in (
        ("review", "release", number, *why),
        ("review", "reject", other, *why[:-1], NO_REASON),
        ("review", "show", number),
        ("keys", "rotate", *why),
        ("keys", "escrow", *shares, *why),
        ("policy", "backtest", str(draft), "--workers", "1", "--out", str(report), *why),
        ("audit", "show", number),
        ("audit", "search", HELD, *why),
        ("audit", "replay"),
        ("audit", "checkpoint"),
        ("audit", "verify"),
    ):
        assert await type_(here, *command) == Exit.DONE, command


async def finished_files(here: Place) -> None:
    """Wait until both attachments are archived."""
    query = select(func.count()).where(s.files.c.state == "archived")

    async def archived() -> bool:
        return await here.ask(lambda db: db.execute(query).scalar()) == 2

    await within(DEADLINE, archived)


async def pages(daemon: Running) -> bytes:
    """All that the daemon tells machines."""
    paths = ("/metrics", "/status", "/readyz", "/healthz")
    return "".join([(await daemon.page(path))[1] for path in paths]).encode()


async def test_nothing_is_in_clear_in_any_file_log_page_or_command_line(here: Place) -> None:
    """Through a morning, a desk, a rotation, a kill amid traffic and another life: not one piece of it."""
    seen: set[bytes] = set()
    told = []
    async with here.daemon(WEIGHBRIDGE_DAEMON_LOG_LEVEL="debug") as daemon:
        await opened(daemon)
        watching = asyncio.create_task(watched(daemon.process.pid, seen))
        await morning(here)
        await finished_files(here)
        await desk(here)
        told.append(await pages(daemon))
        here.li_lei_writes("好的")
        await here.alice_sees("好的")
        here.platform.faults.arm("slow", route="send_msg", count=1, seconds=9)
        here.alice_writes(UNSENT)
        await within(DEADLINE, lambda: any(UNSENT in str(one) for one in here.platform.requests))
        watching.cancel()
        assert in_clear(here.folder) == {}, "while it runs, its log and lock files beside it"
        daemon.signal(signal.SIGKILL)
        await daemon.ended()
        told.append("".join([*daemon.raw, *daemon.told]).encode())
    assert in_clear(here.folder) == {}, "what a kill left"
    async with here.daemon(WEIGHBRIDGE_DAEMON_LOG_LEVEL="debug") as daemon:
        await opened(daemon)
        await here.li_lei_sees(UNSENT)
        told.append(await pages(daemon))
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == Exit.DONE
        told.append("".join([*daemon.raw, *daemon.told]).encode())
    assert in_clear(here.folder) == {}, "at rest"
    assert list((here.folder / "search").iterdir()), "an index of words was there to be looked at"
    assert [found_in(text) for text in told] == [set()] * len(told)
    assert seen, "children were there to be looked at"
    assert [found_in(data) for data in seen if found_in(data)] == []
    await said(here)


async def said(here: Place) -> None:
    """All of it was there to be found: the archive, opened, says every piece of text."""
    query = select(s.content.c.body)
    bodies = await here.ask(lambda db: b"\n".join(row.body or b"" for row in db.execute(query)).decode())
    missing = [piece for piece in SAID if piece not in bodies]
    assert missing == []

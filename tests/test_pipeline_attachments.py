"""Attachments from a network to a verdict: fetched, archived, looked into by a real child, scanned, judged.

Rules of this file: real loop, real store, real policy, real inspector; the network is a `Peer`, and the
scanner speaks the protocol of clamd.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from rig import CONTACT, Clock, Counting, Fate, Hands, Line, Peer, message, new_store, opened

from bridge import pipeline
from bridge.inspection.bounds import Limits
from bridge.inspection.inspector import Inspector
from bridge.message import SYMPHONY, WEIXIN, Archived, Blob, Cause, File, Inspection, Kind, Outcome, Verdict
from bridge.pipeline import House, Pace
from bridge.policy import PolicySet, load
from bridge.policy.judge import judge

sys.path.insert(0, str(Path(__file__).with_name("inspection")))
from inspection_rig import FILES, changed
from test_clamav import EICAR, Clamd, running

POLICY = """
policy: attachments
language: 1
title: What may be attached
owner: compliance@bank.example
timezone: Asia/Hong_Kong
defaults: { mode: enforce, unmatched: deliver, unpaired: block, on_error: hold }
lists: { mnpi: { words: [内幕消息] } }
detectors: { mnpi: { type: words, list: mnpi } }
rules:
  - { id: mnpi, title: Inside information, because: Market conduct, severity: high,
      when: { direction: both, finds: mnpi }, then: { hold: { queue: control-room, decide_within: 15m,
      if_late: escalate } }, tests: [{ given: 内幕消息, expect: hold }, { given: 早上好, expect: deliver }] }
attachments: { allow: [pdf, png, jpg, docx, txt], max_size: 20MB, read_text: true, virus_scan: clamav,
               wrong_type: block, encrypted: block, macros: block, unreadable: hold }
"""


class InForce:
    """The judge of `bridge.ports`, bound to the policy above."""

    def __init__(self, policies: PolicySet) -> None:
        self.policies = policies
        self.reach = policies.reach

    def __call__(self, archived: Archived, now: datetime) -> Verdict:
        """See `bridge.ports.Judge`."""
        return judge(self.policies, archived.message, archived.context, now)


pytestmark = pytest.mark.usefixtures("engine")


class Bridge:
    """A store with its rooms open towards Weixin, and what the policy said of each message."""

    def __init__(self, folder: Path, address: str) -> None:
        new_store(folder)
        (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        self.clock = Clock()
        self.store = opened(folder, self.clock)
        self.hands = Hands(self.store, self.clock)
        self.pod, self.platform = Peer(SYMPHONY, keys=False, ours=False), Peer(WEIXIN, keys=True, ours=True)
        self.judge = InForce(load([folder / "policy.yaml"]))
        self.inspector = Inspector(Limits(20.0, 512 << 20, 100_000), address)
        self.house = House(
            self.store,
            self.clock,
            Counting(),
            pace=Pace(look=0.02),
            inspect=self.look,
        )
        self.stop = asyncio.Event()

    async def look(self, blob: Blob) -> Inspection:
        """Look into an attachment, as the daemon does."""
        async with self.store.blobs.in_memory(blob.digest) as path:
            return await self.inspector.look(path, blob.name, blob.digest)

    async def say(self, text: str, name: str = "", data: bytes = b"") -> None:
        """Alice sends a message, with a file if it has a name."""
        number = len(self.pod.files) + 1
        self.pod.files[str(number)] = [data]
        files = (File(str(number), name),) if name else ()
        kind = Kind.FILE if name else Kind.TEXT
        await self.hands.archive(message(SYMPHONY, number, text, kind=kind, files=files))

    async def judged(self, count: int) -> list[tuple[str, str]]:
        """Let the rooms work until `count` messages are judged: (outcome, cause) of each, in order."""
        line, platform = (Line(peer, Fate(), self.store.blobs) for peer in (self.pod, self.platform))
        rooms = [
            asyncio.ensure_future(pipeline.fetch(line, self.house)),
            asyncio.ensure_future(pipeline.judgement(self.judge, self.house)),
            asyncio.ensure_future(pipeline.delivery(platform, self.house, self.stop)),
        ]
        query = "SELECT v.outcome, v.cause FROM verdicts v JOIN messages m ON m.id = v.message "
        query += "WHERE m.notice_for IS NULL ORDER BY v.message"
        async with asyncio.timeout(30):
            while len(rows := await self.hands.rows(query)) < count:
                await self.house.bells.judge.wait(0.05)
        self.stop.set()
        await rooms[2]
        for room in rooms:
            room.cancel()
        await asyncio.gather(*rooms, return_exceptions=True)
        return [(row[0], row[1]) for row in rows]


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    """A bridge whose scanner answers."""
    async with running(Clamd()) as address:
        one = Bridge(tmp_path, address)
        await one.store.own("the test")
        yield one
        one.store.close()


async def test_attachments_are_judged_by_what_is_in_them(bridge: Bridge) -> None:
    """A wrong name, a password, macros, words inside, a virus: each meets its rule; what is clean passes."""
    note = FILES / "note.docx"
    clean = changed(note, word__document_DOT_xml="<d><p><t>早上好</t></p></d>")
    said = (
        ("clean", "note.docx", clean),
        ("picture", "dot.png", (FILES / "dot.png").read_bytes()),
        ("words inside", "note.docx", note.read_bytes()),
        ("a program", "report.pdf", b"\x7fELF\2\1\1" + bytes(100)),
        ("a book", "note.docx", (FILES / "book.xlsx").read_bytes()),
        ("a password", "locked.pdf", (FILES / "locked.pdf").read_bytes()),
        ("macros", "note.docx", changed(note, word__vbaProject_DOT_bin=b"x")),
        ("a virus", "dot.png", b"\x89PNG\r\n\x1a\n" + EICAR),
        ("a scan", "scan.pdf", (FILES / "picture.pdf").read_bytes()),
    )
    for text, name, data in said:
        await bridge.say(text, name, data)
    verdicts = await bridge.judged(len(said))
    assert dict(zip((text for text, *_ in said), verdicts, strict=True)) == {
        "clean": (Outcome.DELIVER, Cause.DEFAULT),
        "picture": (Outcome.DELIVER, Cause.DEFAULT),
        "words inside": (Outcome.HOLD, Cause.RULE),
        "a program": (Outcome.BLOCK, Cause.RULE),
        "a book": (Outcome.BLOCK, Cause.RULE),
        "a password": (Outcome.BLOCK, Cause.RULE),
        "macros": (Outcome.BLOCK, Cause.RULE),
        "a virus": (Outcome.BLOCK, Cause.RULE),
        "a scan": (Outcome.HOLD, Cause.FAILURE),
    }
    shown = [one.files for one in bridge.platform.shown if one.conversation == CONTACT]
    assert {b"".join(files) for files in shown if files} <= {clean, said[1][2]}


async def test_without_the_scanner_nothing_attached_passes(tmp_path: Path) -> None:
    """Words pass; a file that should have been scanned and was not waits for a person."""
    one = Bridge(tmp_path, "unix:/nowhere/clamd.ctl")
    await one.store.own("the test")
    await one.say("only words")
    await one.say("a picture", "dot.png", (FILES / "dot.png").read_bytes())
    assert await one.judged(2) == [(Outcome.DELIVER, Cause.DEFAULT), (Outcome.HOLD, Cause.FAILURE)]
    one.store.close()


async def test_a_slow_look_holds_up_its_own_conversation_alone(bridge: Bridge) -> None:
    """While one attachment is looked into, another one is fetched, looked into and judged."""
    slow = asyncio.Event()
    plain = bridge.house.inspect

    async def inspect(blob: object) -> Inspection:
        if blob.name == "slow.png":  # type: ignore[attr-defined]
            await slow.wait()
        return await plain(blob)  # type: ignore[arg-type]

    object.__setattr__(bridge.house, "inspect", inspect)
    picture = (FILES / "dot.png").read_bytes()
    await bridge.say("slow", "slow.png", picture)
    bridge.pod.files["other"] = [picture]
    other = message(
        SYMPHONY, 9, "quick", kind=Kind.FILE, files=(File("other", "q.png"),), conversation="another-stream"
    )
    await bridge.hands.archive(other)
    assert len(await bridge.judged(1)) == 1
    states = await bridge.hands.states("messages")
    assert states[1] == "fetching"

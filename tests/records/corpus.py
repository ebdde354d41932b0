"""Conversations with everything in them that exports tend to lose; an export that is kept in memory.

Rules of this file: values only, the same each time. Texts are those that break formats: empty, of control
signs, formulas, markup, separators of load files, text that runs the other way. Times lie in two days of
September 2026, UTC.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import date
from typing import IO

from bridge.errors import StoreError
from bridge.records.transcript import (
    ADVISOR,
    BRIDGE,
    CLIENT,
    OTHER,
    Came,
    Enclosure,
    Judged,
    Later,
    Line,
    Party,
    Passed,
    Request,
    Slice,
)

START = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC
FIRST, SECOND = date(2026, 9, 21), date(2026, 9, 22)
DAY = 86_400_000

ALICE = Party("symphony", "7001", "Alice Wong", "alice.wong@bank.example", ADVISOR)
BOB = Party("symphony", "7002", "Bob Li", "bob.li@bank.example", ADVISOR)
LI_LEI = Party("weixin", "wmLiLei", "李雷", "wmlilei-9c1a2b3d@weixin.bank.example", CLIENT)
HOSTILE = Party(
    "weixin",
    "wm<b>",
    '=HYPERLINK("x"),"\r\nBcc: x@evil.example\u202e',
    "wm-b-11223344@weixin.bank.example",
    OTHER,
)
OURS = Party("symphony", "weighbridge", "weighbridge", "weighbridge-symphony@weixin.bank.example", BRIDGE)

TEXTS = (
    "",
    " ",
    "Good morning 李雷",
    "你好！明天見 😀👨\u200d👩\u200d👧",
    "=SUM(A1:A9)",
    "+1-212-555-0100",
    "-1",
    '@import "x"',
    "\x00\x01\x07\x1b[31mred\x1b[0m\x7f",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200b",
    "<script>alert('x')</script> & ]]> <!-- -->",
    "quotes \" and ' and , ; | tab\there",
    "þ\x14®¶ þþ\x14\x14",
    "line one\nline two\r\nline three\rline four\u2028five\u2029six\x0bseven\x0ceight\x85nine",
    "\r\n.\r\nFrom nobody\r\nBcc: x@evil.example\r\n\r\nbody",
    "From the beginning of a line\n>From the quoted one\n--=_boundary",
    "x" * 3000,
    "長" * 1200,
    "\ufeffbegins with a mark \ufffe\uffff",
    '{"json": [1, 2]} \\n \\u0041',
    "𠮷野家 𝒳 e\u0301 ﬁ",
)

SMALL = b"%PDF-1.7 the term sheet of AcquireCo"
LARGE = b"weighbridge 20 MB" * 1_200_000  # 20.4 MB
BLOBS = {hashlib.sha256(data).hexdigest(): data for data in (SMALL, LARGE, b"")}


def enclosure(name: str, data: bytes, media: str = "application/pdf") -> Enclosure:
    """An attachment that is in the archive."""
    return Enclosure(name, media, len(data), hashlib.sha256(data).hexdigest())


JUDGED = Judged(
    START + 5,
    "redact",
    "rule",
    "rule card of policy cards",
    policies=(("cards", "a" * 64),),
    rules=("cards/card",),
)
RELEASED = Judged(
    START + 9,
    "deliver",
    "person",
    "已核對: his own card",
    person="bob.li@bank.example",
    policies=(("cards", "a" * 64),),
)
SENT = Passed("0p5xw2c3r8k1m4z7q9ab", "sent", START + 20)
FAILED = Passed("0p5xw2c3r8k1m4z7q9ac", "failed", START + 30, "window", failed=True)


PART = Passed("0p5xw2c3r8k1m4z7q9ad", "parked", START + 40, "too-large", ("x7", "x8"), doubtful=True)
CLAIMED = Passed("0p5xw2c3r8k1m4z7q9ae", "claimed", START + 50)


def line(number: int, text: str, **more: object) -> Line:
    """A message of 李雷's, or whoever else is named."""
    at = START + number * 1000
    fields: dict[str, object] = {
        "network": "weixin",
        "source_id": f"w{number}",
        "kind": "text",
        "state": "passed",
        "sender": LI_LEI,
        "readers": (ALICE,),
        "sent": text,
        "origin": "CN",
        "entry": number * 3,
        "leaf": hashlib.sha256(str(number).encode()).digest(),
    }
    fields |= more
    return Line(number=number, at=at, sent_at=at - 250, text=text, **fields)  # type: ignore[arg-type]


def became(number: int, text: str, *, recall: bool = False, here: bool = True) -> Later:
    """What became of a message: the later one of Alice's with this number, as `line` would date it."""
    at = START + number * 1000
    return Later(number, at, at - 250, f"w{number}", recall, ALICE, here, text if here else "", shown=True)


ANEW, TAKEN = became(3, "a deal, said anew"), became(4, "[Recalled]", recall=True)


def _told() -> tuple[Line | Came, ...]:
    """The first day of Alice and 李雷: everything that may become of a message."""
    advice = {"network": "symphony", "sender": ALICE, "readers": (LI_LEI,)}
    return (
        line(
            1, "卡号 4111111111111111", sent="卡号 ************1111", decisions=(JUDGED,), deliveries=(SENT,)
        ),
        line(
            2,
            "a deal",
            **advice,
            state="released",
            decisions=(JUDGED, RELEASED),
            deliveries=(FAILED, SENT),
            later=(ANEW, TAKEN),
        ),
        Came(START + 2500, BOB, True, "paired"),
        line(
            3,
            "a deal, said anew",
            **advice,
            edits=2,
            deliveries=(SENT,),
            quote="earlier words\nof his",
            later=(TAKEN,),
        ),
        line(4, "[Recalled]", **advice, kind="recall", sent="", state="noted", recalls=3, taken=ANEW.text),
        line(
            5,
            "Your message is held for review.",
            network="symphony",
            sender=OURS,
            readers=(ALICE, BOB),
            notice_for=2,
            source_id="notice/5",
        ),
        line(
            6,
            "the term sheet",
            **advice,
            kind="file",
            files=(
                enclosure("条款 term\u202esheet.pdf", SMALL),
                enclosure("../../etc/passwd", LARGE, "application/octet-stream"),
                enclosure("empty.txt", b"", "text/plain"),
                Enclosure("lost.png", "image/png", -1, missing="the network did not give it: gone"),
            ),
        ),
        line(
            7, "", sent="", state="blocked", gone="disposed 2033-04-02 under hk-equities/records, disposal 4"
        ),
        line(8, "[Unknown]", kind="unknown", sent="", state="held", defect="not JSON: 第 1 行"),
        Came(START + 8500, BOB, False, "ended"),
    )


def slices() -> tuple[Slice, ...]:
    """The corpus: three slices, in the order of an export."""
    texts = tuple(line(100 + n, text) for n, text in enumerate(TEXTS))
    stranger = line(
        50, "hello?", sender=HOSTILE, readers=(), sent="", state="held", source_id="w<50>", origin=""
    )
    return (
        Slice("pair/1", "Alice Wong ↔ 李雷", FIRST, (ALICE, LI_LEI), _told(), (ALICE, LI_LEI, BOB, OURS)),
        Slice("weixin/wkWealth/wm<b>", HOSTILE.name, FIRST, (), (stranger,), (HOSTILE,)),
        Slice("pair/1", "Alice Wong ↔ 李雷", SECOND, (ALICE, LI_LEI), texts, (ALICE, LI_LEI)),
    )


def request() -> Request:
    """What was asked for."""
    return Request(
        "9f86d081884c7d65",
        START + DAY,
        "auditor@bank.example",
        "the regulator asked: 监管",
        "CASE-7",
        "with:李雷 during:2026-09",
        "Asia/Hong_Kong",
        {0: (640, "ab" * 32)},
    )


class _File(io.BytesIO):
    """A file of an export that is kept when it is closed."""

    def __init__(self, name: str, files: dict[str, bytes]) -> None:
        super().__init__()
        self.name, self._files = name, files

    def close(self) -> None:
        if not self.closed:
            self._files[self.name] = self.getvalue()
        super().close()


class Memory:
    """An export in memory: `files` by name, `warnings` as (code, number, detail)."""

    def __init__(self, part: int = 1) -> None:
        self.part = part
        self.files: dict[str, bytes] = {}
        self.warnings: list[tuple[str, int, str]] = []
        self._names: set[str] = set()

    def file(self, name: str) -> IO[bytes]:
        """See `Output`; refuses what a folder would not take."""
        assert name.casefold() not in self._names, f"{name} twice"
        assert all(part not in ("", ".", "..") for part in name.split("/")), name
        self._names.add(name.casefold())
        return _File(name, self.files)

    def enclosure(self, digest: str) -> Iterator[bytes]:
        """See `Output`."""
        if digest not in BLOBS:
            raise StoreError(f"no blob {digest}")
        data = BLOBS[digest]
        return (data[start : start + 65_536] for start in range(0, len(data), 65_536))

    def warn(self, code: str, number: int, detail: str) -> None:
        """See `Output`."""
        self.warnings.append((code, number, detail))

"""The demo's conversation: what Alice and 李雷 do, and what each must see.

Rules of this file: the play only does what people do (write, edit, take back, wait) and looks at what
people see, in the two mocks' own chats. Every `see` is a check: it waits for the thing on a deadline and
notes whether it came. Nothing of the bridge is asked or told, except by the reviewer, who uses the desk.
"""

from __future__ import annotations

import asyncio
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge import desk
from bridge.cli.stage import ADVISOR

if TYPE_CHECKING:
    from bridge.cli.stage import Stage

DEADLINE = 10.0
"""Seconds that one thing may take to appear on the other side."""

NOTE = (
    "各位好，以下是本周市场回顾。恒生指数本周先抑后扬，成交额较上周回升，资金主要流向金融与公用事业板块。"
    "利率方面，市场普遍预期年内仍有一次调整，长端收益率小幅回落，曲线趋于平坦。汇率方面，人民币对一篮子货币保持稳定，"
    "结汇意愿有所增强。大宗商品方面，原油价格窄幅波动，黄金受避险情绪支撑维持高位。我们认为，短期波动不改中期趋势，"
    "建议保持分散配置，关注现金流稳健、分红持续的公司，并留意季度末流动性变化带来的机会。"
)
LONG_TEXT = (NOTE * 4)[:600]
"""600 Chinese characters: 1,800 bytes, one Weixin message."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to be seen. `outcome` is what the bridge did; `ms` how long it took to appear."""

    scene: str
    who: str
    sees: str
    outcome: str
    ok: bool
    ms: int


class Play:
    """The people on stage. `checks` grows as the play goes on; `noted` is told each of them at once."""

    def __init__(self, stage: Stage, noted: Callable[[Check], None] = lambda check: None) -> None:
        self.stage, self.noted = stage, noted
        self.checks: list[Check] = []
        self.scene = ""

    # what people do

    def alice_writes(self, text: str = "", files: tuple[tuple[str, str, bytes], ...] = ()) -> str:
        """Alice writes in Symphony; gives the message's id."""
        message = self.stage.pod.say(ADVISOR, self.stage.stream, text=text or " ", attachments=files)
        return message.message_id

    def lilei_writes(self, text: str = "", **what: object) -> str:
        """李雷 writes in Weixin; gives the message's id."""
        stage = self.stage
        return stage.platform.say(stage.customer, stage.account, **({"text": text} if text else what))

    async def reviewer_releases(self, text: str) -> None:
        """A reviewer finds the held message that says `text` and lets it pass."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE):
                held = await self.stage.held(text)
        except TimeoutError:
            self._note("reviewer", text, "held", False, started)
            return
        self._note("reviewer", text, "held", True, started)
        await desk.release(self.stage.database, held, "reviewer@bank.example", "public announcement")

    # what people see

    async def alice_sees(self, text: str, outcome: str = "delivered") -> None:
        """Alice's chat comes to show `text` in what the bridge wrote."""
        await self._see("Alice", text, outcome, self._symphony)

    async def lilei_sees(self, text: str, outcome: str = "delivered") -> None:
        """李雷's chat comes to show `text` in what the bridge wrote."""
        await self._see("李雷", text, outcome, self._weixin)

    def alice_never_saw(self, text: str, outcome: str) -> None:
        """Nothing the bridge wrote to Alice says `text`."""
        self._sees_nothing("Alice", text, outcome, self._symphony)

    def lilei_never_saw(self, text: str, outcome: str) -> None:
        """Nothing the bridge wrote to 李雷 says `text`."""
        self._sees_nothing("李雷", text, outcome, self._weixin)

    def _symphony(self) -> Iterator[str]:
        for message in self.stage.pod.messages(self.stage.stream):
            if message.by_agent:
                yield "\n".join([message.text, *(f"[{file.name}]" for file in message.files)])

    def _weixin(self) -> Iterator[str]:
        stage = self.stage
        for one in stage.platform.received(stage.customer, stage.account):
            yield one.text if one.msgtype == "text" else f"[{one.msgtype}] [{one.file_name}]"

    async def _see(self, who: str, text: str, outcome: str, lines: Callable[[], Iterator[str]]) -> None:
        started = time.monotonic()
        seen = False
        while not seen and time.monotonic() - started < DEADLINE:
            seen = any(text in line for line in lines())
            if not seen:
                await asyncio.sleep(0.005)
        self._note(who, text, outcome, seen, started)

    def _sees_nothing(self, who: str, text: str, outcome: str, lines: Callable[[], Iterator[str]]) -> None:
        seen = any(text in line for line in lines())
        self._note(who, f"nothing of “{text}”", outcome, not seen, time.monotonic())

    def _note(self, who: str, sees: str, outcome: str, ok: bool, started: float) -> None:
        ms = int((time.monotonic() - started) * 1000)
        self.checks.append(Check(self.scene, who, sees, outcome, ok, ms))
        self.noted(self.checks[-1])


# --- the scenes -----------------------------------------------------------------------------------------


async def _greetings(play: Play) -> None:
    play.lilei_writes("早上好，明天有什么消息吗？")
    await play.alice_sees("早上好，明天有什么消息吗？")
    play.alice_writes("Good morning! 😀 The weekly note follows.")
    await play.lilei_sees("Good morning! 😀 The weekly note follows.")


async def _long_text(play: Play) -> None:
    play.alice_writes(LONG_TEXT)
    await play.lilei_sees(LONG_TEXT)
    play.lilei_writes("收到，谢谢 👍")
    await play.alice_sees("收到，谢谢 👍")


async def _files(play: Play) -> None:
    play.alice_writes("The chart.", (("chart.png", "image/png", picture(320, 180)),))
    await play.lilei_sees("[image] [chart.png]")
    play.lilei_writes(image=picture(240, 240))
    await play.alice_sees("[image")
    play.alice_writes("And the note as a file.", (("weekly.pdf", "application/pdf", document()),))
    await play.lilei_sees("[file] [weekly.pdf]")


async def _masked(play: Play) -> None:
    play.lilei_writes("请问我登记的卡号是多少？")
    await play.alice_sees("请问我登记的卡号是多少？")
    play.alice_writes("Your card 4111 1111 1111 1111 is registered.")
    await play.lilei_sees("Your card **** **** **** 1111 is registered.", "masked")
    await play.alice_sees("A number in your message was masked.", "told")
    play.lilei_never_saw("4111 1111 1111", "masked")


async def _held(play: Play) -> None:
    play.alice_writes("騰訊 (0700) 明日有公告")
    await play.alice_sees("Your message waits for a reviewer.", "held")
    play.alice_writes("Shall we talk at three?")
    await play.lilei_sees("Shall we talk at three?")
    await play.lilei_sees("［前面有一条消息仍在审核中］", "gap shown")
    play.lilei_never_saw("明日有公告", "held")
    await play.reviewer_releases("明日有公告")
    await play.lilei_sees("騰訊 (0700) 明日有公告", "released")
    await play.alice_sees("Your held message was reviewed", "told")


async def _blocked(play: Play) -> None:
    play.lilei_writes("你加我私人微信吧")
    await play.lilei_sees("业务沟通须使用留痕渠道", "blocked")
    play.alice_never_saw("私人微信", "blocked")


async def _changed_minds(play: Play) -> None:
    play.lilei_writes("好的，三点见")
    await play.alice_sees("好的，三点见")
    sent = play.alice_writes("The call is at three.")
    await play.lilei_sees("The call is at three.")
    play.stage.pod.edit(sent, text="The call is at four.")
    await play.lilei_sees("［已修改］\nThe call is at four.", "edited")
    taken_back = play.lilei_writes("四点我有事")
    await play.alice_sees("四点我有事")
    play.stage.platform.recall(taken_back)
    await play.alice_sees("[Recalled a message]", "recalled")


async def _window(play: Play) -> None:
    play.stage.platform.clock.advance(49 * 3600)
    play.alice_writes("Are you still there?")
    await play.alice_sees("has not written within 48 hours", "waiting")
    play.lilei_never_saw("Are you still there?", "waiting")
    play.lilei_writes("我回来了")
    await play.alice_sees("我回来了")
    await play.lilei_sees("Are you still there?", "delivered late")
    for number in range(2, 6):
        play.alice_writes(f"Point {number}.")
        await play.lilei_sees(f"Point {number}.")
    play.alice_writes("Point 6 is one too many.")
    await play.alice_sees("five messages until the other side answers", "waiting")
    play.lilei_writes("请继续")
    await play.lilei_sees("Point 6 is one too many.", "delivered late")


SCENES: tuple[tuple[str, Callable[[Play], Awaitable[None]]], ...] = (
    ("text both ways", _greetings),
    ("600 Chinese characters", _long_text),
    ("pictures and a file", _files),
    ("a number is masked", _masked),
    ("a message is held, and released", _held),
    ("a message is blocked", _blocked),
    ("an edit, and a recall", _changed_minds),
    ("the window closes and opens", _window),
)


async def perform(play: Play, before: Callable[[], Awaitable[None]] | None = None) -> None:
    """Play all scenes, each after `before`."""
    for title, scene in SCENES:
        play.scene = title
        if before is not None:
            await before()
        await scene(play)


# --- props ----------------------------------------------------------------------------------------------


def picture(width: int, height: int) -> bytes:
    """A PNG of a rising line on a pale ground."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            on_line = abs((height - 20 - x * (height - 40) // width) - y) < 3
            rows += b"\x1a\x56\xdb" if on_line else b"\xf3\xf6\xfb"
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def document() -> bytes:
    """A PDF of one page that says what it is."""
    text = b"BT /F1 24 Tf 72 720 Td (Weekly note) Tj ET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
    )
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)

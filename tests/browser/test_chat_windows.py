"""Both chat windows in a real browser, with the real bridge between them: what people see and can do.

Rules of this file: people only click and type; what they see is read from the page. Debian's Chromium is used
as it is installed; without it the tests are skipped and say how to get it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bridge.cli import stage
from bridge.cli.demo import policies
from bridge.cli.play import document, picture

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 60_000  # milliseconds

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium here: apt install chromium"),
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass
class Windows:
    """The two windows, side by side; `troubles` are what the pages complained of in the console."""

    alice: Page
    li_lei: Page
    stage: stage.Stage
    troubles: list[str] = field(default_factory=list)

    def alice_sees(self, text: str) -> Locator:
        """What in Alice's conversation says `text`."""
        return self.alice.locator("#talk .body", has_text=text)

    def li_lei_sees(self, text: str) -> Locator:
        """What in 李雷's chat says `text`."""
        return self.li_lei.locator("#lines .row, #lines .grey", has_text=text)

    async def alice_writes(self, text: str) -> None:
        """Type and press Enter."""
        await self.alice.fill("#text", text)
        await self.alice.press("#text", "Enter")

    async def li_lei_writes(self, text: str) -> None:
        """Type and press the button."""
        await self.li_lei.fill("#text", text)
        await self.li_lei.click("#send")


Open = Callable[[], contextlib.AbstractAsyncContextManager[Windows]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a display, for all tests of this file: each has windows that know of no other's."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            await chromium.close()


@pytest.fixture
def windows(tmp_path: Path, browser: Browser) -> Open:
    """Open the stage and both windows on it."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Windows]:
        expect.set_options(timeout=PATIENCE)
        async with stage.set_up(tmp_path, policies()) as on_stage:
            alice = await browser.new_page(viewport={"width": 1180, "height": 860})
            li_lei = await browser.new_page(viewport={"width": 820, "height": 900})
            both = Windows(alice, li_lei, on_stage)
            for page in (alice, li_lei):
                page.on("pageerror", lambda error: both.troubles.append(str(error)))
                page.on("console", lambda said: said.type == "error" and both.troubles.append(said.text))
            await alice.goto(on_stage.symphony_chat)
            await li_lei.goto(on_stage.weixin_chat)
            yield both
            assert both.troubles == []
            for page in (alice, li_lei):
                await page.context.close()

    return opened


async def test_what_is_typed_here_is_read_there(windows: Open) -> None:
    """Text both ways, a number that arrives masked, a message that waits, one that is not delivered."""
    async with windows() as both:
        await both.li_lei_writes("早上好，明天有什么消息吗？")
        await expect(both.alice_sees("早上好，明天有什么消息吗？")).to_be_visible()
        await both.alice_writes("Good morning! 😀 <b>&amp;</b>")
        await expect(both.li_lei_sees("Good morning! 😀 <b>&amp;</b>")).to_be_visible()
        await both.alice_writes("Your card 4111 1111 1111 1111 is registered.")
        await expect(both.li_lei_sees("Your card **** **** **** 1111 is registered.")).to_be_visible()
        await expect(both.li_lei_sees("4111 1111")).to_have_count(0)
        await expect(both.alice_sees("A number in your message was masked.")).to_be_visible()
        await both.alice_writes("騰訊 (0700) 明日有公告")
        await expect(both.alice_sees("Your message waits for a reviewer.")).to_be_visible()
        await expect(both.li_lei_sees("明日有公告")).to_have_count(0)
        await both.li_lei_writes("你加我私人微信吧")
        await expect(both.li_lei_sees("业务沟通须使用留痕渠道")).to_be_visible()
        await expect(both.alice_sees("私人微信")).to_have_count(0)


async def test_pictures_are_seen_as_pictures(windows: Open) -> None:
    """A picture each way is shown, at its own size; a file is a card with its name."""
    async with windows() as both:
        image = {"name": "chart.png", "mimeType": "image/png", "buffer": picture(320, 180)}
        await both.li_lei.set_input_files("#image", image)
        await expect_picture(both.alice.locator("#talk .picture img"), 320)
        await both.alice.set_input_files("#files", image)
        await expect(both.alice.locator("#tray")).to_contain_text("chart.png")
        await both.alice_writes("The chart.")
        await expect_picture(both.li_lei.locator("#lines .row:not(.own) .bubble.image img"), 320)
        note = {"name": "weekly.pdf", "mimeType": "application/pdf", "buffer": document()}
        await both.alice.set_input_files("#files", note)
        await both.alice.click("#send")
        await expect(both.li_lei_sees("weekly.pdf").locator(".card")).to_be_visible()


async def expect_picture(image: Locator, width: int) -> None:
    """The picture is there and has loaded."""
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("naturalWidth", width)


async def test_an_edit_and_a_recall_are_seen(windows: Open) -> None:
    """What Alice changes is told anew; what 李雷 takes back is gone from his chat, and Alice is told."""
    async with windows() as both:
        await both.li_lei_writes("三点见")
        await expect(both.alice_sees("三点见")).to_be_visible()
        await both.alice_writes("The call is at three.")
        await expect(both.li_lei_sees("The call is at three.")).to_be_visible()
        mine = both.alice.locator("#talk .said.mine")
        await mine.hover()
        await mine.get_by_role("button", name="Edit").click()
        await both.alice_writes("The call is at four.")
        await expect(both.li_lei_sees("The call is at four.")).to_contain_text("［已修改］")
        await expect(both.alice.locator("#talk .meta")).to_have_text("edited")
        own = both.li_lei.locator("#lines .row.own")
        await own.hover()
        await own.get_by_role("button", name="撤回").click()
        await expect(both.li_lei_sees("你撤回了一条消息")).to_be_visible()
        await expect(both.alice_sees("[Recalled a message]")).to_be_visible()


async def test_the_window_is_shown_as_the_platform_counts_it(windows: Open) -> None:
    """李雷's page counts five answers down, and the 48 hours; his clock's button closes the window."""
    async with windows() as both:
        await both.li_lei_writes("在吗？")
        await expect(both.alice_sees("在吗？")).to_be_visible()
        left = both.li_lei.locator("#left")
        await expect(left).to_have_text(re.compile("^5"))
        await both.alice_writes("Yes.")
        await expect(left).to_have_text(re.compile("^4"))
        await both.li_lei.click("#steps [data-s='172800']")
        await expect(both.li_lei.locator("#remaining")).to_contain_text("已关闭")
        await both.alice_writes("Are you still there?")
        await expect(both.alice_sees("has not written within 48 hours")).to_be_visible()
        await both.li_lei_writes("我在")
        await expect(both.li_lei_sees("Are you still there?")).to_be_visible()

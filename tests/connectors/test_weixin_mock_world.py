"""The mock's rules hold for any course of things: a log without loss or repeat, nothing past the window.

Rules of this file: the platform object alone, not served; hypothesis makes up what people and the API do.
"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.weixin.mock import ApiError, State, WeixinPlatform
from connectors.weixin.mock.media import MIB

HOUR = 3600.0
STEPS = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 2)),
    st.tuples(st.just("send"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, HOUR, 47 * HOUR, 49 * HOUR])),
    st.tuples(st.just("recall"), st.integers(0, 20)),
    st.tuples(st.just("take_over"), st.integers(0, 2)),
    st.tuples(st.just("end"), st.integers(0, 2)),
    st.tuples(st.just("trans"), st.tuples(st.integers(0, 2), st.sampled_from(list(State)))),
    st.tuples(st.just("read"), st.integers(1, 4)),
)


class Course:
    """A platform with three customers that is driven step by step, and a reader of its log."""

    def __init__(self) -> None:
        self.platform = WeixinPlatform(frozen_at=1_790_000_000.0)
        self.platform.add_account("客服")
        self.customers = [self.platform.add_customer(f"客户{number}") for number in range(3)]
        self.said: list[str] = []
        self.words: list[tuple[int, float]] = []
        self.read_ids: list[str] = []
        self.cursor = ""

    def step(self, what: str, how: object) -> None:
        """One step; refusals are part of the course."""
        with suppress(ApiError, ValueError, IndexError):
            getattr(self, what)(how)

    def say(self, who: int) -> None:
        """A customer writes."""
        self.said.append(self.platform.say(self.customers[who], text="词"))
        self.words.append((who, self.platform.clock.now()))

    def send(self, who: int) -> None:
        """The API answers."""
        customer = self.platform.world.customer(self.customers[who])
        body = {"msgtype": "text", "text": {"content": "答"}}
        self.platform.world.send(self.platform.account(), customer, body)
        self.check_window(who)

    def check_window(self, who: int) -> None:
        """The message just accepted is one of at most five since a word at most 48 h old."""
        last = max(at for writer, at in self.words if writer == who)
        now = self.platform.clock.now()
        session = self.platform.world.session(
            self.platform.account(), self.platform.world.customer(self.customers[who])
        )
        assert now - last <= 48 * HOUR
        assert session.sent_since <= 5
        assert session.state is State.ASSISTANT

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.platform.clock.advance(seconds)

    def recall(self, number: int) -> None:
        """A customer takes a message back."""
        self.platform.recall(self.said[number])

    def take_over(self, who: int) -> None:
        """An employee takes the session."""
        self.platform.take_over("alice", self.customers[who])

    def end(self, who: int) -> None:
        """An employee ends the session."""
        self.platform.end_session(self.customers[who])

    def trans(self, how: tuple[int, State]) -> None:
        """The API moves the session."""
        customer = self.platform.world.customer(self.customers[how[0]])
        self.platform.world.transfer(self.platform.account(), customer, int(how[1]), "")

    def read(self, limit: int) -> None:
        """The reader takes one page."""
        account = self.platform.account()
        page, self.cursor, _ = self.platform.world.page(account.corpid, account, self.cursor, limit)
        self.read_ids += [one["msgid"] for one in page]


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_any_course_keeps_window_and_log(steps: list[tuple[str, object]]) -> None:
    """No accepted message breaks the window, and a reader that keeps up sees the log once, in order."""
    course = Course()
    for what, how in steps:
        course.step(what, how)
        if what == "wait":
            course.read(1000)
    course.read(1000)
    logged = [entry.payload["msgid"] for entry in course.platform.account().log]
    assert course.read_ids == logged
    assert len(set(logged)) == len(logged)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=20))
def test_any_page_sizes_read_the_same_log(limits: list[int]) -> None:
    """How a reader cuts the log into pages changes nothing of what it reads."""
    course = Course()
    for number in range(30):
        course.say(number % 3)
    for limit in limits:
        course.read(limit)
    course.read(1000)
    assert course.read_ids == course.said


@pytest.mark.parametrize("count", [5, 6])
def test_pages_say_whether_there_is_more(count: int) -> None:
    """has_more is true until the last message was handed out, on a page's edge too."""
    course = Course()
    for _ in range(count):
        course.say(0)
    account = course.platform.account()
    answers = []
    for _ in range(3):
        _, course.cursor, more = course.platform.world.page(account.corpid, account, course.cursor, 2)
        answers.append(more)
    assert answers == [True, True, False]


def test_a_customers_media_in_memory_is_typed_by_its_bytes() -> None:
    """Without a name a file gets one that fits its first bytes."""
    course = Course()
    course.platform.say(course.customers[0], image=b"\xff\xd8\xff" + bytes(20))
    assert course.platform.conversation(course.customers[0])[0].file_name == "image.jpg"


async def test_uploads_are_never_whole_in_memory() -> None:
    """Twenty megabytes go to disk piece by piece; a tenth of that is never held."""
    platform = WeixinPlatform()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(320):
            yield bytes(64 * 1024)
            await asyncio.sleep(0)

    tracemalloc.start()
    media = await platform.media.receive("file", "big.bin", pieces())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert media.size == media.path.stat().st_size == 20 * MIB
    assert peak < 2 * MIB


async def test_an_upload_over_the_limit_is_not_kept() -> None:
    """45001, and the file is gone."""
    platform = WeixinPlatform()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(33):
            yield bytes(MIB)

    kept = platform.media.put("file", "kept", b"kept").path
    with pytest.raises(ApiError, match="45001"):
        await platform.media.receive("file", "big.bin", pieces())
    assert list(kept.parent.iterdir()) == [kept]


def test_the_clock_never_goes_back() -> None:
    """A negative step is refused; a frozen clock moves by steps only."""
    clock = WeixinPlatform(frozen_at=1000.0).clock
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    assert (clock.now(), clock.advance(20), clock.now()) == (1000.0, 1020.0, 1020.0)

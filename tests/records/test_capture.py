"""How long a network has gone unread: by our clock, and by its own."""

from __future__ import annotations

from dataclasses import replace

from bridge.message import WEIXIN, Batch, Message
from bridge.records.capture import Capture

HOUR = 3_600_000


def _batch(sent_at: int) -> Batch:
    return Batch(WEIXIN, (Message(WEIXIN, "w1", "a/b", "b", sent_at),))


def test_silence_is_no_lag() -> None:
    """A network that answers and has nothing to say is read."""
    capture = Capture(WEIXIN, 0)
    assert capture.look(10 * HOUR, 10 * HOUR) == 0


def test_nobody_answers() -> None:
    """Without an answer the lag grows from the last one, or from where counting began."""
    capture = Capture(WEIXIN, HOUR)
    assert capture.look(0, 3 * HOUR) == 7200
    assert capture.look(4 * HOUR, 5 * HOUR) == 3600
    assert capture.told() == 7200 and capture.told() == 0


def test_what_is_read_is_old() -> None:
    """A feed from which nothing but old items comes counts as unread, until nothing more comes of them."""
    capture = Capture(WEIXIN, 0)
    now = 10 * HOUR
    for second in (0, 30, 60):
        assert capture.look(now + second * 1000, now + second * 1000) == 0
        capture.heed(_batch(8 * HOUR + second * 1000), now + second * 1000)
    assert capture.look(now + 60_000, now + 60_000) == 7200
    assert capture.look(now + 120_000, now + 120_000) == 0


def test_one_old_item_is_no_lag() -> None:
    """What was said while nobody read comes when reading begins, and what history is asked for is old:
    neither stops anything, however long the next answer takes."""
    capture = Capture(WEIXIN, 0)
    capture.heed(_batch(8 * HOUR), 10 * HOUR)
    assert [capture.look(10 * HOUR, 10 * HOUR + second * 1000) for second in (10, 30)] == [10, 30]
    for second in range(0, 300, 10):
        capture.heed(replace(_batch(HOUR), history=True), 11 * HOUR + second * 1000)
    assert capture.look(11 * HOUR + 300_000, 11 * HOUR + 300_000) == 0


def test_an_old_item_in_a_busy_feed_is_no_lag() -> None:
    """A feed in which something always comes, and once something old."""
    capture = Capture(WEIXIN, 0)
    for second in range(0, 300, 10):
        capture.heed(_batch(10 * HOUR + second * 1000), 10 * HOUR + second * 1000)
    capture.heed(_batch(5 * HOUR), 10 * HOUR + 300_000)
    assert capture.look(10 * HOUR + 300_000, 10 * HOUR + 300_000) == 0


def test_times_that_cannot_be_are_passed_over() -> None:
    """A message of the future, or without a time, says nothing of the lag."""
    capture = Capture(WEIXIN, 0)
    capture.heed(_batch(99 * HOUR), 10 * HOUR)
    capture.heed(_batch(0), 10 * HOUR)
    assert capture.look(10 * HOUR, 10 * HOUR) == 0

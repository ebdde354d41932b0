"""How long a network has gone unread: by our clock, and by its own."""

from __future__ import annotations

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
    """A feed that is two hours behind counts as unread, until a read brings nothing more."""
    capture = Capture(WEIXIN, 0)
    capture.heed(_batch(8 * HOUR), 10 * HOUR)
    assert capture.look(10 * HOUR, 10 * HOUR) == 7200
    assert capture.look(10 * HOUR + 1000, 10 * HOUR + 1000) == 0


def test_times_that_cannot_be_are_passed_over() -> None:
    """A message of the future, or without a time, says nothing of the lag."""
    capture = Capture(WEIXIN, 0)
    capture.heed(_batch(99 * HOUR), 10 * HOUR)
    capture.heed(_batch(0), 10 * HOUR)
    assert capture.look(10 * HOUR, 10 * HOUR) == 0

"""How long a network has gone unread: by our clock, and by its own."""

from __future__ import annotations

from dataclasses import replace

from bridge.message import WEIXIN, Batch, Message
from bridge.records.capture import Capture, Instant

HOUR = 3_600_000


def _batch(sent_at: int) -> Batch:
    return Batch(WEIXIN, (Message(WEIXIN, "w1", "a/b", "b", sent_at),))


def _at(hours: float, ahead: float = 0) -> Instant:
    """A moment so many hours after counting began, by a clock that is `ahead`."""
    return Instant(round((hours + ahead) * HOUR), round(hours * HOUR))


def _capture() -> Capture:
    return Capture(WEIXIN, _at(0))


def test_silence_is_no_lag() -> None:
    """A network that answers and has nothing to say is read."""
    assert _capture().look(10 * HOUR, _at(10)) == 0


def test_nobody_answers() -> None:
    """Without an answer the lag grows from the last one, or from where counting began."""
    capture = _capture()
    assert capture.look(0, _at(2)) == 7200
    assert capture.look(4 * HOUR, _at(5)) == 3600
    assert capture.told() == 7200 and capture.told() == 0


def test_counting_goes_on_where_another_process_left_it() -> None:
    """The lag is that of the network and not of the process; a time that has not come says nothing."""
    capture = Capture(WEIXIN, _at(9))
    assert capture.go_on(3 * HOUR, 4 * HOUR)
    assert capture.look(3 * HOUR, _at(10)) == 7 * 3600
    assert not capture.go_on(30 * HOUR, 4 * HOUR)
    assert capture.look(30 * HOUR, _at(11)) == 5 * 3600
    assert capture.look(12 * HOUR, _at(12)) == 0


def test_a_clock_that_is_set_changes_no_lag() -> None:
    """Hours ahead, hours behind, and right again: what counts is how long nobody read."""
    capture = _capture()
    heard = 1 * HOUR
    assert capture.look(heard, _at(1)) == 0
    for turn, ahead in enumerate((30, -30, 0)):
        hours = 2 + turn
        assert round(capture.look(heard, _at(hours, ahead))) == 3600
        heard = round((hours + ahead) * HOUR) + 9
        assert capture.look(heard, Instant(heard, hours * HOUR + 9)) == 0


def test_an_answer_from_just_before_the_clock_was_set_counts_once() -> None:
    """It is from between the two looks, and never again: a feed that is dead since stays dead."""
    capture = _capture()
    capture.look(30 * HOUR, _at(0.5, 30))
    assert capture.look(31 * HOUR, _at(1)) <= 1800
    assert capture.look(31 * HOUR, _at(21)) >= 20 * 3600


def test_an_earlier_time_than_before_is_no_answer() -> None:
    """Where several places are read, that of the one which was read longest ago is told: it may go back."""
    capture = _capture()
    capture.look(5 * HOUR, _at(5))
    assert [capture.look(at, _at(6)) for at in (2 * HOUR, 0)] == [3600, 3600]


def test_what_is_read_is_old() -> None:
    """A feed from which nothing but old items comes counts as unread, until nothing more comes of them."""
    capture = _capture()
    for second in (0, 30, 60):
        now = _at(10 + second / 3600)
        assert capture.look(now.at, now) == 0
        capture.heed(_batch(now.at - 2 * HOUR), now)
    now = _at(10 + 60 / 3600)
    assert capture.look(now.at, now) == 7200
    now = _at(10 + 120 / 3600)
    assert capture.look(now.at, now) == 0


def test_one_old_item_is_no_lag() -> None:
    """What was said while nobody read comes when reading begins, and what history is asked for is old:
    neither stops anything, however long the next answer takes."""
    capture = _capture()
    capture.heed(_batch(8 * HOUR), _at(10))
    looks = [capture.look(10 * HOUR, _at(10 + second / 3600)) for second in (10, 30)]
    assert looks == [10, 30]
    for second in range(0, 300, 10):
        capture.heed(replace(_batch(HOUR), history=True), _at(11 + second / 3600))
    now = _at(11 + 300 / 3600)
    assert capture.look(now.at, now) == 0


def test_an_old_item_in_a_busy_feed_is_no_lag() -> None:
    """A feed in which something always comes, and once something old."""
    capture = _capture()
    for second in range(0, 300, 10):
        now = _at(10 + second / 3600)
        capture.heed(_batch(now.at), now)
    now = _at(10 + 300 / 3600)
    capture.heed(_batch(5 * HOUR), now)
    assert capture.look(now.at, now) == 0


def test_times_that_cannot_be_are_passed_over() -> None:
    """A message of the future, or without a time, says nothing of the lag."""
    capture = _capture()
    capture.heed(_batch(99 * HOUR), _at(10))
    capture.heed(_batch(0), _at(10))
    assert capture.look(10 * HOUR, _at(10)) == 0

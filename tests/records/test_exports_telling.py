"""Everything recorded about a message is said about it."""

from __future__ import annotations

from dataclasses import replace

import corpus

from bridge.records.exports.telling import changed, decided, delivered, duration, remarks, said, seen, utc
from bridge.records.transcript import DROPPED, Judged

UNSURE = (corpus.PART, corpus.CLAIMED)


def test_times_are_utc_and_say_so() -> None:
    """To the millisecond; 0 is never, and what no calendar has is no time."""
    assert utc(corpus.START + 7) == "2026-09-21T14:13:20.007Z"
    assert utc(0) == ""
    assert utc(1 << 60) == ""
    assert duration(3_723_999) == "1:02:03"


def test_what_the_other_side_saw_is_one_of_five() -> None:
    """A changed text is never called the same, and what arrived in part, or may have, never nothing."""
    masked, told, *_ = corpus.slices()[0].lines
    assert (seen(masked), seen(told)) == ("changed", "as written")
    assert seen(corpus.line(1, "x", sent="")) == "nothing"
    part, under_way = (corpus.line(1, "x", sent="", offered="x", deliveries=(one,)) for one in UNSURE)
    assert (seen(part), seen(under_way)) == ("in part", "not known yet")
    told = dict(remarks(part))
    assert told["Sent, and not known to have arrived whole"] == "x"
    assert told["Delivery"].endswith("too-large; network's ids x7, x8; in part")
    since = delivered(replace(corpus.PART, arrived=(corpus.START,)))
    assert since.endswith("; in part 2026-09-21T14:13:20.000Z")
    act = Judged(corpus.START, DROPPED, "person", "by telephone", "bob.li@bank.example", permit="0p5x")
    assert decided(act).endswith("dropped; person; by bob.li@bank.example; because by telephone; permit 0p5x")
    assert dict(remarks(under_way))["Delivery"].endswith("may have arrived")
    sent = corpus.line(1, "x", deliveries=(corpus.PART, corpus.SENT))
    assert seen(sent) == "as written"
    failed = replace(corpus.PART, state="dropped", failed=True)
    assert seen(corpus.line(1, "x", sent="", deliveries=(failed,))) == "not known yet"
    one_part = replace(failed, receipts=("x7",))
    assert seen(corpus.line(1, "x", sent="", deliveries=(one_part,))) == "nothing"


def test_a_clients_copy_says_nothing_of_the_firm() -> None:
    """No state, no readers of what he wrote, no word about what others saw of it."""
    told = dict(remarks(corpus.line(1, "x", sent="", state="", readers=(), copy=True)))
    assert told["State"] == "text"
    assert not told.keys() & {"Read by", "The other side saw", "Sent"}


def test_remarks_leave_nothing_out() -> None:
    """Decisions with person and reason, deliveries, links, defects, what is gone, and attachments."""
    lines = list(corpus.slices()[0].lines)
    words = ["\n".join(f"{name}: {value}" for name, value in remarks(line)) for line in lines]
    assert "Sent: 卡号 ************1111" in words[0]
    assert "by bob.li@bank.example; because 已核對: his own card" in words[1]
    assert "failed; permit 0p5xw2c3r8k1m4z7q9ac; window" in words[1]
    assert "Replaces: message/2" in words[2]
    assert "Quote: earlier words" in words[2]
    assert "Takes back: message/3" in words[3]
    assert "Notice about: message/2" in words[4]
    assert "missing: the network did not give it: gone" in words[5]
    assert all(file.digest in words[5] for file in lines[5].files)
    assert "Gone: disposed 2033-04-02" in words[6]
    assert "Defect: not JSON: 第 1 行" in words[7]
    assert "Origin: CN" in words[0]


def test_what_became_of_a_message_is_said_wherever_that_lies() -> None:
    """What replaced it or took it back, when, and that the export does not have it."""
    later = (corpus.became(3, "anew", here=False), corpus.became(4, "", recall=True))
    told = dict(remarks(corpus.line(2, "a deal", later=later)))
    assert told["Replaced by"] == "message/3 (w3) at 2026-09-21T14:13:22.750Z, not in this export"
    assert told["Taken back by"] == "message/4 (w4) at 2026-09-21T14:13:23.750Z"


def test_comings_are_sentences() -> None:
    """Who, what, why."""
    (came,) = [item for item in corpus.slices()[0].items[:3] if not hasattr(item, "text")]
    assert changed(came) == "Bob Li (symphony 7002) joined: paired"


def test_a_message_without_a_network_clock_has_the_archives() -> None:
    """Nothing is dated 1970."""
    line = corpus.line(1, "x")
    assert said(line) == line.sent_at
    assert said(replace(line, sent_at=0)) == line.at
    assert said(replace(line, sent_at=10**18)) == line.at

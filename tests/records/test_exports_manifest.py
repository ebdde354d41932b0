"""The manifest: counts that add up, every exclusion and warning with numbers, the same bytes each time."""

from __future__ import annotations

import json

import corpus

from bridge.records.exports.manifest import Account, Terms, counted, counts, manifest, signed_text


def account() -> Account:
    """An export of the corpus, and one message that was left out."""
    made = Account()
    made.counts.update(counted(corpus.slices()))
    for one in corpus.slices():
        for line in one.lines:
            made.found.add(line.number)
            made.written.add(line.number)
    made.found.add(60)
    made.exclude(60, "region CN: no approval")
    made.warn("attachment-missing", 6, "gone")
    made.files["b"] = made.files["a"] = "0" * 64, 1
    return made


def test_what_was_found_is_written_or_excluded() -> None:
    """An account is whole only then: a message that is neither is noticed."""
    made = account()
    assert made.whole
    made.found.add(61)
    assert not made.whole
    made.exclude(61, "of another client")
    assert made.whole
    made.counts["messages"] += 1
    assert not made.whole


def test_the_manifest_states_everything() -> None:
    """Query, case, who; counts; first and last; reasons with numbers; digest of every file; the tree."""
    data = manifest(
        corpus.request(), Terms("jsonl", region="CN"), account(), {0: "proofs/checkpoint-0.note"}, {}
    )
    told = json.loads(data)
    assert told["asked"]["query"] == corpus.request().query
    assert told["counts"]["found"] == told["counts"]["written"] + told["counts"]["excluded"] == 31
    assert (told["first"], told["last"]) == (1, 120)
    assert told["exclusions"] == [{"reason": "region CN: no approval", "count": 1, "messages": "60"}]
    assert told["warnings"][0]["messages"] == "6"
    assert list(told["files"]) == ["a", "b"]
    assert told["ledger"][0] == {
        "lane": 0,
        "size": 640,
        "root": "ab" * 32,
        "checkpoint": "proofs/checkpoint-0.note",
    }
    assert "milliseconds" in told["times"]


def test_counts_name_everything_that_tends_to_get_lost() -> None:
    """Edits, recalls, joins, leaves, notices, what cannot be read, attachments here and missing."""
    told = counts(account())
    for name in ("edits", "recalls", "joins", "leaves", "notices", "unreadable"):
        assert told[name] == 1, name
    assert (told["attachments"], told["attachments_missing"]) == (3, 1)


def test_what_is_signed_is_no_checkpoint() -> None:
    """The second line is a digest: a checkpoint has a number there."""
    first, second = signed_text(b"x").splitlines()
    assert first == "weighbridge-export/1"
    assert not second.isdecimal()

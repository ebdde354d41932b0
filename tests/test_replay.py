"""Decided again: what was recorded comes out the same, and what was tampered with does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import traffic
from rig import Clock, Hands, message, new_store, opened

from bridge.errors import StoreError
from bridge.message import SYMPHONY, Cause, Context, Outcome, Verdict
from bridge.policy import PolicySet, Source
from bridge.replay import Judgement, Replay, Replayed, differences, first_difference, flat
from bridge.store import recorded
from bridge.store.policies import sources_of

NOW = 1_767_600_000_000  # 2026-01-05 08:00 UTC


@pytest.fixture(scope="module")
def ready() -> PolicySet:
    """The policy of the traffic."""
    return traffic.policies()


def judgement(ready: PolicySet, text: str = "hello", **more: object) -> Judgement:
    """A judgement as the archive would have it."""
    one = message(SYMPHONY, 1, text)
    context = Context("to_weixin")
    from datetime import UTC, datetime

    from bridge.policy.judge import judge

    verdict = judge(ready, one, context, datetime.fromtimestamp(NOW / 1000, UTC))
    given = {"id": 1, "seq": 1, "message": one, "verdict": verdict, "now": NOW, "context": context}
    return Judgement(**(given | more))  # type: ignore[arg-type]


def again(ready: PolicySet, one: Judgement) -> Replayed:
    """Decided again with the same policies at hand."""
    return Replay(lambda _: ready.sources).one(one)


# --- one judgement --------------------------------------------------------------------------------------


def test_what_was_recorded_comes_out_the_same(ready: PolicySet) -> None:
    """The same policies, message, context and clock: identical, whatever it was."""
    for text in ("hello", "4111 1111 1111 1111", "the merger"):
        assert again(ready, judgement(ready, text)) == Replayed(1, 1, "identical")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome", Outcome.BLOCK),
        ("cause", Cause.FAILURE),
        ("text", "something else"),
        ("reason", "another"),
        ("tags", ("vip",)),
        ("queue", "nobody"),
        ("directory", "0" * 64),
        ("notify", ("bob.li@bank.example",)),
    ],
)
def test_any_field_that_was_changed_is_named(ready: PolicySet, name: str, value: object) -> None:
    """A tampered verdict: the field, what stands in the record, and what is decided now."""
    one = judgement(ready)
    spoiled = replace(one, verdict=replace(one.verdict, **{name: value}))
    result = again(ready, spoiled)
    assert result.result == "different"
    assert [field for field, _, _ in result.differences] == [name]
    assert differences(one.verdict, one.verdict) == ()


def test_another_clock_or_context_is_another_verdict(ready: PolicySet) -> None:
    """What the verdict rested on is part of the answer: without it, it comes out differently."""
    one = judgement(ready)
    assert again(ready, replace(one, context=Context("to_weixin", missing=("a.pdf",)))).result == "different"


def test_another_engine_is_said_and_no_difference(ready: PolicySet) -> None:
    """A newer program that decides alike is what one hopes for."""
    one = judgement(ready)
    result = again(ready, replace(one, verdict=replace(one.verdict, engine="weighbridge 0.0.1")))
    assert (result.result, result.engine) == ("identical", "weighbridge 0.0.1")


def test_what_cannot_be_decided_again_says_why(ready: PolicySet) -> None:
    """No such policy, something gone, no policy's verdict, a policy that this version refuses."""

    def nothing(_: Sequence[str]) -> list[Source]:
        raise StoreError("the policy 5f5f is not in the archive")

    one = judgement(ready)
    result = Replay(nothing).one(one)
    assert (result.result, result.why) == ("not replayable", "the policy 5f5f is not in the archive")
    result = again(ready, replace(one, context=None, gone="pair 3 is not in the store"))
    assert (result.result, result.why) == ("not replayable", "pair 3 is not in the store")
    result = again(ready, replace(one, context=None, skip="a person decided"))
    assert (result.result, result.why) == ("skipped", "a person decided")
    refused = Replay(lambda _: [Source("x.yaml", b"policy: [")]).one(one)
    assert refused.result == "not replayable" and "this version refuses the policy" in refused.why


def test_policies_are_made_ready_once(ready: PolicySet) -> None:
    """A month of verdicts under one policy loads it once."""
    asked: list[Sequence[str]] = []

    def find(hashes: Sequence[str]) -> Sequence[Source]:
        asked.append(hashes)
        return ready.sources

    assert len(list(Replay(find).each([judgement(ready)] * 5))) == 5
    assert len(asked) == 1


# --- a day's traffic ------------------------------------------------------------------------------------


async def test_mixed_traffic_comes_out_as_it_was_recorded(tmp_path: Path, ready: PolicySet) -> None:
    """Hundreds of messages through store and room, under rules that look across messages and at the clock:
    not one difference, and nothing that cannot be decided again."""
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, clock := Clock()), clock)
    await hands.store.own("the test")
    await traffic.traffic(hands, ready, seed=3, count=300)
    work = Replay(lambda hashes: sources_of(hands.store._reading, hashes))  # type: ignore[arg-type]
    results = await hands.store.read(lambda db: list(work.each(recorded.judgements(db))))
    assert [one for one in results if one.result in ("different", "not replayable")] == []
    counts = Counter(one.result for one in results)
    assert counts["identical"] > 200 and counts["skipped"] > 20
    outcomes = {outcome for (outcome,) in await hands.rows("SELECT DISTINCT outcome FROM verdicts")}
    assert outcomes >= {"deliver", "redact", "hold"}
    context = await hands.rows(
        "SELECT count(*) FROM content WHERE CAST(body_of(lane, seq) AS TEXT) LIKE '%\"earlier\":[%'"
    )
    assert context[0][0] > 50
    hands.store.close()


async def test_what_a_freeze_held_comes_out_as_it_was_recorded(
    tmp_path: Path, ready: PolicySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged while frozen: decided again under the freeze, not skipped as a person's; a tampered one is
    found."""
    monkeypatch.setattr(traffic, "Judging", traffic.frozen)
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, clock := Clock()), clock)
    await hands.store.own("the test")
    await traffic.traffic(hands, ready, seed=4, count=30)
    work = Replay(lambda hashes: sources_of(hands.store._reading, hashes))  # type: ignore[arg-type]
    judgements = await hands.store.read(lambda db: list(recorded.judgements(db)))
    results = Counter(one.result for one in await hands.store.read(lambda _: list(work.each(judgements))))
    assert results["identical"] > 15 and set(results) == {"identical", "skipped"}
    held = next(one for one in judgements if isinstance(one, Judgement) and one.frozen)
    spoiled = replace(held, verdict=replace(held.verdict, outcome=Outcome.DELIVER))
    assert work.one(spoiled).result == "different"
    hands.store.close()


def test_a_difference_is_taken_apart_to_single_values() -> None:
    """Through objects and lists; what only one side has is nothing on the other; equal parts are left out."""
    before = [{"rule": "a", "spans": [[0, 3]]}]
    after = [{"rule": "b", "spans": [[0, 4]]}, {"rule": "c"}]
    assert list(flat("matches", before, after)) == [
        ("matches 1 rule", "a", "b"),
        ("matches 1 spans 1 2", 3, 4),
        ("matches 2 rule", None, "c"),
    ]
    assert first_difference("abcd", "abxd") == 2
    assert first_difference("ab", "abc") == 2


def test_a_verdict_that_nobody_recorded_is_no_verdict() -> None:
    """Differences are between two verdicts, field by field, as they are written."""
    one = Verdict(Outcome.DELIVER, Cause.DEFAULT, "a")
    assert differences(one, replace(one, text="b", waits=True)) == (
        ("text", "a", "b"),
        ("waits", False, True),
    )

"""The archive under another policy: everything is read, decided as it was then, and nothing is changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import traffic
from rig import START, Hands, message
from sqlalchemy import delete, func, select, update

from bridge import desk
from bridge.errors import Conflict
from bridge.message import SYMPHONY
from bridge.policy import Source
from bridge.policy.tally import Span, Tally, report
from bridge.replay import Replay
from bridge.store import backtest as bt
from bridge.store import schema as s
from bridge.store.policies import sources_of
from bridge.store.recorded import judgements
from bridge.store.vault import vault_of
from bridge.store.verify import verify

LATER = START + 10**12
STRICTER = traffic.DESK.replace("併購]", "併購, thanks]").replace(
    "to_weixin, finds: secret", "both, finds: secret"
)


def source(text: str) -> Source:
    return Source("desk.yaml", text.encode())


def question(hands: Hands, draft: str, **more: Any) -> bt.Question:
    keeper = vault_of(hands.store.engine).keeper
    asked = bt.Question(hands.store.url, (source(traffic.DESK),), (source(draft),), 0, LATER, keeper=keeper)
    return replace(asked, **more)


async def replayed(hands: Hands, asked: bt.Question, workers: int = 1) -> dict[str, Any]:
    """The report on everything in the store."""
    over = await hands.store.read(lambda db: bt.extent(db, asked.since, asked.until))
    whole = Tally(asked.sample)
    for part in await asyncio.to_thread(lambda: list(bt.replay(asked, over, workers))):
        whole.merge(part)
    return report(Span((), (), asked.since, asked.until), whole)


async def test_the_policy_in_force_would_change_nothing(hands: Hands) -> None:
    """Judged again under what decided then, every message comes out as it was recorded."""
    await traffic.traffic(hands, traffic.policies(), seed=1, count=80)
    found = await replayed(hands, question(hands, traffic.DESK))
    assert found["changes"] == [] and set(found["not_replayed"]) <= {bt.NO_POLICY}
    again = question(hands, traffic.DESK + "\n# a comment makes another hash, and both sides are judged\n")
    assert (await replayed(hands, again))["changes"] == []
    rows = await hands.store.read(lambda db: list(judgements(db)))
    first = {one.seq: one.verdict.outcome.value for one in reversed(rows) if not one.skip}
    counts = Counter(first.values())
    assert {one["outcome"]: one["messages"] for one in found["unchanged"]} == counts
    assert found["replayed"] == len(first) > 50


async def test_a_stricter_rule_holds_what_it_finds(hands: Hands) -> None:
    """Only messages with its words change, and the rule is named."""
    await traffic.traffic(hands, traffic.policies(), seed=2, count=80)
    found = await replayed(hands, question(hands, STRICTER, sample=1000))
    assert found["looser"] == 0 and found["new_holds"] > 0
    assert [one["rule"] for one in found["rules"]] == ["desk/inside"]
    judged = await hands.store.read(lambda db: {one.seq: one.message.text for one in judgements(db)})
    words = ("thanks", "merger", "内幕")
    assert all(any(word in judged[one["message"]] for word in words) for one in found["sample"])


async def test_slices_and_processes_give_the_same_report(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process or two, one slice or many: the same sums."""
    await traffic.traffic(hands, traffic.policies(), seed=3, count=60)
    alone = await replayed(hands, question(hands, STRICTER))
    monkeypatch.setattr(bt, "SLICE", 20)
    assert await replayed(hands, question(hands, STRICTER), workers=2) == alone


async def test_a_period_leaves_out_what_lies_outside(hands: Hands) -> None:
    """From a time on, until before another; an empty period has nothing to replay."""
    await traffic.traffic(hands, traffic.policies(), seed=4, count=30)
    whole = await replayed(hands, question(hands, STRICTER))
    middle = START + 60_000
    before = await replayed(hands, question(hands, STRICTER, until=middle))
    after = await replayed(hands, question(hands, STRICTER, since=middle))
    assert before["replayed"] > 0 and before["replayed"] + after["replayed"] == whole["replayed"]
    assert (await replayed(hands, question(hands, STRICTER, since=LATER)))["replayed"] == 0


async def test_what_cannot_be_replayed_is_counted_with_its_reason(hands: Hands) -> None:
    """Content that is gone, and a message that nobody has judged yet."""
    await traffic.traffic(hands, traffic.policies(), seed=5, count=10)
    await hands.store.write(lambda tx: _erase(tx, 1))
    await hands.archive(message(SYMPHONY, "late", "hello"))
    found = await replayed(hands, question(hands, STRICTER))
    assert found["not_replayed"] == {bt.ERASED: 1, bt.NOT_JUDGED: 1}


async def test_what_was_judged_while_frozen_is_replayed(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policies are compared without the freeze, also after a person released it; every message of the
    period is counted once, on one side or the other."""
    monkeypatch.setattr(traffic, "Judging", traffic.frozen)
    await traffic.traffic(hands, traffic.policies(), seed=8, count=30)
    held = await hands.rows("SELECT id FROM messages WHERE state = 'held'")
    await desk.release(hands.store, held[0][0], "carol", "the freeze is over")
    found = await replayed(hands, question(hands, traffic.DESK))
    assert found["replayed"] > 15 and found["changes"] == []
    assert {one["outcome"] for one in found["unchanged"]} >= {"deliver", "redact"}
    over = await hands.store.read(lambda db: bt.extent(db, 0, LATER))
    assert found["replayed"] + sum(found["not_replayed"].values()) == over.count


@pytest.mark.parametrize("body", ["{}", "no json"])
async def test_the_sums_add_up_over_damaged_and_noted_messages(hands: Hands, body: str) -> None:
    """What cannot be read, what a person alone decided and what no policy was asked about have their reasons:
    with what was replayed they are all the messages of the period."""
    await traffic.traffic(hands, traffic.policies(), seed=9, count=60)
    await hands.store.write(lambda tx: _spoil(tx, body))
    found = await replayed(hands, question(hands, STRICTER))
    assert found["not_replayed"][bt.UNREADABLE] == 1
    over = await hands.store.read(lambda db: bt.extent(db, 0, LATER))
    assert found["replayed"] + sum(found["not_replayed"].values()) == over.count


def _spoil(tx: Any, body: str) -> None:
    first = select(func.min(s.verdicts.c.entry)).where(s.verdicts.c.cause != "person").scalar_subquery()
    tx.db.execute(update(s.content).where(s.content.c.seq == first).values(body=body.encode()))


def _erase(tx: Any, number: int) -> None:
    m, c = s.messages.c, s.content.c
    row = tx.db.execute(select(m.lane, m.entry).where(m.id == number)).one()
    tx.db.execute(delete(s.content).where(c.lane == row.lane, c.seq == row.entry))


async def test_a_back_test_writes_nothing_but_its_record(hands: Hands, tmp_path: Any) -> None:
    """One entry with who, why and the counts; the store still verifies, and every verdict still replays."""
    await traffic.traffic(hands, traffic.policies(), seed=6, count=30)
    before = await _rows(hands)
    found = await replayed(hands, question(hands, STRICTER))
    assert await _rows(hands) == before
    name = await hands.store.write(lambda tx: bt.record(tx, 0, "carol", "a stricter list", found))
    after = await _rows(hands)
    changed = {table for table in before if before[table] != after[table]}
    assert changed - {"nodes"} == {  # of the tree: one for every sixteen entries
        "ledger",
        "content",
        "data_keys",
        "heads",
    }
    kept = await hands.store.read(lambda db: bt.report_of(db, name))
    assert (kept["person"], kept["reason"], kept["report"]) == ("carol", "a stricter list", found)
    findings: list[Any] = []
    await hands.store.read(lambda db: verify(db, tmp_path / "blobs", findings.append, lambda *_: None))
    assert findings == []
    results = await hands.store.read(
        lambda db: {one.result for one in Replay(lambda h: sources_of(db, h)).each(judgements(db))}
    )
    assert results <= {"identical", "skipped"}


async def _rows(hands: Hands) -> dict[str, int]:
    tables = s.metadata.sorted_tables
    return await hands.store.read(
        lambda db: {
            one.name: db.execute(select(func.count()).select_from(one)).scalar_one() for one in tables
        }
    )


async def test_reports_are_listed_newest_first(hands: Hands) -> None:
    """So many as were asked for; a name that does not exist is refused with the command that lists them."""
    await traffic.traffic(hands, traffic.policies(), seed=7, count=3)
    found = await replayed(hands, question(hands, STRICTER))
    names = []
    for _ in range(3):
        hands.clock.forward(1_000)
        names.append(await hands.store.write(lambda tx: bt.record(tx, 0, "carol", "why", found)))
    listed = await hands.store.read(lambda db: bt.reports(db, 2))
    assert [one["name"] for one in listed] == [names[2], names[1]]
    with pytest.raises(Conflict, match="policy backtests"):
        await hands.store.read(lambda db: bt.report_of(db, "bt-none"))

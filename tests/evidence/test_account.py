"""The account of a case: both sides' words, what became of them and who did it, out of the package alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from evidence_rig import PDF, POLICY, case_store, key_of
from story import REVIEWER, Story, ruled

from bridge.evidence import package
from bridge.evidence.account import Account, _step, account
from bridge.evidence.disclosure import ALL, LOST, NOTHING, PART, disclosing, named
from bridge.evidence.exhibits import Case, Making
from bridge.evidence.phrases import phrase
from bridge.message import File, Kind, Outcome, Receipt
from bridge.ports import Step
from bridge.store import exhibits
from bridge.store.database import open_engine
from bridge.store.signing import verifiers


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Everything in the store."""
    folder = tmp_path_factory.mktemp("account")
    case_store(folder)
    engine = open_engine(f"sqlite:///{folder / 'weighbridge.db'}")
    with engine.connect() as db, db.begin():
        found = exhibits.gather(db, [1, 4, 6, 7, 8], verifiers([key_of(folder)]), lambda *_: None)
    engine.dispose()
    return found


def told(case: Case, *words: str) -> Account:
    """The account of the case, with these words blacked out."""
    disclosure = disclosing(case, *named(words))
    records = package.records(case, disclosure)
    names = [package.file_name(life, file) for life in case.lives for file in life.files]
    making = Making(1, "auditor@bank.example", "asked", "2026/17", "messages 1")
    return account(case, making, disclosure, records, names if "files" not in words else [])


def test_both_sides_and_what_became_of_it(case: Case) -> None:
    """A masked message: as written, as delivered, by which rule and policy; a held one with who let it go."""
    by_number = {one.number: one for one in told(case).messages}
    held, masked = by_number[1], by_number[7]
    assert (masked.written, masked.delivered) == ("你好 韩梅梅", "你好 ***")
    assert masked.rules == ("cards/card: Payment card numbers (redact), characters 3-6",)
    assert masked.policies == (("cards.yaml", POLICY[0][1]),)
    assert masked.receipts[0].startswith("out")
    assert (held.outcomes, held.arrived) == (("hold", "deliver"), ALL)
    assert (held.sender, held.recipient) == ("Alice Wong", "李雷")
    acts = [(step.person, step.reason) for step in held.steps if step.kind == "hold:released"]
    assert acts == [(REVIEWER, "ProjectZephyr is public by now")]
    assert held.delivered is not None
    assert "ProjectZephyr ****" in held.delivered


async def _arrivals(folder: Path) -> None:
    """All of one arrives, and an edit of it; a part of another, dropped and followed by a recall; one is
    lost, one never taken."""
    story = Story(folder)
    await story.begin()
    first = story.says("card 4111")
    await story.archive(first)
    await story.judge(ruled(Outcome.REDACT, "card ****", (5, 9)))
    await story.deliver()
    await story.archive(story.says("card later", replaces=first.id))
    await story.judge()
    await story.deliver()
    part = story.says("a long one", files=(File("r", "terms.pdf", Kind.FILE),))
    await story.archive(part)
    await story.lose_file()
    await story.judge()
    permit = await story.refuse(Step.PARK, "too-large", receipt=Receipt(("partA",)))
    await story.store.drop_delivery(permit, REVIEWER, "said by telephone")
    await story.archive(story.says("", kind=Kind.RECALL, refers_to=part.id))
    await story.judge()
    await story.deliver()
    await _lost(story)
    await story.sign()
    story.store.close()


async def _lost(story: Story) -> None:
    await story.archive(story.says("lost"))
    await story.judge()
    (claim,) = await story.claim()
    attempt = story.sent(claim)
    await story.store.record_attempts([attempt])
    assert attempt.receipt
    await story.archive(story.answers("", kind=Kind.FAILED, refers_to=attempt.receipt.ids[0]))
    await story.judge()
    await story.deliver()
    await _answers(story)
    await story.archive(story.says("refused", replaces="s-of-old"))
    await story.judge()
    await story.refuse(Step.PARK, "compliance")


async def _answers(story: Story) -> None:
    """One goes out before what it is about, which is long and has its own answer later."""
    await story.deliver()
    late = story.says("长" * 90)
    await story.archive(late)
    await story.judge()
    permit = await story.refuse(Step.PARK, "compliance")
    await story.archive(story.says("as of old", refers_to=late.id))
    await story.judge()
    await story.deliver()
    await story.store.retry_delivery(permit, REVIEWER, "unblocked")
    await story.deliver()
    await story.archive(story.says("of many", refers_to=late.id))
    await story.judge()
    await story.deliver()


def test_how_much_arrived_and_below_which_quote(tmp_path: Path) -> None:
    """All, a part that is neither all nor nothing, what was lost; an edit and a recall stand below the words
    that had arrived, masked as they were."""
    asyncio.run(_arrivals(tmp_path))
    engine = open_engine(f"sqlite:///{tmp_path / 'weighbridge.db'}")
    with engine.connect() as db, db.begin():
        keys = verifiers([key_of(tmp_path)])
        found = exhibits.gather(db, range(1, 12), keys, lambda *_: None)
        alone = exhibits.gather(db, [2], keys, lambda *_: None)
    engine.dispose()
    by_text = {one.written: one for one in told(found).messages}
    assert {text: one.arrived for text, one in by_text.items() if one.kind == "text"}.items() >= {
        "card 4111": ALL, "card later": ALL, "a long one": PART, "lost": LOST, "refused": NOTHING,
    }.items()  # fmt: skip
    assert by_text["a long one"].receipts == ("partA",)
    edit, recall = by_text["card later"], next(one for one in told(found).messages if one.kind == "recall")
    assert (edit.below, edit.delivered) == ("card ****", "［已修改］\ncard later")
    assert recall.below == "a long one"
    assert by_text["as of old"].below == ""  # what it is about came later
    assert by_text["of many"].below == "长" * 59 + "…"
    assert by_text["refused"].below == ""  # it arrived below nothing
    assert told(alone).messages[0].below == phrase("elsewhere", "en")
    kept = {one.number: one for one in told(found, "text").messages}
    assert (kept[edit.number].below, kept[recall.number].below) == (None, None)


def test_why_each_message_is_there(case: Case) -> None:
    """Asked for, or what belongs to one that was."""
    assert {one.number: one.why for one in told(case).messages} == {
        1: "asked for", 2: "notice about 1", 3: "notice about 1", 4: "asked for", 5: "edit of 1",
        6: "asked for", 7: "asked for", 8: "asked for",
    }  # fmt: skip


def test_attachments_by_the_name_they_have_here(case: Case) -> None:
    """What it was called, and the harmless name of the file in the package, with its own digest."""
    import hashlib

    (file,) = next(one for one in told(case).messages if one.number == 6).files
    assert (file.name, file.file) == ("termsheet-zephyr.pdf", "files/000006-1.pdf")
    assert file.sha256 == hashlib.sha256(PDF).hexdigest()


def test_what_is_withheld_is_none_and_never_empty(case: Case) -> None:
    """A black bar and nothing said are two things."""
    one = next(one for one in told(case, "text", "names", "reviewers").messages if one.number == 1)
    assert (one.written, one.delivered, one.sender, one.recipient, one.quote) == (None, None, None, None, "")
    act = next(step for step in one.steps if step.kind == "hold:released")
    assert (act.person, act.reason) == (None, None)
    assert {"person", "reason"} <= set(act.withheld)


def test_a_message_that_is_withheld_whole_has_nobody_in_it(case: Case) -> None:
    """Not even its people, whose names stand elsewhere in the package."""
    account_ = told(case, "message:1")
    one = next(one for one in account_.messages if one.number == 1)
    assert one.whole
    assert (one.written, one.sender, one.recipient) == (None, None, None)
    assert (account_.query, account_.reason, account_.partial) == (None, None, True)
    other = next(one for one in account_.messages if one.number == 8)
    assert other.sender == "李雷"
    assert other.written == "再见"


def test_a_fact_that_is_a_time_reads_as_one() -> None:
    """Until when a record is kept stands in its entry in milliseconds; a reader gets a date."""
    record = {"entry": "", "fields": []}
    entry = {"at": 1, "kind": "message:judged", "lane": 0, "seq": 2, "facts": {"until": 2016403200000}}
    assert _step(record, entry).facts == "until 2033-11-24 00:00 UTC"

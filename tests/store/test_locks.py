"""How archives are to lock copies: by the record's own end and the holds over it, never by a guess."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from disposals import LONG, SHORT
from rig import LANGUAGES, Hands, judge, message
from sqlalchemy import insert, update
from story import Story, passed

from bridge import pipeline
from bridge.message import SYMPHONY, Archived, Verdict
from bridge.ports import Placing, Ruling
from bridge.store import copies, holds, locks
from bridge.store import schema as s
from bridge.store.copies import Kept
from bridge.store.locks import Change, Wanted

KEY = "records/vault"


async def kept(hands: Hands, until: int = 0, held: bool = True) -> None:
    """One message and a notice about it, both in the vault."""
    await hands.archive(message(SYMPHONY, 1, "BLOCK"))

    def verdict(one: Archived, now: object) -> Verdict:
        return replace(judge(one, now), archives=(KEY,))  # type: ignore[arg-type]

    rulings = pipeline.decide(await hands.store.unjudged(9), verdict, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)
    due = await hands.store.read(lambda db: copies.due(db, KEY, hands.clock.now(), 9))
    done = [Kept(one, "ab" * 32, (f"o{one.message}",), "yes", until, held) for one in due]
    await hands.store.write(lambda tx: copies.keep(tx, KEY, done))


async def term(hands: Hands, until: int | None) -> None:
    """Its record lives until then."""
    row = {"message": 1, "entry": 1, "key": "p/c", "start": "creation", "until": until}
    await hands.store.write(lambda tx: tx.db.execute(insert(s.terms).values(**row)))


async def changes(hands: Hands) -> list[Change]:
    """What the vault is to be told."""
    return (await hands.store.read(lambda db: locks.changes(db, KEY, 0))).changes


async def test_no_end_is_a_hold(hands: Hands) -> None:
    """A record that nobody classed, or whose event has not happened, is held; so is the notice about it."""
    await kept(hands)
    assert await hands.store.read(lambda db: locks.wanted(db, [1, 2])) == [
        Wanted(1, None, False),
        Wanted(2, None, False),
    ]
    assert await changes(hands) == []


async def test_an_edit_and_its_original_are_locked_alike(tmp_path: Path) -> None:
    """By whichever stays longest, and by a hold over either; the original is told when the edit comes. So is
    one whose edit has no end."""
    story = Story(tmp_path)
    await story.store.own("daemon")
    await story.pair()
    first = story.says("the price is 10")
    later = [
        story.says("the price is 11", replaces=first.id),
        story.says("the price is 12", replaces=first.id),
    ]
    seen: list[list[Wanted]] = []
    for said, classes in zip((first, *later), ((SHORT,), (LONG,), ()), strict=True):
        await story.archive(said)
        for one in await story.store.unjudged(9):
            verdict = replace(passed(one), retention=classes, archives=(KEY,))
            await story.store.record_rulings([Ruling(one, verdict, "")])
        (due,) = await story.store.read(lambda db: copies.due(db, KEY, story.clock.now(), 9))
        done = [Kept(due, "ab" * 32, (f"o{due.message}",), "yes", 0, False)]
        await story.store.write(lambda tx, done=done: copies.keep(tx, KEY, done))
        numbers = list(range(1, len(seen) + 2))
        seen.append(await story.store.read(lambda db, n=numbers: locks.wanted(db, n)))
        about = await story.store.read(lambda db, n=numbers[-1:]: locks.changes_about(db, KEY, n))
        assert [one.copy.message for one in about] == numbers
    (short,), edited, endless = seen
    assert [one.until for one in edited] == [edited[1].until] * 2 != [short.until] * 2
    assert [one.until for one in endless] == [None] * 3
    placing = Placing("H", '"price is 11"', '"price is 11"', "lena", "letter")
    await story.store.write(lambda tx: holds.place(tx, 0, placing))
    assert all(one.held for one in await story.store.read(lambda db: locks.wanted(db, [1, 2, 3])))
    spoil = "UPDATE ledger SET entry = substr(entry, 2) WHERE subject = 'message/2'"
    await story.store.write(lambda tx: tx.db.exec_driver_sql(spoil))
    assert await story.store.read(lambda db: locks.wanted(db, [1])) == [Wanted(1, None, True)]
    assert await story.store.read(lambda db: locks.changes_about(db, KEY, [1]))
    story.store.close()


async def test_an_end_frees_and_locks(hands: Hands) -> None:
    """A known end is told with the hold's: for the message and for what was said about it. Told once."""
    await kept(hands)
    before = await hands.store.read(locks.mark)
    await term(hands, 5000)
    found = await changes(hands)
    told = [(one.copy.message, one.copy.revision, *one[1:]) for one in found]
    assert told == [(1, 1, ("o1",), 5000, False), (2, 1, ("o2",), 5000, False)]
    assert await hands.store.read(lambda db: locks.behind(db, KEY)) == 2
    for one in found:
        await hands.store.write(lambda tx, one=one: locks.told(tx, KEY, one))
    assert await changes(hands) == []
    assert await hands.store.read(lambda db: locks.behind(db, KEY)) == 0
    await hands.store.write(lambda tx: tx.db.execute(update(s.terms).values(until=4000)))
    assert await changes(hands) == []
    await hands.store.write(lambda tx: tx.append(0, "retention:extended", "retention", {"query": 1}, b"{}"))
    ordered = await hands.store.read(locks.mark)
    await hands.store.write(
        lambda tx: tx.append(0, "retention:assigned", "assignment/old", {"keep": "7y"}, b"{}")
    )
    assert len({before, ordered, await hands.store.read(locks.mark)}) == 3


async def test_rehearsals(hands: Hands) -> None:
    """What was rehearsed is not cleared by it: that takes a word of its own."""
    rehearse = lambda cleared: hands.store.write(  # noqa: E731
        lambda tx: locks.rehearse(tx, KEY, "compliance", "bob.li@bank.example", "drill", cleared=cleared)
    )
    await rehearse(False)
    assert await hands.store.read(lambda db: (locks.rehearsed(db, KEY), locks.cleared(db, KEY))) == (
        True,
        False,
    )
    await rehearse(True)
    assert await hands.store.read(lambda db: locks.cleared(db, KEY))
    assert await hands.store.read(lambda db: locks.objects_of(db, KEY, 1, 1)) == ()

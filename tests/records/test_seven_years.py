"""Seven years of a small firm: what must be kept is there, what must go is gone from every file, holds held.

Rules of this file: what the firm is and what its clerk reckons is in `small_firm`, how it lives in
`firm_life`. Here is what happens to it, day by day, and what is looked at each time something was destroyed.
Nothing that is expected is asked of the product.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from disposals import FIRST, PLANNER, SECOND
from evidence_rig import key_of, make, verified
from firm_life import LACKING, Life, milliseconds, tables_in
from rig import url_of
from small_firm import CLIENTS, FREED, LENGTHENED, STRANGER, Record, over, writing_days
from story import Terminal

from bridge.cli import compose, disposal
from bridge.cli.output import Exit
from bridge.store import destruction
from bridge.store import disposal as store_disposal

BEGIN, LAST = date(2026, 1, 14), date(2032, 12, 31)
EVE, LEAP, KILLED, END = date(2029, 3, 1), date(2029, 3, 2), date(2030, 1, 15), date(2033, 4, 1)
DISPOSALS = {
    "sqlite": {*(date(year, 1, 15) for year in range(2027, 2033)), EVE, LEAP, END},
    "postgresql": {date(2027, 1, 15), date(2029, 1, 15), LEAP, KILLED, END},
}
"""Once a year; and on the day on which what was said on 29 February for a year may go, and on its eve."""

JOINED = "the term of what it is joined with"
REASONS = {
    *("hold CASE-7", "hold CASE-8", "hold desk/enquiry", "undecided", "delivery open", LACKING, JOINED),
    "retention: deal-termination has not happened",
}
"""What each keeps something by itself at some time; with the term of an edit."""


class Killed(BaseException):
    """The process ended here."""


class Years:
    """The seven years, on one engine; `tables` are the bytes that lie in no file of the firm's folder.
    `alone`: what was at any disposal the only reason why a record stayed."""

    def __init__(self, life: Life, runner: asyncio.Runner, engine: str, tables: Callable[[], bytes]) -> None:
        self.life, self.run, self.tables, self.disposals = life, runner.run, tables, DISPOSALS[engine]
        self.alone: set[str] = set()
        self.packages: list[Path] = []
        self.exports: list[Path] = []
        self.forgotten: set[str] = set()
        self.erased: list[int] = []

    def pass_by(self) -> None:
        """Day after day: what happens, what is written, what is destroyed, and whether all of it is right."""
        days = {*writing_days(BEGIN, LAST), *self.disposals, *HAPPENS}
        self.run(self.life.today(BEGIN))
        self.run(self.life.open())
        for day in sorted(days):
            self.run(self.life.today(day))
            for act in HAPPENS.get(day, ()):
                act(self)
            if day <= LAST:
                self.run(self.life.talk())
            if day in self.disposals:
                self.dispose(killed=day == KILLED)
                if day != EVE:
                    self.look()

    # disposal

    def dispose(self, *, killed: bool) -> None:
        """One plans, two others approve, and exactly what the clerk says goes: counted, and certified."""
        life, due = self.life, self.life.clerk.due(self.life.day)
        self.alone |= {why for one in life.clerk.there() for why in only_reason(one, life)}
        self.run(life.settle())
        self.run(life.seal())
        (plan,) = life.types(PLANNER, "disposal", "plan", "--json").records
        number = str(plan["number"])
        listed = life.asks("disposal", "show", number, "--records", "--json").records
        assert [one["message"] for one in listed] == sorted(one.number for one in due)
        life.types(PLANNER, "disposal", "approve", number, code=Exit.FORBIDDEN)
        life.types(FIRST, "disposal", "approve", number)
        life.types(PLANNER, "disposal", "run", number, code=Exit.FORBIDDEN, why=False)
        life.types(SECOND, "disposal", "approve", number)
        if killed:
            self.killed(number, due)
        life.types(PLANNER, "disposal", "run", number, why=False)
        for one in due:
            one.gone = True
        (done,) = life.asks("disposal", "show", number, "--json").records
        said = done["certified"]
        assert (said["records"], said["kept"]) == (len(due), 0)
        assert said["classes"] == Counter(one.governing for one in due)
        assert [one["person"] for one in said["approved_by"]] == [FIRST, SECOND]

    def killed(self, number: str, due: list[Record]) -> None:
        """The process dies when a part of the records is gone, and once more before their attachments are."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store_disposal, "BATCH", 5)
            patch.setattr(disposal, "progress", dying)
            with pytest.raises(Killed):
                self.life.types(PLANNER, "disposal", "run", number, why=False)
        (count,) = self.run(self.life.rows(f"SELECT count(*) FROM disposed WHERE disposal = {number}"))[0]
        assert 0 < count < len(due)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(destruction, "remove_files", dies)
            with pytest.raises(Killed):
                self.life.types(PLANNER, "disposal", "run", number, why=False)

    # what is looked at

    def look(self) -> None:
        """The record verifies; it is as the clerk has it; nothing of what is gone is anywhere; what was given
        away stands as it stood."""
        life = self.life
        self.run(life.reckons())
        self.run(life.has())
        self.run(life.sign())
        assert life.asks("audit", "verify", "--json").code == Exit.DONE
        everything = life.files() + self.tables()
        life.is_nowhere(everything)
        for name, one in CLIENTS.items():
            assert (one.id.encode() in everything) == (name not in self.forgotten), name
        life.outside()
        key = key_of(life.folder)
        assert [verified(one, key)[0] for one in self.packages] == [0] * len(self.packages)
        for one in self.exports:
            life.asks("audit", "export", "--verify", str(one))
        self.explained()

    def explained(self) -> None:
        """What a person is told of some records is what the clerk says."""
        life = self.life
        one = life.clerk.there()[len(life.clerk.there()) // 2]
        (told,) = life.asks("retention", "explain", str(one.number), "--json").records
        assert told["until"] == (one.until and milliseconds(one.until))
        assert set(told["kept"]) == life.clerk.kept(one, life.day)
        gone = [one for one in life.clerk.records if one.gone][-1]
        assert f"kept it until {gone.until}." in life.asks("retention", "explain", str(gone.number)).out


def only_reason(one: Record, life: Life) -> set[str]:
    """What alone keeps a record today whose own term is over; nothing if there is more than one reason."""
    kept = life.clerk.kept(one, life.day)
    if len(kept) != 1 or (one.until and one.until > life.day):
        return set()
    return {JOINED if why.startswith("retention until") else why for why in kept}


@contextmanager
def dying(_: str) -> Iterator[Callable[[int, int], None]]:
    """Whoever is told of a step dies."""
    yield dies


def dies(*_: object) -> None:
    """The process ends here."""
    raise Killed


# --- what happens ---------------------------------------------------------------------------------------


def policy(years: Years) -> None:
    """The policy of this day is proposed, approved for compliance and legal, and put into force."""
    life = years.life
    life.save(max(one for one in life.clerk.policies if one <= life.day))
    number = "1" if life.day == BEGIN else "2" if life.day == LENGTHENED else "3"
    proposed = life.types(PLANNER, "policy", "propose").out
    records = 0
    if life.day == LENGTHENED:
        counts = Counter(one.governing for one in life.clerk.there())
        for name in ("desk/talk", "desk/orders"):
            assert f"{counts[name]} stored records of {name} keep the terms they have" in proposed, proposed
            records += counts[name]
        life.types(FIRST, "policy", "approve", number, "--all-looser", code=Exit.FORBIDDEN)
    more = ("--all-looser", "--records", str(records))
    life.types(FIRST, "policy", "approve", number, *more)
    if life.day != BEGIN:
        life.types(SECOND, "policy", "approve", number, *more, "--role", "legal")
    years.run(life.put_in_force(int(number)))
    life.clerk.holds.pop("desk/enquiry", None)
    if life.day == LENGTHENED:
        life.clerk.holds["desk/enquiry"] = "sun"


def hold_wang(years: Years) -> None:
    """Everything of 王五 is held."""
    years.life.types(FIRST, "hold", "place", "CASE-7", "--person", CLIENTS["wang"].id)
    years.life.clerk.holds["CASE-7"] = "wang"


def hold_line(name: str, case: str, chat: str) -> Callable[[Years], None]:
    """One line is held, by a word of it."""

    def act(years: Years) -> None:
        one = years.life.newest(chat, name)
        years.life.types(FIRST, "hold", "place", case, "--query", f"Zephyr{one.count:05}q")
        years.life.clerk.holds[case] = one.count

    return act


def lift(case: str) -> Callable[[Years], None]:
    """A hold is lifted: by two people, and never by one."""

    def act(years: Years) -> None:
        years.life.types(FIRST, "hold", "lift", case)
        years.life.types(FIRST, "hold", "lift", case, "--approve", code=Exit.FORBIDDEN)
        years.life.types(SECOND, "hold", "lift", case, "--approve")
        del years.life.clerk.holds[case]
        years.run(years.life.reckons())

    return act


def ends(day: date) -> Callable[[Years], None]:
    """The swaps with 韩梅梅 have ended: it is said for all her records."""

    def act(years: Years) -> None:
        theirs = years.life.clerk.of("han")
        words = ("--query", f"with:{CLIENTS['han'].id}", "--at", str(day), "--yes")
        years.life.types(FIRST, "retention", "event", "deal-termination", *words)
        for one in theirs:
            one.happened["deal-termination"] = max(day, one.happened.get("deal-termination", date.min))
        years.run(years.life.reckons())

    return act


def extend(keep: str) -> Callable[[Years], None]:
    """The authority asks for 李雷's records for so long: that makes some longer, and none shorter."""

    def act(years: Years) -> None:
        life = years.life
        before = [(one, one.until) for one in life.clerk.of("li")]
        for one, _ in before:
            one.extended = max(one.extended, over(one.born, keep))
        words = ("--query", f"with:{CLIENTS['li'].id}", "--keep", keep, "--yes", "--json")
        (told,) = life.types(FIRST, "retention", "extend", *words).records
        assert told["changed"] == sum(one.until != until for one, until in before)
        years.run(life.reckons())

    return act


def leaves(chat: str) -> Callable[[Years], None]:
    """Somebody is a client no more."""
    return lambda years: years.life.types(SECOND, "people", "unpair", str(years.life.pairs[chat])) and None


def forget(chat: str, *, number: int) -> Callable[[Years], None]:
    """Somebody asks to be forgotten: each record is answered as the clerk would; what may go, goes."""

    def act(years: Years) -> None:
        life = years.life
        answers = {one.number: life.clerk.kept(one, life.day) for one in life.clerk.of(chat)}
        asking = ("erasure", "request", "--about", CLIENTS[chat].id, "--law", "pipl", "--json")
        (told,) = life.types(SECOND, *asking).records
        assert {one["message"]: set(one["reasons"]) for one in told["answers"]} == answers
        letter = life.asks("erasure", "show", str(number), "--letter", "--from", "A small firm").out
        assert "enquiry" not in letter
        plan = str(told["disposal"])
        if told["disposal"]:
            life.types(PLANNER, "disposal", "approve", plan)
            life.types(FIRST, "disposal", "approve", plan)
            life.types(SECOND, "disposal", "run", plan, why=False)
        for one in life.clerk.of(chat):
            one.gone = not answers[one.number]
        years.erased.append(sum(not why for why in answers.values()))
        years.forgotten |= set() if life.clerk.of(chat) else {chat}
        years.run(life.reckons())

    return act


def away(years: Years) -> None:
    """The folder outside is not there any more."""
    years.life.unmount()


def back(years: Years) -> None:
    """It is there again, and gets what it lacks."""
    years.life.mount()
    years.run(years.life.copy())


def decided(years: Years) -> None:
    """What waited for years is decided, and what never arrived is given up."""
    life = years.life
    (slow,) = [one for one in life.clerk.records if "undecided" in one.open]
    life.types(FIRST, "review", "reject", str(slow.number))
    (stuck,) = [one for one in life.clerk.records if "delivery open" in one.open]
    life.types(FIRST, "outbox", "drop", life.stuck[stuck.number])
    for one in (slow, stuck):
        one.open.clear()
    years.run(life.deliver())
    years.run(life.copy())


def leap(*, gone: bool) -> Callable[[Years], None]:
    """What was said on 29 February, for a year, is there on the morning of 2 March, gone the day after."""

    def act(years: Years) -> None:
        number = years.life.newest("wang", "free").number
        disposed = years.run(years.life.rows(f"SELECT message FROM disposed WHERE message = {number}"))
        assert bool(disposed) is gone

    return act


def hand_out(years: Years) -> None:
    """A package of evidence goes to an authority, and an export to a client."""
    life, year = years.life, years.life.day.year
    numbers = ",".join(str(one.number) for one in life.clerk.there()[:6])
    years.packages.append(make(life.terminal, messages=numbers, name=f"../of-{year}.zip"))
    out = life.folder.with_name(f"export-{year}")
    query = f"with:{CLIENTS['chen' if year < 2029 else 'li'].id}"
    more = ("--format", "jsonl", "--out", str(out), "--approval", "CSRC-1")
    life.types(FIRST, "audit", "export", query, *more)
    years.exports.append(out)


HAPPENS: dict[date, tuple[Callable[[Years], None], ...]] = {
    BEGIN: (policy,),
    date(2026, 12, 31): (hold_wang,),
    date(2027, 2, 1): (hand_out,),
    date(2028, 1, 14): (away,),
    date(2028, 3, 1): (hold_line("deal", "CASE-9", "han"),),
    date(2028, 5, 2): (leaves("chen"),),
    LENGTHENED: (policy,),
    date(2028, 6, 5): (forget("chen", number=1),),
    date(2028, 9, 1): (ends(date(2028, 8, 31)),),
    date(2029, 2, 1): (lift("CASE-7"),),
    date(2029, 2, 20): (hold_line("leap", "CASE-8", "wang"),),
    date(2029, 2, 25): (back,),
    LEAP: (leap(gone=False),),
    date(2029, 3, 3): (leap(gone=True),),
    date(2029, 6, 1): (decided, lift("CASE-9")),
    date(2029, 9, 1): (leaves("sun"),),
    date(2030, 2, 1): (extend("7y"), extend("1y"), hand_out),
    date(2030, 4, 2): (leaves("zhao"),),
    date(2030, 6, 1): (lift("CASE-8"),),
    date(2030, 9, 1): (ends(date(2030, 8, 31)),),
    date(2031, 1, 10): (ends(date(2029, 1, 1)),),
    date(2031, 1, 20): (forget("sun", number=2),),
    FREED: (policy,),
    date(2032, 3, 1): (forget("chen", number=3),),
}


# --- the seven years ------------------------------------------------------------------------------------


def test_seven_years_of_a_small_firm(
    tmp_path: Path,
    engine: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever happens, each record is there, or gone without a trace, as the clerk says, at every look.
    On a server disposals, and looks, are fewer."""
    life = Life(tmp_path, lambda folder: Terminal(folder, capsys))
    url = url_of(life.folder)
    monkeypatch.setattr(compose.WallClock, "now", lambda _: life.clock.now())
    monkeypatch.setenv("WEIGHBRIDGE_STORE_URL", url)
    tables = partial(tables_in, request.getfixturevalue("postgres"), url) if engine == "postgresql" else bytes
    with asyncio.Runner() as runner:
        years = Years(life, runner, engine, tables)
        years.pass_by()
    life.store.close()
    records = life.clerk.records
    assert len(records) == 310
    assert {one.line.chat for one in records if one.gone} == {*CLIENTS, STRANGER}
    assert {one.line.chat for one in life.clerk.there()} == {"li", "wang", "han", "zhao"}
    assert years.alone == REASONS
    assert years.erased[0] > 0
    assert years.forgotten == {"chen"}

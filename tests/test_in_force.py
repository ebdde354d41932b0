"""Policies that come into force while messages flow: what is saved, what is approved, and the red button.

Rules of this file: `weighbridge run` as a process between two mock networks, and the commands that people
type beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon_rig import DEADLINE, PERSON, Place, Running, place, settings_folder, within
from rig import Clock, new_store, opened
from sqlalchemy import Connection, select

from bridge import in_force
from bridge.cli import output, weighbridge
from bridge.cli.output import Exit
from bridge.daemon import Counting
from bridge.errors import ConfigError, PolicyError
from bridge.in_force import GIVE_WAY, InForce, Judging, Law, beside
from bridge.ledger.entry import Entry, decode
from bridge.pipeline import House, Pace
from bridge.policy import PolicySet, load, read
from bridge.proposals import Approval, Bar, Proposal
from bridge.store import proposals, views
from bridge.store import schema as s
from bridge.store.policies import milliseconds
from bridge.store.signing import verifiers
from bridge.store.verify import Finding, verify

PROPOSER = "alice.wong@bank.example"
APPROVED = {"WEIGHBRIDGE_POLICY_ACTIVATION": "approved"}
SMALL = """\
# version {version}
policy: desk
language: 1
title: One word is masked
owner: compliance@bank.example
lists:
  words: {{ words: [{word}], owner: compliance@bank.example, languages: [en] }}
detectors:
  word: {{ type: words, list: words }}
rules:
  - id: one-word
    title: One word is masked
    because: a test
    severity: low
    when: {{ direction: both, finds: word }}
    then: {{ redact: {{ style: fixed }} }}
    tests:
      - {{ given: {word}, expect: redact }}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `weighbridge init` writes, with one small policy in it."""
    folder = settings_folder(tmp_path_factory.mktemp("init") / "bank")
    for path in (folder / "policies").glob("*.yaml"):
        path.unlink()
    save(folder, "alpha", 0)
    return folder


@pytest.fixture
async def here(template: Path, tmp_path: Path) -> AsyncIterator[Place]:
    """Both networks up, people introduced, settings in a folder of their own."""
    async with place(template, tmp_path / "bank") as made:
        yield made


def save(folder: Path, word: str, version: int) -> None:
    """Save the policy as somebody does in an editor: a new file takes the place of the old one."""
    path = folder / "policies/desk.yaml"
    path.with_suffix(".new").write_text(SMALL.format(word=word, version=version))
    path.with_suffix(".new").replace(path)


def entries(db: Connection) -> list[Entry]:
    """Everything the ledger has, in order."""
    return [decode(data) for data in db.scalars(select(s.ledger.c.entry).order_by(s.ledger.c.seq))]


async def typed(here: Place, person: str, *arguments: str) -> int:
    """The exit code of a command that `person` types."""
    who = ["--as", person] if arguments[-2:-1] == ("--reason",) else []
    command = ["--config", str(here.config), *arguments, *who]
    return int(
        await asyncio.to_thread(output.guarded, lambda: weighbridge.main(command, standalone_mode=False))
    )


async def approved(here: Place, number: int) -> None:
    """The files as they are saved, proposed by one person and approved by another."""
    assert await typed(here, PROPOSER, "policy", "propose", "--reason", "a new word") == Exit.DONE
    answer = await typed(here, PERSON, "policy", "approve", str(number), "--all-looser", "--reason", "read")
    assert answer == Exit.DONE


async def status(daemon: Running) -> dict[str, Any]:
    """What /status says."""
    return json.loads((await daemon.page("/status"))[1])


async def gauge(daemon: Running, name: str) -> str:
    """The value of a metric without labels."""
    lines = (await daemon.page("/metrics"))[1].splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"weighbridge_{name} "))


async def sound(here: Place) -> None:
    """The audit has no finding."""
    found: list[Finding] = []
    keys = verifiers([here.folder / "secrets/checkpoint-key.pub"])
    await here.ask(lambda db: verify(db, here.folder / "blobs", found.append, keys=keys))
    assert found == []


# --- the switch -----------------------------------------------------------------------------------------


async def test_twenty_switches_lose_nothing_and_judge_nothing_twice(here: Place) -> None:
    """Both talk while the policy is switched 20 times: each message judged once, by a set in force, whole."""
    async with here.daemon() as daemon:
        await daemon.heard("STATUS=both networks open")
        await called_back(here, daemon)
        for turn in range(1, 21):
            save(here.folder, "alpha" if turn % 2 == 0 else "beta", turn)
            daemon.signal(signal.SIGHUP)
            for part in range(3):
                here.li_lei_writes(f"alpha and beta {turn}.{part}")
                here.alice_writes(f"alpha or beta {turn}.{part}")
            await daemon.logged("policy:activated", turn)
            # He may be written to five times for each time that he wrote.
            await here.alice_sees(f"{turn}.2")
            await here.li_lei_sees(f"{turn}.2")
        ledger = await here.ask(entries)
        numbers = [f"{turn}.{part}" for turn in range(1, 21) for part in range(3)]
        seen = [numbered(here.li_lei_saw()), numbered(here.alice_saw())]
    assert [[text.split()[-1] for text in texts] for texts in seen] == [numbers, numbers]
    _judged_once_by_what_was_in_force(ledger)
    _masked_by_one_set([text for texts in seen for text in texts])
    await sound(here)


async def called_back(here: Place, daemon: Running) -> None:
    """The platform calls when 李雷 writes: nobody waits for the next poll."""
    port = (await daemon.logged("callback:listening"))["port"]
    names = ("token", "aes-key")
    token, key = ((here.folder / f"secrets/weixin-{name}").read_text().strip() for name in names)
    here.platform.set_callback(f"http://127.0.0.1:{port}/weixin/callback", token, key)
    await here.platform.verify_callback()


def numbered(texts: list[str]) -> list[str]:
    """What the two wrote, without the bridge's own notices."""
    return [text for text in texts if re.search(r" [0-9]+\.[0-9]$", text)]


def _judged_once_by_what_was_in_force(ledger: list[Entry]) -> None:
    """One verdict for each message; its set had come into force, and had gone out of it by no more than one
    switch: the batch that was being decided."""
    sets: list[object] = []
    judged: list[object] = []
    for entry in ledger:
        if entry.kind == "policy:activated":
            sets.append(entry.facts["policies"])
        elif entry.kind == "message:judged" and entry.facts["policies"]:
            judged.append(entry.facts["message"])
            assert entry.facts["policies"] in sets[-2:]
    archived = [entry.facts["message"] for entry in ledger if entry.kind == "message:archived"]
    assert len(sets) == 21
    assert judged == archived
    assert len(set(map(str, sets))) == 21


def _masked_by_one_set(texts: list[str]) -> None:
    """Each text has exactly one of the two words: never half of two sets, never none."""
    assert len(texts) == 120
    assert all(("alpha" in text) != ("beta" in text) for text in texts)


async def test_whoever_compiles_gives_way_while_he_does() -> None:
    """The lock changes hands sooner while a set is compiled, and as before afterwards, also when
    the set does not pass."""
    usual, seen = sys.getswitchinterval(), []

    def fails() -> PolicySet:
        seen.append(sys.getswitchinterval())
        raise PolicyError(["a mistake"])

    with pytest.raises(PolicyError):
        await beside(fails)
    assert seen == [pytest.approx(GIVE_WAY)]
    assert sys.getswitchinterval() == pytest.approx(usual)


# --- watch ----------------------------------------------------------------------------------------------


async def test_a_saved_file_decides_without_being_told(here: Place) -> None:
    """Saved and sound: in force, recorded as saved by nobody known. Saved and broken: said everywhere, and
    the one before goes on."""
    async with here.daemon() as daemon:
        await daemon.heard("STATUS=both networks open")
        save(here.folder, "beta", 1)
        await daemon.logged("policy:activated")
        here.alice_writes("alpha, beta")
        await here.li_lei_sees("alpha, ****")
        history = await here.ask(views_history)
        assert (history[-1]["kind"], history[-1]["person"]) == ("policy:activated", "file on disk")

        before = await here.ask(views.policies)
        (here.folder / "policies/desk.yaml").write_text("policy: [")
        refused = await daemon.logged("policy:refused")
        assert refused["count"] >= 1 and "P001" in refused["code"]
        last = (await here.ask(views_history))[-1]
        assert (last["kind"], last["facts"]["code"]) == ("policy:refused", refused["code"])
        assert (await status(daemon))["refused"] >= 1
        assert await gauge(daemon, "policy_refused") == "1.0"
        here.alice_writes("alpha, beta again")
        await here.li_lei_sees("alpha, **** again")
        assert await here.ask(views.policies) == before

        save(here.folder, "alpha", 2)
        await daemon.logged("policy:activated", 2)
        assert daemon.named("policy:accepted")
        assert (await status(daemon))["refused"] == 0
        assert await gauge(daemon, "policy_refused") == "0.0"


async def test_a_saved_list_decides_too(here: Place) -> None:
    """A list file beside the policy counts as the policy does."""
    path = here.folder / "policies/desk.yaml"
    inline = "words: { words: [alpha], owner"
    path.write_text(path.read_text().replace(inline, "words: { file: words.csv, columns: [word], owner"))
    (here.folder / "policies/words.csv").write_text("word\nalpha\n")
    async with here.daemon() as daemon:
        await daemon.heard("STATUS=both networks open")
        (here.folder / "policies/words.csv").write_text("word\nalpha\ngamma\n")
        await daemon.logged("policy:activated")
        here.alice_writes("gamma")
        await here.li_lei_sees("****")


def views_history(db: Connection) -> list[dict[str, Any]]:
    """What happened to the policy."""
    from bridge.store.proposals import history

    return history(db)


# --- approved -------------------------------------------------------------------------------------------


async def test_nothing_runs_before_something_was_approved(here: Place) -> None:
    """The daemon refuses to start, and says which commands are needed."""
    async with here.daemon(**APPROVED) as daemon:
        assert await daemon.ended() == Exit.WRONG
    said = "".join(daemon.raw)
    assert "weighbridge policy propose" in said and "weighbridge policy approve 1" in said


async def test_only_what_was_approved_decides(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved file decides nothing and is an alarm; approved by another and activated it decides; a
    rollback puts the one before back."""
    for name, value in APPROVED.items():
        monkeypatch.setenv(name, value)
    await approved(here, 1)
    assert await typed(here, PERSON, "policy", "activate", "1", "--reason", "begin") == Exit.DONE
    async with here.daemon(**APPROVED) as daemon:
        await daemon.heard("STATUS=both networks open")
        save(here.folder, "beta", 1)
        await daemon.logged("policy:differs")
        assert (await status(daemon))["differs"]
        assert await gauge(daemon, "policy_differs") == "1.0"
        here.alice_writes("alpha, beta")
        await here.li_lei_sees("****, beta")

        await approved(here, 2)
        assert await typed(here, PERSON, "policy", "activate", "2", "--reason", "as agreed") == Exit.DONE
        here.alice_writes("alpha, beta once more")
        await here.li_lei_sees("alpha, **** once more")
        await within(DEADLINE, lambda: no_difference(daemon))

        assert (
            await typed(here, PERSON, "policy", "rollback", "--all-looser", "--reason", "too much")
            == Exit.DONE
        )
        here.alice_writes("alpha, beta at last")
        await here.li_lei_sees("****, beta at last")
        assert [one["change"] for one in daemon.named("policy:activated")] == [1, 2, 1]
    await sound(here)


async def no_difference(daemon: Running) -> bool:
    """The files are what decides."""
    return not (await status(daemon))["differs"]


async def test_what_fell_due_while_no_daemon_ran_is_in_force_from_the_start(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned for a time at which the daemon was down: the first message is judged by it."""
    for name, value in APPROVED.items():
        monkeypatch.setenv(name, value)
    await approved(here, 1)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    arguments = ("policy", "activate", "1", "--at", soon.isoformat(), "--reason", "over night")
    assert await typed(here, PERSON, *arguments) == Exit.DONE
    await within(DEADLINE, lambda: datetime.now(UTC) > soon)
    async with here.daemon(**APPROVED) as daemon:
        await daemon.heard("STATUS=both networks open")
        here.alice_writes("alpha")
        await here.li_lei_sees("****")
        assert (await daemon.logged("policy:activated"))["change"] == 1


# --- inside one process: no daemon, no networks ---------------------------------------------------------

LISTED = SMALL.replace("words: [{word}]", "file: words.csv, columns: [word], stale_after: 1h")


class Small:
    """A store, a folder with policies and a clock, and what is in force there."""

    def __init__(self, folder: Path, activation: str) -> None:
        self.folder, self.activation, self.clock = folder, activation, Clock()
        new_store(folder)
        self.store = opened(folder, self.clock)
        self.begun = self.anew()

    def write(self, text: str, name: str = "desk.yaml") -> Path:
        """Save a policy."""
        path = self.folder / "policies" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def files(self) -> list[Path]:
        """The policy files that are there."""
        found = sorted((self.folder / "policies").glob("*.yaml"))
        if not found:
            raise ConfigError("no file matches")
        return found

    def anew(self) -> InForce:
        """What a daemon that starts now would have."""
        law = Law(
            lambda: load(self.files()),
            lambda: read(self.files())[0],
            (self.folder / "policies",),
            self.activation,
        )
        house = House(self.store, self.clock, Counting(), pace=Pace(look=0.01))
        self.begun = InForce(Judging(), law, house, self.store)
        return self.begun

    async def approve(self) -> int:
        """What is saved, proposed by one and approved by another; gives the number of the change."""
        policies = load(self.files())
        base = await self.store.read(proposals.in_force)
        changed = {
            one.hash: {name: milliseconds(when) for name, when in one.changed.items()}
            for one in policies.sources
        }
        proposal = Proposal(PROPOSER, "a new set", policies.hashes, base, changed=changed)
        number = await self.store.propose(proposal, policies.sources)
        await self.store.approve(number, Approval(PERSON, "read"), Bar())
        return number

    async def in_force(self) -> int:
        """What is saved comes into force, approved, by a daemon."""
        number = await self.approve()
        await self.store.schedule(number, PERSON, "as agreed", 0, Bar())
        await self.store.activate_change(number, Bar())
        return number


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Callable[[str], Small]]:
    """Makes a `Small` for an activation."""
    made: list[Small] = []

    def make(activation: str) -> Small:
        made.append(Small(tmp_path, activation))
        return made[0]

    yield make
    for one in made:
        one.store.close()


@contextlib.asynccontextmanager
async def running(begun: InForce) -> AsyncIterator[None]:
    """What is in force is followed meanwhile."""
    task = asyncio.create_task(begun.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_older_approved_set_does_not_come_back_by_itself(small: Callable[[str], Small]) -> None:
    """Approved once, then another set decided by `watch`: a start in `approved` puts nothing back and lets
    nothing unapproved go on. It names the commands; once they are typed, it starts."""
    here = small("watch")
    here.write(SMALL.format(word="alpha", version=0))
    await here.in_force()
    here.write(SMALL.format(word="beta", version=1))
    await here.begun.begin()
    decides = await here.store.read(proposals.in_force)
    here.activation = "approved"
    with pytest.raises(
        ConfigError, match=r"policy propose(.|\n)*policy approve NUMBER(.|\n)*policy activate"
    ):
        await here.anew().begin()
    assert await here.store.read(proposals.in_force) == decides
    await here.in_force()
    await here.anew().begin()
    assert here.begun.judging.hashes == decides


async def test_a_change_that_is_due_comes_first(small: Callable[[str], Small]) -> None:
    """Approved against what came by `watch`, and due: the start does not move what it was compared with."""
    here = small("watch")
    here.write(SMALL.format(word="alpha", version=0))
    await here.in_force()
    here.write(SMALL.format(word="beta", version=1))
    await here.begun.begin()
    here.write(SMALL.format(word="gamma", version=2))
    number = await here.approve()
    await here.store.schedule(number, PERSON, "as agreed", 0, Bar())
    here.activation = "approved"
    await here.anew().begin()
    assert (await here.store.orders()).active == number
    assert here.begun.judging.hashes == load(here.files()).hashes


async def test_a_list_delivered_again_is_as_old_as_its_file(small: Callable[[str], Small]) -> None:
    """Approved, and too old by its time then: everything would be held, and that is said. The same words
    delivered anew count from their file's time; other words are not what was approved, and do not."""
    here = small("approved")
    path = here.write(LISTED.format(word="alpha", version=0)).with_name("words.csv")
    path.write_text("word\nalpha\n")
    at = here.clock.now() / 1000
    os.utime(path, (at - 7200, at - 7200))
    await here.in_force()
    begun = here.begun
    await begun.begin()
    assert begun.stale == (("desk", "words"),)
    async with running(begun):
        path.write_text("word\nalpha\nbeta\n")
        os.utime(path, (at, at))
        await within(DEADLINE, lambda: begun.differs)
        assert begun.stale == (("desk", "words"),)
        path.write_text("word\nalpha\n")
        os.utime(path, (at, at))
        await within(DEADLINE, lambda: not begun.stale)
        here.clock.at += 7_200_000
        await within(DEADLINE, lambda: begun.stale)


async def test_a_list_that_grows_old_is_said_in_watch_as_well(small: Callable[[str], Small]) -> None:
    """The alarm comes with the hour, and goes when the file is touched."""
    here = small("watch")
    path = here.write(LISTED.format(word="alpha", version=0)).with_name("words.csv")
    path.write_text("word\nalpha\n")
    at = here.clock.now() / 1000
    os.utime(path, (at, at))
    await here.begun.begin()
    assert here.begun.stale == ()
    async with running(here.begun):
        here.clock.at += 7_200_000
        await within(DEADLINE, lambda: here.begun.stale == (("desk", "words"),))
        os.utime(path, (at + 7200, at + 7200))
        await within(DEADLINE, lambda: not here.begun.stale)


async def test_a_file_that_goes_is_said_to_go(
    small: Callable[[str], Small], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it may come back its rules go on; then the record, the log and the status name what was removed,
    until it is back. A start looks too."""
    here = small("watch")
    here.write(SMALL.format(word="alpha", version=0))
    walls = SMALL.format(word="beta", version=0).replace("policy: desk", "policy: walls")
    path = here.write(walls, "walls.yaml")
    await here.begun.begin()
    begun = here.begun
    async with running(begun):
        path.unlink()
        await within(DEADLINE, lambda: begun._gone_since)
        assert len(begun.judging.hashes) == 2
        path.write_text(walls)
        await within(DEADLINE, lambda: not begun._gone_since)
        assert (len(begun.judging.hashes), begun.removed) == (2, ())
        monkeypatch.setattr(in_force, "GRACE", 0.02)
        path.unlink()
        await within(DEADLINE, lambda: begun.removed == ("walls",))
        assert [name for name, _ in begun.judging.hashes] == ["desk"]
        last = (await here.store.read(views_history))[-1]
        assert last["reason"].startswith("removed: walls; ")
        path.write_text(walls)
        await within(DEADLINE, lambda: begun.removed == ())
    path.unlink()
    await here.anew().begin()
    assert here.begun.removed == ("walls",)


HELD = (
    SMALL
    + """\
legal_holds:
  - {{ id: m3, people: [{people}], since: {since}, approved_by: carol@bank.example }}
"""
)
BOTH = "alice.wong@bank.example, bob.li@bank.example"


async def test_a_saved_file_ends_no_legal_hold(small: Callable[[str], Small]) -> None:
    """Neither by going, nor by holding fewer people or a later time, nor over a start; to hold more is done
    at once. Two people end it, as any other."""
    here = small("watch")
    held = HELD.format(word="alpha", version=0, people="alice.wong@bank.example", since="2026-01-01")
    here.write(held)
    await here.begun.begin()
    begun, wider = here.begun, held.replace("alice.wong@bank.example", BOTH)
    async with running(begun):
        here.write(wider)
        await within(DEADLINE, lambda: begun.judging.hashes == load(here.files()).hashes)
        in_force = begun.judging.hashes
        for narrower in (SMALL.format(word="alpha", version=1), held, wider.replace("2026-01", "2026-07")):
            here.write(narrower)
            await within(DEADLINE, lambda: begun.refused == 1)
            assert begun.judging.hashes == in_force
            here.write(wider)
            await within(DEADLINE, lambda: begun.refused == 0)
    here.write(SMALL.format(word="alpha", version=1))
    with pytest.raises(ConfigError, match=r"legal hold desk/m3: removed\. A saved file ends no legal hold"):
        await here.anew().begin()
    here.activation = "approved"
    await here.in_force()
    here.activation = "watch"
    await here.anew().begin()
    assert here.begun.judging.hashes == load(here.files()).hashes


@pytest.mark.parametrize("activation", ["watch", "approved"])
async def test_an_edit_that_keeps_time_and_size_is_seen(
    small: Callable[[str], Small], monkeypatch: pytest.MonkeyPatch, activation: str
) -> None:
    """Once in a while it is read what the files say: in watch it decides, in approved it is an alarm."""
    here = small(activation)
    path = here.write(SMALL.format(word="alpha", version=0))
    await here.in_force()
    begun = here.begun
    await begun.begin()
    decides, at = begun.judging.hashes, path.stat()
    monkeypatch.setattr(in_force, "READ_AGAIN", 0.0)
    async with running(begun):
        path.write_text(SMALL.format(word="gamma", version=0))
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
        assert path.stat().st_size == at.st_size
        seen = (
            (lambda: begun.differs) if activation == "approved" else lambda: begun.judging.hashes != decides
        )
        await within(DEADLINE, seen)


# --- the red button -------------------------------------------------------------------------------------


async def test_the_red_button_stops_both_directions_and_lasts(here: Place) -> None:
    """Frozen: what is written is archived and held, nothing goes out, also after a restart. Thawed: what
    comes passes again, what was held waits for its reviewer, still masked."""
    async with here.daemon() as daemon:
        await daemon.heard("STATUS=both networks open")
        await here.alice_sees("你好")
        assert await typed(here, PERSON, "freeze", "--reason", "a leak") == Exit.DONE
        await daemon.logged("house:frozen")
        assert (await status(daemon))["frozen"]
        assert await gauge(daemon, "frozen") == "1.0"
        here.alice_writes("alpha while frozen")
        here.li_lei_writes("结冰时")
        await daemon.logged("message:stopped", 2)
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == Exit.DONE
    async with here.daemon() as daemon:
        await daemon.heard("STATUS=both networks open")
        here.alice_writes("frozen still")
        await daemon.logged("message:stopped")
        assert (here.li_lei_saw(), len(here.alice_saw())) == ([], 1)
        assert await typed(here, PERSON, "unfreeze", "--reason", "it was none") == Exit.DONE
        await daemon.logged("house:unfrozen")
        here.alice_writes("alpha after it")
        await here.li_lei_sees("**** after it")
        held = await here.ask(views.held)
        assert len(held) == 3
        number = str(min(one.message for one in held))
        assert await typed(here, PERSON, "review", "release", number, "--reason", "harmless") == Exit.DONE
        await here.li_lei_sees("**** while frozen")
    await sound(here)

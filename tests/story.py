"""A small store with a bit of everything in it, made through the store's own doors: for tests that read it.

Rules of this file: no network and no policy; verdicts are written by hand. The clock moves by one
millisecond whenever it is read, so that no two transactions have the same time.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from bridge.cli import output, weighbridge
from bridge.message import (
    SYMPHONY,
    WEIXIN,
    Annotation,
    Archived,
    Batch,
    Blob,
    Cause,
    Content,
    File,
    Kind,
    Match,
    Message,
    Outcome,
    Party,
    Receipt,
    Sample,
    Verdict,
)
from bridge.notary import Notary
from bridge.people import Pair
from bridge.policy import Source
from bridge.policy.changes import Change, Direction
from bridge.ports import Attempt, Claim, Ruling, Step
from bridge.proposals import Approval, Bar, Proposal
from bridge.store import proposals
from bridge.store.anchors import AnchorFolder
from bridge.store.database import Database, create
from bridge.store.signing import signing_key
from bridge.witnesses.shelf import OnShelf

START = 1_790_000_000_000  # milliseconds: a day in September 2026
REVIEWER = "bob.li@bank.example"
STREAM, ACCOUNT, CONTACT = "room-li-lei", "wkWealth", "wmLiLei"
CHAT = f"{ACCOUNT}/{CONTACT}"
ENTRIES = 280
"""How many facts the varied store's ledger has."""

POLICIES = (("cards", "a" * 64),)
LOOSENED = (Change(Direction.LOOSER, "cards", "rule", "card", "mode", "enforce", "monitor"),)

ALICE = Party(SYMPHONY, "7001", "Alice Wong", "alice.wong@bank.example", "en")
LI_LEI = Party(WEIXIN, CONTACT, "李雷", "", "zh-Hans")

SHOWN: dict[str, Content] = {}
"""What the networks of these stories were given to show, by permit: kept by them, not by any store."""


@dataclass
class Ticking:
    """A clock that moves by a millisecond whenever somebody looks."""

    at: int = START

    def now(self) -> int:
        """The next millisecond."""
        self.at += 1
        return self.at


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """An attachment's bytes, as a connector gives them."""
    yield data


@dataclass
class Story:
    """A store under way: what people write, what is decided, what becomes of it."""

    folder: Path
    clock: Ticking = field(default_factory=Ticking)
    ids: itertools.count = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.url = f"sqlite:///{self.folder / 'weighbridge.db'}"
        self.blobs = self.folder / "blobs"
        create(self.url, self.clock.now())
        self.store = Database(self.url, self.blobs, self.clock)

    async def sign(self) -> None:
        """What was written so far is signed, and left in a folder beside the database."""
        signer = signing_key(self.folder / "secrets/checkpoint-key", 1)
        kept = self.folder / "checkpoints"
        notary = Notary(signer, self.store, [OnShelf(AnchorFolder(kept), str(kept), 0.0, signer, 1)], 60.0)
        await notary.round()
        assert notary.trouble() == ""

    async def begin(self) -> None:
        """A daemon owns the lane, a policy decides, and Alice is paired with 李雷."""
        await self.store.own("daemon")
        await self.store.activate_policy(POLICIES, "daemon", "started")
        await self.pair()

    async def pair(self, stream: str = STREAM, contact: Party = LI_LEI, account: str = ACCOUNT) -> int:
        """Alice and a contact may talk; gives the pair's number."""
        two = Pair(ALICE, stream, contact, account)
        return await self.store.make_pair(two.record(), REVIEWER, "known client")

    async def propose(self, name: str) -> int:
        """Alice proposes what is in force anyway, under another comment; gives the change's number."""
        source = Source(f"{name}.yaml", f"# {name}\npolicy: cards\n".encode(), {"words.csv": b"word\n"})
        proposal = Proposal(ALICE.address, name, POLICIES, POLICIES, LOOSENED)
        return await self.store.propose(proposal, [source])

    async def agree(self, number: int) -> None:
        """The reviewer approves a change."""
        await self.store.approve(number, Approval(REVIEWER, "read it", ticked=("L1",)), Bar())

    def says(self, text: str, **fields: object) -> Message:
        """Something Alice writes."""
        fields = {"sender_name": ALICE.name, "address": ALICE.address} | fields
        number = next(self.ids)
        return Message(SYMPHONY, f"s{number}", STREAM, ALICE.id, self.clock.at, text=text, **fields)

    def answers(self, text: str, **fields: object) -> Message:
        """Something 李雷 writes."""
        return Message(WEIXIN, f"w{next(self.ids)}", CHAT, CONTACT, self.clock.at, text=text, **fields)

    async def archive(self, *messages: Message) -> None:
        """The networks show these messages, each in a batch of its own."""
        for message in messages:
            await self.store.archive(Batch(message.network, (message,), cursors={"main": message.id}))

    async def judge(self, *answers: Verdict, notice: str = "") -> Sequence[Archived]:
        """Rule on what waits, in order; messages beyond the `answers` given are delivered as they are."""
        waiting = await self.store.unjudged(100)
        chosen = itertools.chain(answers, itertools.repeat(None))
        pairs = zip(waiting, chosen, strict=False)
        await self.store.record_rulings([Ruling(one, answer or passed(one), notice) for one, answer in pairs])
        return waiting

    async def claim(self) -> list[Claim]:
        """Take every delivery that is due."""
        return [*await self.store.claim(SYMPHONY, 9), *await self.store.claim(WEIXIN, 9)]

    async def deliver(self) -> None:
        """Send everything that is due, until nothing is."""
        while claims := await self.claim():
            await self.store.record_attempts([self.sent(claim) for claim in claims])

    def sent(self, claim: Claim, *, found: bool = False) -> Attempt:
        """The network took it."""
        SHOWN[claim.permit.id] = claim.permit.content
        receipt = Receipt((f"out{next(self.ids)}",), found)
        return Attempt(claim.permit, Step.SEND, claim.traffic, receipt)

    async def refuse(self, step: Step, reason: str, **more: object) -> str:
        """The one delivery that is due is not taken; gives its permit."""
        (claim,) = await self.claim()
        await self.store.record_attempts(
            [Attempt(claim.permit, step, claim.traffic, reason=reason, **more)],
        )
        return claim.permit.id

    async def keep_file(self, data: bytes) -> None:
        """The one attachment that is wanted arrives."""
        (wanted,) = await self.store.wanted_files(SYMPHONY, 9)
        digest, size = await self.store.keep(pieces(data), 1000)
        file = wanted.file
        await self.store.settle_file(wanted, Blob(digest, size, file.name, file.kind, file.media_type))

    async def lose_file(self) -> None:
        """The one attachment that is wanted cannot be had."""
        (wanted,) = await self.store.wanted_files(SYMPHONY, 9)
        await self.store.settle_file(wanted, None, "gone")


def passed(one: Archived) -> Verdict:
    """Nothing to say against it."""
    return Verdict(Outcome.DELIVER, Cause.DEFAULT, one.message.text, policies=POLICIES)


def ruled(outcome: Outcome, text: str, *spans: tuple[int, int]) -> Verdict:
    """A rule found something at `spans`; `text` is what may be delivered."""
    found = Match("cards", "card", "Payment card numbers", outcome, True, ("payment_card",), spans, "a card")
    return Verdict(outcome, Cause.RULE, text, "rule card of policy cards", (found,), policies=POLICIES)


def held(text: str, *spans: tuple[int, int]) -> Verdict:
    """A rule holds the message."""
    return ruled(Outcome.HOLD, text, *spans)


async def varied(folder: Path) -> Story:
    """Text both ways, edits, recalls, files, holds decided and open, blocks, parked and failed deliveries."""
    story = Story(folder)
    await story.begin()
    for part in (_talk, _hold, _trouble, _follow, _leftovers, _changes):
        await part(story)
        await story.sign()
    return story


async def _talk(story: Story) -> None:
    """What passes: text, an edit, a masked number, an attachment, one that is gone, a notice."""
    first = story.says("Good morning 李雷")
    await story.archive(first, story.answers("你好！", raw=b'{"msgtype":"text"}'))
    await story.judge()
    await story.deliver()
    await story.archive(story.says("Good morning, 李雷", replaces=first.id))
    await story.judge()
    await story.archive(story.answers("卡号 4111111111111111", refers_to="out2", quote="Good morning"))
    await story.judge(ruled(Outcome.REDACT, "卡号 ************1111", (3, 19)))
    await story.deliver()
    await story.archive(story.says("The report", files=(File("ref-1", "report.pdf", Kind.FILE),)))
    await story.keep_file(b"%PDF-1.7 a report")
    await story.judge()
    await story.archive(story.says("And this", files=(File("ref-2", "lost.png", Kind.IMAGE),)))
    await story.lose_file()
    verdict = Verdict(Outcome.HOLD, Cause.FAILURE, "And this", "1 attachment(s) could not be read")
    await story.judge(verdict, notice="Your message is held for review.")
    await story.deliver()
    await story.archive(Message(WEIXIN, "n1", CHAT, CONTACT, START, Kind.NOTE, "entered the chat"))
    await story.judge()


async def _hold(story: Story) -> None:
    """What waits for a person: released, passed as written, rejected, recalled, and one still open."""
    messages = [story.says(f"{word} 4111111111111111") for word in ("one", "two", "six", "ten", "odd")]
    numbers = []
    for message in messages:
        await story.archive(message)
        verdict = held(f"{message.text[:3]} ****", (4, 20))
        numbers += [one.seq for one in await story.judge(verdict, notice="Held.")]
    await story.deliver()
    decide = story.store.decide_hold
    await decide(numbers[0], REVIEWER, "his own card", passed=True)
    await decide(numbers[1], REVIEWER, "a test number", passed=True, as_written=True)
    await decide(numbers[2], REVIEWER, "not by chat", passed=False)
    await story.deliver()
    await story.archive(story.says("[Recalled]", kind=Kind.RECALL, refers_to=messages[3].id))
    await story.judge()
    await story.archive(story.says("blocked outright"))
    await story.judge(ruled(Outcome.BLOCK, "", (0, 7)), notice="Not delivered.")
    await story.archive(story.says("after a gap"))
    await story.judge()
    await story.deliver()


async def _trouble(story: Story) -> None:
    """What the networks refuse: waiting, parked, failed, retried, dropped, looked up."""
    await story.archive(story.says("too late"))
    await story.judge()
    await story.refuse(Step.WAIT, "window", notice="window")
    await story.deliver()
    await story.archive(story.answers("我在"))
    await story.judge()
    await story.deliver()
    for text in ("to be tried again", "to be given up", "to stay"):
        await story.archive(story.says(text))
        await story.judge()
        part = Receipt((f"part{next(story.ids)}",))
        permit = await story.refuse(Step.PARK, "compliance", receipt=part, notice="compliance")
        if text.endswith("again"):
            await story.store.retry_delivery(permit, REVIEWER, "the account was unblocked")
        if text.endswith("up"):
            await story.store.drop_delivery(permit, REVIEWER, "said by telephone")
        await story.deliver()
    await _late_failures(story)


async def _late_failures(story: Story) -> None:
    """Two deliveries that the network took and then failed: one stays, one is sent anew."""
    for text in ("lost on the way", "lost, then sent anew"):
        await story.archive(story.says(text))
        await story.judge()
        (claim,) = await story.claim()
        attempt = story.sent(claim, found=True)
        await story.store.record_attempts([attempt])
        lost = attempt.receipt.ids[0]
        await story.archive(story.answers("", kind=Kind.FAILED, refers_to=lost))
        await story.judge()
        await story.deliver()
    await story.store.retry_delivery(claim.permit.id, REVIEWER, "they have unblocked us")
    await story.deliver()


async def _follow(story: Story) -> None:
    """What follows from verdicts: texts below, consent, staff, deadlines, and messages drawn for review."""
    advice = Annotation("cards/advice", {"en": "Not advice.", "zh-Hans": "不构成建议。"})
    sample = Sample("cards/daily", "supervision", 25.0)
    for number in range(5):
        await story.archive(story.says(f"idea {number}"))
        passing = Verdict(Outcome.ANNOTATE, Cause.RULE, f"idea {number}", policies=POLICIES)
        await story.judge(replace(passing, annotations=(advice,), samples=(sample,)))
    await story.archive(story.says("may I?"))
    await story.judge(
        replace(held("may I?"), gated=True, ask={"en": "Do you agree?", "zh-Hans": "您同意吗？"})
    )
    await story.archive(story.answers("同意"))
    await story.judge(replace(passed_text("同意"), agreed=("cards",)))
    await story.judge()
    await _late(story)
    story.clock.at += 86_400_000
    day = datetime.fromtimestamp(START / 1000, UTC).date()
    drawn = await story.store.draw_samples(day, REVIEWER, "daily supervision")
    await story.store.close_sample(drawn[0], REVIEWER, "nothing to object to")
    await story.archive(story.says("the next day"))
    await story.judge(replace(passed_text("the next day"), samples=(sample,)))
    await story.deliver()


async def _late(story: Story) -> None:
    """Two holds that nobody decided in time, and one of them decided after all."""
    numbers = []
    for word, if_late in (("slow", "escalate"), ("slower", "block")):
        verdict = replace(held(word), queue="control-room", decide_within=60_000, if_late=if_late)
        await story.archive(story.says(word))
        numbers += [one.seq for one in await story.judge(replace(verdict, notify=(REVIEWER,)))]
    story.clock.at += 60_000
    await story.store.settle_late()
    await story.store.decide_hold(numbers[0], REVIEWER, "late, but fine", passed=True)


def passed_text(text: str) -> Verdict:
    """Nothing to say against this text."""
    return Verdict(Outcome.DELIVER, Cause.DEFAULT, text, policies=POLICIES)


async def _leftovers(story: Story) -> None:
    """Under way when the daemon stops: a stranger, another pair ended, claimed, due, unjudged, a file."""
    other = Party(WEIXIN, "wmHanMei", "韩梅梅", "", "zh-Hans")
    number = await story.pair("room-han", other)
    await story.store.end_pair(number, REVIEWER, "moved to another bank")
    stranger = Message(WEIXIN, "w-stranger", f"{ACCOUNT}/wmStranger", "wmStranger", START, text="在吗？")
    await story.archive(stranger)
    verdict = Verdict(Outcome.HOLD, Cause.DEFAULT, "在吗？", "the people are not an approved pair")
    await story.judge(verdict)
    await story.archive(story.says("on its way"))
    await story.judge()
    await story.claim()
    await story.archive(story.says("next in line"))
    await story.judge()
    await story.archive(story.says("", files=(File("ref-3", "photo.jpg", Kind.IMAGE),)))
    await story.archive(story.answers("还没看"))


async def _rolled_back(store: Database) -> int:
    """Back to the set before: the number of its change."""
    to = await store.read(lambda db: proposals.change(db, proposals.way_back(db)))
    base = await store.read(proposals.in_force)
    return await store.roll_back(Proposal(REVIEWER, "it held everything", to.proposal.policies, base))


async def _changes(story: Story) -> None:
    """Changes of the policy in every state, and a freeze that was lifted. What decides is as it was."""
    store = story.store
    for name in ("first", "second", "third"):
        number = await story.propose(name)
        await story.agree(number)
        await store.schedule(number, REVIEWER, "as agreed", 0, Bar())
        await store.activate_change(number, Bar())
    await store.activate_change(await _rolled_back(store), Bar())
    open_, rejected, withdrawn = [await story.propose(name) for name in ("open", "too wide", "a mistake")]
    await story.agree(open_)
    await store.schedule(open_, REVIEWER, "over night", story.clock.at + 86_400_000, Bar())
    await store.end_change(rejected, REVIEWER, "too wide", "reject")
    await store.end_change(withdrawn, ALICE.address, "a mistake", "withdraw")
    await story.propose("to be read")
    await store.freeze(REVIEWER, "a leak")
    await store.unfreeze(REVIEWER, "it was none")


# --- copies, and a terminal on them ---------------------------------------------------------------------


@functools.cache
def _told() -> Path:
    """A folder with the varied store in it, made once."""
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-story-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def tell() -> None:
        (await varied(folder)).store.close()

    asyncio.run(tell())
    return folder


def copy_of_the_story(folder: Path) -> Path:
    """A copy of the varied store in `folder`, to read or to spoil; gives the database's path."""
    shutil.copytree(_told(), folder, dirs_exist_ok=True)
    return folder / "weighbridge.db"


class Answer(NamedTuple):
    """What a command answered: exit code, and what it printed where."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict]:
        """The JSON objects printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Terminal:
    """A person who types commands, with the settings and the store of `folder`."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        self.settings("")

    def settings(self, more: str) -> None:
        """Write the settings file, with `more` behind what names the store."""
        store = f'[store]\nurl = "sqlite:///{self.folder}/weighbridge.db"\nblobs = "{self.folder}/blobs"\n'
        (self.folder / "weighbridge.toml").write_text(store + more)

    def type(self, *arguments: str) -> Answer:
        """Run a command in this process, as `main` does."""
        self.capsys.readouterr()
        typed = ["--config", str(self.folder / "weighbridge.toml"), *arguments]
        code = output.guarded(lambda: weighbridge.main(typed, standalone_mode=False))
        return Answer(int(code), *self.capsys.readouterr())

    def hide_everything(self) -> None:
        """Doctor the search index, so that it has no word of any message and does not show that."""
        self.type("audit", "reindex")
        for month in (self.folder / "search").glob("20*.db"):
            with contextlib.closing(sqlite3.connect(month)) as db:
                db.execute("INSERT INTO words(words) VALUES ('delete-all')")
                db.commit()

"""The policy bench: our engine, a loop over Python's `re`, and other people's engines, in one run.

Rules of this file: everybody gets the same messages, entries and requests, and whoever finds or decides
something else than the plain meaning says, is not measured but refused. Processor time is counted, not the
clock. Ratios of one run are worth comparing; absolute figures belong to the machine.

    content      finding words and patterns in messages; ours also with its folding, and as a whole verdict
    attributes   deciding requests by rules over people, hours and sizes: ours writes a whole verdict
    verdict      the shipped desk policy, from the message to the record
    hostile      texts made to be slow
    swap         a policy of many words is compiled beside a judge at work
"""

from __future__ import annotations

import datetime
import functools
import gc
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.cli.bench import matter
from bridge.cli.bench.traffic import BenchFailed
from bridge.cli.init import policy_source
from bridge.message import SYMPHONY, WEIXIN, Context, Inspection, Kind, Message, Outcome, Party, Route
from bridge.policy import PolicySet, Source, assemble, load
from bridge.policy.detectors import Scan
from bridge.policy.folding import Folded
from bridge.policy.judge import judge

Row = dict[str, Any]
NOW = datetime.datetime(2026, 1, 5, 4, 0, tzinfo=datetime.UTC)
ALICE = Party(SYMPHONY, "1", "Alice Wong", "alice.wong@bank.example", "en")
CLIENT = Party(WEIXIN, "wmLiLei", "李雷", "", "zh-Hans")
CONTEXT = Context("to_weixin", Route(ALICE, CLIENT, WEIXIN, "wkDesk/wmLiLei"))
SECONDS = 1.0
"""Processor time that a slow engine may take for one size; it sees fewer messages then."""
RIVALS = Path(__file__).with_name("rivals.py")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `python` runs the rivals (None: they are left out)."""

    messages: int = 20_000
    sizes: tuple[int, ...] = (100, 1_000, 10_000)
    requests: int = 100_000
    few: int = 50
    words: int = 10_000
    python: Path | None = None


def run(plan: Plan, tell: Callable[[Row], None]) -> None:
    """Measure everything, row by row. Raises `BenchFailed` when an engine finds or decides otherwise."""

    def say(row: Row) -> None:
        tell({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})

    gc.freeze()  # what was there before is not looked through again between measurements
    try:
        for size in plan.sizes:
            _content(plan, size, say)
        _attributes(plan, say)
        for row in (*_verdicts(plan), *_hostile(), _swap(plan.words)):
            say(row)
    finally:
        gc.unfreeze()


def _cpu(work: Callable[[Any], Any], items: Sequence[Any], rounds: int = 3) -> tuple[float, list[Any]]:
    """Microseconds of processor time for one item (best of some rounds), and the answers."""
    answers = [work(item) for item in items[:200]]
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        started = time.process_time()
        answers = [work(item) for item in items]
        best = min(best, time.process_time() - started)
    return best / len(items) * 1e6, answers


# --- content --------------------------------------------------------------------------------------------


def policy_of(entries: matter.Entries) -> PolicySet:
    """A policy that holds whatever `entries` find. Raises PolicyError."""
    words = "\n".join(f"      - '{word}'" for word in entries.words)
    patterns = "\n".join(
        f"  p{number}: {{ type: pattern, pattern: '{text}' }}" for number, text in enumerate(entries.patterns)
    )
    finds = ", ".join(["w", *(f"p{number}" for number in range(len(entries.patterns)))])
    text = (
        "policy: bench\nlanguage: 1\ntitle: bench\nowner: bench@bank.example\nlists:\n  ws:\n    words:\n"
        f"{words}\ndetectors:\n  w: {{ type: words, list: ws }}\n{patterns}\n"
        "rules:\n  - id: found\n    title: found\n    because: bench\n    severity: low\n"
        f"    when: {{ direction: both, finds: [{finds}] }}\n    then: {{ hold: true }}\n"
    )
    return assembled(text)


def assembled(text: str) -> PolicySet:
    """The policy that is written so. Raises BenchFailed with what is wrong."""
    policies, problems = assemble([Source("bench.yaml", text.encode())])
    errors = [problem for problem in problems if problem.severity == "error"]
    if policies is None or errors:
        raise BenchFailed(f"the bench's own policy is not one: {errors[:1]}")
    return policies


def _content(plan: Plan, size: int, tell: Callable[[Row], None]) -> None:
    entries = matter.entries(size)
    texts = matter.messages(plan.messages, entries)
    started = time.process_time()
    policies = policy_of(entries)
    built = time.process_time() - started
    folded = [Folded(text) for text in texts]
    us, found = _cpu(lambda one: bool(Scan([one], policies.engine, NOW).candidates()), folded)
    truth = [number for number, hit in enumerate(found) if hit]
    ours = {"kind": "content", "engine": "weighbridge", "entries": size, "build_s": built}
    tell({**ours, "us": us, "messages": len(texts), "found": len(truth), "ratio": 1.0})
    folding = _cpu(lambda text: bool(Scan([Folded(text)], policies.engine, NOW).candidates()), texts)[0]
    tell({**ours, "engine": "weighbridge, with folding", "us": folding, "messages": len(texts)})
    judging = _cpu(lambda text: judge(policies, _message(text), CONTEXT, NOW), texts[: plan.messages // 4])[0]
    tell({**ours, "engine": "weighbridge, whole verdict", "us": judging, "messages": plan.messages // 4})
    for row in (_loop(entries, texts, size), *_rivals(plan, _work(entries, texts, plan, size))):
        _agree(row, truth, texts)
        tell({**row, "found": len(row["found"]), "ratio": row["us"] / us})


def _message(text: str, number: int = 1) -> Message:
    return Message(SYMPHONY, f"m{number}", "stream", ALICE.id, 0, text=text, address=ALICE.address)


def _loop(entries: matter.Entries, texts: Sequence[str], size: int) -> Row:
    """One compiled `re` for each entry, each asked: what a page of Python does."""
    started = time.process_time()
    sought = [re.compile(re.escape(word), re.IGNORECASE) for word in entries.words]
    sought += [re.compile(text, re.IGNORECASE) for text in entries.patterns]
    built = time.process_time() - started

    def search(text: str) -> bool:
        return sum(one.search(text) is not None for one in sought) > 0  # all of them, as a trace needs

    started = time.process_time()
    search(texts[0])
    few = texts[: max(20, min(len(texts), int(SECONDS / max(time.process_time() - started, 1e-6))))]
    us, found = _cpu(search, few, rounds=1)
    hits = [number for number, hit in enumerate(found) if hit]
    return {"kind": "content", "engine": "re loop", "version": sys.version.split()[0], "entries": size,
            "us": us, "messages": len(few), "build_s": built, "found": hits}  # fmt: skip


def _work(entries: matter.Entries, texts: Sequence[str], plan: Plan, size: int) -> Row:
    # presidio needs milliseconds for a thousand entries: beyond that there is nothing to learn from it.
    engines = ["hyperscan", "presidio"] if size <= 1_000 else ["hyperscan"]
    return {"engines": engines, "messages": texts, "few": plan.few, **asdict(entries)}


def _agree(row: Row, truth: Sequence[int], texts: Sequence[str]) -> None:
    """Whoever saw a message must have found something in it exactly when we did."""
    seen = row["messages"]
    ours, theirs = {number for number in truth if number < seen}, set(row["found"])
    if ours != theirs:
        odd = min(ours ^ theirs)
        who = "we" if odd in ours else row["engine"]
        raise BenchFailed(f"only {who} found something in message {odd}: {texts[odd]!r}")


def _rivals(plan: Plan, work: Row) -> Iterator[Row]:
    """What other engines did, each measured in one process beside this one. Nothing without them."""
    if plan.python is None:
        return
    command = [str(plan.python), str(RIVALS)]
    answer = subprocess.run(command, input=json.dumps(work), capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchFailed(f"the other engines failed: {answer.stderr.strip().splitlines()[-1:]}")
    yield from map(json.loads, answer.stdout.splitlines())


# --- attributes -----------------------------------------------------------------------------------------


def wall_policy(walls: Sequence[matter.Wall]) -> PolicySet:
    """One rule for each wall, in our language. Raises BenchFailed."""
    desks = "\n".join(
        f'  desk{n}: {{ symphony: ["*@desk{n}.bank.example"] }}' for n in sorted({w.desk for w in walls})
    )
    firms = "\n".join(f'  firm{n}: {{ weixin: ["tag:firm{n}"] }}' for n in sorted({w.firm for w in walls}))
    rules = "\n".join(map(_wall_rule, range(len(walls)), walls))
    return assembled(
        "policy: bench\nlanguage: 1\ntitle: bench\nowner: bench@bank.example\n"
        f"groups:\n{desks}\n{firms}\nrules:\n{rules}\n"
    )


def _wall_rule(number: int, wall: matter.Wall) -> str:
    hours = f"{wall.start:02}:00-{wall.end:02}:00"
    when = (
        f'direction: to_weixin, sender: "*@desk{wall.desk}.bank.example", recipient: "tag:firm{wall.firm}", '
        f'outside: {{ hours: "{hours}" }}, files: {{ larger_than: {wall.size >> 20}MB }}, '
        f"edited: {str(wall.edited).lower()}"
    )
    return (
        f"  - {{ id: wall{number}, title: wall, because: bench, severity: low, when: {{ {when} }}, "
        "then: { block: true } }"
    )


def _asked(request: matter.Request) -> tuple[Message, Context, datetime.datetime]:
    address = f"alice.wong@desk{request.desk}.bank.example"
    sender = Party(SYMPHONY, "1", "Alice Wong", address, "en")
    client = Party(WEIXIN, "wmLiLei", "李雷", "", "zh-Hans", frozenset({f"firm{request.firm}"}))
    message = Message(
        SYMPHONY, "m1", "stream", "1", 0, Kind.FILE, address=address, replaces="m0" if request.edited else ""
    )
    context = Context(
        "to_weixin",
        Route(sender, client, WEIXIN, "wkDesk/wmLiLei"),
        inspections=(Inspection("a.pdf", "pdf", request.size, "pdf"),),
    )
    return message, context, NOW.replace(hour=request.hour)


def _attributes(plan: Plan, tell: Callable[[Row], None]) -> None:
    walls = matter.walls(100)
    asked = matter.requests(plan.requests, walls)
    truth = [number for number, one in enumerate(asked) if any(wall.stops(one) for wall in walls)]
    policies = wall_policy(walls)
    prepared = [_asked(request) for request in asked]
    us, verdicts = _cpu(lambda one: judge(policies, *one).outcome, prepared, rounds=1)
    stopped = [number for number, outcome in enumerate(verdicts) if outcome is Outcome.BLOCK]
    ours = {"kind": "attributes", "engine": "weighbridge, whole verdict", "rules": len(walls), "us": us}
    work = {"engines": ["cedarpy", "casbin"], "walls": [asdict(wall) for wall in walls]}
    rows = [{**ours, "requests": len(asked), "stopped": stopped}]
    rows += _rivals(plan, {**work, "requests": [asdict(request) for request in asked]})
    for row in rows:
        if row["stopped"] != truth:
            odd = min(set(row["stopped"]) ^ set(truth))
            raise BenchFailed(f"{row['engine']} decides request {odd} otherwise: {asked[odd]}")
        tell({**row, "stopped": len(row["stopped"]), "ratio": row["us"] / us})


@functools.cache
def shipped(name: str = "*") -> PolicySet:
    """The policies that come with the product, or one of them."""
    return load(sorted(policy_source().glob(f"{name}.yaml")))


# --- our own --------------------------------------------------------------------------------------------


def _verdicts(plan: Plan) -> Iterator[Row]:
    """The shipped policies on the bench's messages, folding, matching, rules and trace."""
    texts = matter.messages(min(plan.messages, 5_000), matter.entries(100))
    for policies in (shipped("hk-equities"), shipped()):
        us, _ = _cpu(lambda text, policies=policies: judge(policies, _message(text), CONTEXT, NOW), texts)
        what = " + ".join(sorted(name for name, _ in policies.hashes))
        yield {"kind": "verdict", "policies": what, "us": us, "messages": len(texts)}


HOSTILE: Mapping[str, str] = {
    "digits": "4111111111111111" * 13,
    "separated digits": "4-1 1-1 " * 25,
    "combining marks": "a" + "\u0301" * 199,
    "zero-width": "内\u200b幕\u200d消\u2060息\ufeff" * 25,
    "look-alikes": "аеорсухіԁ" * 22,
    "one letter": "a" * 200,
    "brackets": "([{" * 67,
    "addresses": "a@b." * 50,
    "links": "http://" * 28,
    "ligatures": "ﷺ" * 200,
    "widths": "Ａ１" * 100,
    "split characters": "女口木目亻尔" * 33,
    "surrogates of nothing": "\U000e0041" * 200,
    "base58": "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf" * 6,
    "pinyin": "jia wo wei xin " * 13,
}
"""Texts of up to 200 characters, each meant to make one part slow."""


def _hostile() -> Iterator[Row]:
    """The slowest text, by the shipped policies: the median of some tries, for the clock is no judge."""
    policies = shipped()
    for name, text in HOSTILE.items():
        message = _message(text[: matter.SIZE])
        judge(policies, message, CONTEXT, NOW)
        times = [_once(policies, message) for _ in range(25)]
        yield {"kind": "hostile", "text": name, "us": statistics.median(times)}


def _once(policies: PolicySet, message: Message) -> float:
    started = time.perf_counter_ns()
    judge(policies, message, CONTEXT, NOW)
    return (time.perf_counter_ns() - started) / 1e3


def _swap(count: int) -> Row:
    """The longest that a judge had to wait while a thread compiled `count` words, and how long that took."""
    words = matter.Entries(matter.entries(count * 5 // 4).words, [])
    policies = shipped()
    message = _message(matter.messages(1, words)[0])
    quiet = _longest_wait(policies, message, lambda: time.sleep(1.0))
    took: list[float] = []

    def compile_them() -> None:
        started = time.perf_counter()
        policy_of(words)
        took.append(time.perf_counter() - started)

    busy = _longest_wait(policies, message, compile_them)
    return {
        "kind": "swap", "words": len(words.words), "compile_s": took[0], "longest_wait_ms": busy,
        "longest_wait_quiet_ms": quiet,
    }  # fmt: skip


def _longest_wait(policies: PolicySet, message: Message, beside: Callable[[], None]) -> float:
    """Milliseconds of the slowest of many verdicts, one a millisecond, while `beside` runs in a thread."""
    worker = threading.Thread(target=beside)
    worker.start()
    longest = 0.0
    while worker.is_alive():
        longest = max(longest, _once(policies, message) / 1e3)
        time.sleep(0.001)
    worker.join()
    return longest


def rivals_python(folder: Path) -> Path | None:
    """The interpreter of the rivals' environment in `folder`; None when there is none."""
    python = folder / "bin/python"
    return python if python.exists() else None

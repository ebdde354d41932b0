"""What a draft changes: no key is passed over, and the classes are true of verdicts."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from policy_rig import NOW, message, weigh
from proportion import in_proportion
from pydantic import ValidationError

from bridge.message import SYMPHONY, WEIXIN, File, Inspection, Kind, Outcome
from bridge.policy import PolicySet
from bridge.policy import language as lang
from bridge.policy.changes import Change, Direction
from bridge.policy.comparison import compare
from bridge.policy.compiled import Draft, build
from bridge.policy.loader import Source

LOOSER, CHECK, TIGHTER, NEUTRAL = Direction.LOOSER, Direction.CHECK, Direction.TIGHTER, Direction.NEUTRAL
SAY = {"en": "Read me.", "zh": "请读"}

#: A policy in which every section stands, and every key that can stand beside the others.
WHOLE: dict[str, Any] = {
    "policy": "whole", "language": "1", "title": "t", "owner": "o@bank.example", "timezone": "UTC",
    "applies_to": {"groups": ["desk"]},
    "defaults": {"mode": "enforce", "unmatched": "deliver", "unpaired": "hold", "on_error": "hold"},
    "groups": {"desk": {"symphony": ["*@bank.example"], "weixin": ["tag:a"]}, "vip": {"weixin": ["tag:vip"]}},
    "lists": {
        "ws": {"words": ["secret", "秘密"], "unless_words": {"secret": ["secretary"]}, "evasion": ["split"],
               "owner": "o", "languages": ["en"], "review_by": "2027-01-01"},
        "spare": {"words": ["public"]},
        "aged": {"file": "a.csv", "columns": ["word"], "dates": {"from": "since"}, "stale_after": "7d"},
    },
    "detectors": {
        "w": {"type": "words", "list": ["ws", "aged"], "confidence": {"alone": "low", "with_context": "high"},
              "context": {"words": ["deal"], "within": "20", "messages": "1"}},
        "p": {"type": "pattern", "pattern": "PX[0-9]{3}", "boundary": "none"},
        "card": {"type": "payment_card", "brands": ["visa", "amex"]},
        "pass": {"type": "passport", "countries": ["CN", "HK"]},
        "tel": {"type": "phone", "regions": ["CN", "HK"]},
        "coin": {"type": "crypto_wallet", "coins": ["btc", "eth"]},
        "id": {"type": "hkid"},
        "ok": {"type": "words", "list": ["spare"]},
    },
    "barriers": [
        {"id": "wall", "between": ["desk", "vip"], "finds": ["w"], "then": "block", "because": "b"},
        {"id": "way", "from": ["desk"], "to": ["vip"], "then": "hold"},
    ],
    "rules": [
        {"id": "r", "title": "t", "because": "b", "severity": "high", "mode": "enforce",
         "rollout": {"groups": ["desk"]}, "review_by": "2027-01-01",
         "when": {"direction": "to_weixin", "finds": ["w", "p", "card", "pass", "tel", "coin", "id"],
                  "confidence": "medium", "sender": ["a@bank.example", "b@bank.example"], "groups": ["desk"],
                  "kind": ["text", "file"], "recipient": ["wm-1"], "conversation": ["c1"],
                  "outside": {"hours": "09:00-18:00", "days": "weekdays"},
                  "count": {"at_least": "2", "within": "1h"},
                  "files": {"types": ["pdf"], "larger_than": "1MB", "name": ["*.pdf"]},
                  "edited": "true", "recalled": "false", "any": [{"kind": "text"}, {"kind": "file"}]},
         "unless": {"finds": ["ok"], "any": [{"sender": "c@bank.example"}]},
         "then": {"redact": {"keep_last": "4", "style": "position"},
                  "hold": {"queue": "review", "conversation": "pass", "decide_within": "15m",
                           "if_late": "escalate"},
                  "annotate": SAY, "tag": ["a"], "notify": ["n@bank.example"],
                  "sample": {"percent": "5", "queue": "review", "reason": "x"}, "review": "all",
                  "tell_sender": SAY, "show_match": "false"},
         "tests": [{"given": "x", "expect": "deliver"}]},
        {"id": "half", "title": "t", "severity": "low", "rollout": {"percent": "10"},
         "when": {"direction": "both", "finds": ["w"]}, "then": {"block": "true"}},
        {"id": "fine", "title": "t", "severity": "low", "when": {"direction": "both", "finds": ["ok"]},
         "then": {"deliver": "true"}},
    ],
    "attachments": {"allow": ["pdf", "png"], "max_size": "5MB"},
    "kinds": {"card": "hold"},
    "consent": {"from": ["vip"], "text": SAY, "agree": ["yes", "agree"], "renew_every": "1y"},
    "disclaimers": [{"id": "d", "direction": "to_weixin", "every": "day", "for": ["vip"], "text": SAY}],
    "retention": [{"id": "k", "keep": "7y", "for": ["vip"], "kind": ["text"], "first": "2y"},
                  {"preset": "hk-sfc-im-order"}],
    "archive": [{"id": "a", "to": "s3://a", "object_lock": "governance", "region": "hk", "for": ["vip"],
                 "approval": "CSRC-1"}],
    "legal_holds": [{"id": "h", "people": ["a@bank.example", "b@bank.example"], "since": "2026-01-01",
                     "approved_by": "c@bank.example", "because": "b"}],
    "exceptions": [{"id": "e", "rule": "half", "for": ["a@bank.example"], "only": ["secret"],
                    "expires": "2027-01-01", "approved_by": "c@bank.example", "because": "b"}],
}  # fmt: skip

R, HALF, W, X = ("rules", 0), ("rules", 1), ("detectors", "w"), ("exceptions", 0)
ATT = {"not_allowed", "too_large", "wrong_type", "encrypted", "macros"}

#: Where, what is written there instead (None: nothing), and the classes of all lines that must follow.
EDITS: tuple[tuple[tuple[str | int, ...], Any, str], ...] = (
    (("policy",), "other", "CHECK"), (("title",), "u", "NEUTRAL"), (("owner",), "u", "NEUTRAL"),
    (("timezone",), "Asia/Hong_Kong", "CHECK"),
    (("applies_to",), None, "TIGHTER"), (("applies_to", "groups"), ["desk", "vip"], "TIGHTER"),
    (("defaults", "mode"), "monitor", "LOOSER"), (("defaults", "unmatched"), "hold", "TIGHTER"),
    (("defaults", "unpaired"), "block", "TIGHTER"), (("defaults", "on_error"), "block", "TIGHTER"),
    (("defaults", "deliver_after"), "all_sinks", "TIGHTER"),
    (("groups", "desk", "symphony"), ["a@bank.example"], "TIGHTER LOOSER"),
    (("groups", "vip", "weixin"), ["tag:vip", "tag:b"], "TIGHTER"),
    (("groups", "new"), {"weixin": ["tag:n"]}, "NEUTRAL"),
    (("lists", "ws", "words"), ["secret", "秘密", "配售"], "TIGHTER"),
    (("lists", "ws", "words"), ["secret"], "LOOSER"),
    (("lists", "ws", "words"), ["SECRET", "祕密"], "NEUTRAL"),
    (("lists", "ws", "words"), ["秘密", "secret"], "NEUTRAL"),
    (("lists", "ws", "words"), ["Secret", "秘密", "配售"], "NEUTRAL TIGHTER"),
    (("lists", "spare", "words"), ["public", "x y"], "LOOSER"),
    (("lists", "ws", "unless_words"), {}, "TIGHTER"), (("lists", "ws", "evasion"), [], "CHECK"),
    (("lists", "spare", "evasion"), ["pinyin"], "LOOSER"), (("lists", "ws", "owner"), "u", "NEUTRAL"),
    (("lists", "ws", "languages"), ["zh"], "NEUTRAL"), (("lists", "ws", "review_by"), None, "NEUTRAL"),
    (("lists", "aged", "stale_after"), "1d", "TIGHTER"), (("lists", "aged", "file"), "b.csv", "NEUTRAL"),
    (("lists", "aged", "columns"), ["word", "more"], "NEUTRAL"), (("lists", "aged", "dates"), None, "CHECK"),
    ((*W, "list"), ["ws"], "LOOSER"), ((*W, "context", "words"), ["deal", "order"], "TIGHTER"),
    ((*W, "context", "within"), "10", "LOOSER"), ((*W, "context", "messages"), "2", "TIGHTER"),
    ((*W, "context"), None, "CHECK"), ((*W, "confidence"), None, "CHECK"),
    ((*W, "confidence", "alone"), "medium", "TIGHTER"), ((*W, "confidence", "with_context"), "low", "LOOSER"),
    (("detectors", "p", "pattern"), "PY", "CHECK"), (("detectors", "p", "boundary"), "digits", "CHECK"),
    (("detectors", "card", "brands"), ["visa"], "LOOSER"), (("detectors", "card", "brands"), None, "TIGHTER"),
    (("detectors", "pass", "countries"), ["CN"], "LOOSER"),
    (("detectors", "tel", "regions"), ["CN"], "LOOSER"),
    (("detectors", "coin", "coins"), ["btc"], "LOOSER"), (("detectors", "id", "type"), "iban", "CHECK"),
    (("detectors", "id"), {"type": "email"}, "CHECK"), (("detectors", "id"), {"type": "phone"}, "CHECK"),
    (("barriers", 0, "between"), ["vip", "vip"], "CHECK"), (("barriers", 0, "finds"), None, "TIGHTER"),
    (("barriers", 0, "then"), "hold", "LOOSER"), (("barriers", 0, "because"), None, "NEUTRAL"),
    (("barriers", 1, "from"), ["desk", "vip"], "TIGHTER"),
    (("barriers", 1, "to"), ["desk"], "TIGHTER LOOSER"),
    (("barriers", 0), None, "LOOSER"),
    ((*R, "title"), "u", "NEUTRAL"), ((*R, "because"), None, "NEUTRAL"), ((*R, "severity"), "low", "CHECK"),
    ((*R, "review_by"), None, "NEUTRAL"), ((*R, "mode"), "monitor", "LOOSER"),
    ((*R, "mode"), None, "NEUTRAL"),
    ((*R, "rollout"), None, "TIGHTER"), ((*R, "rollout", "groups"), ["desk", "vip"], "TIGHTER"),
    ((*HALF, "rollout", "percent"), "5", "LOOSER"), ((*R, "tests"), [], "CHECK"), (HALF, None, "LOOSER"),
    ((*R, "when", "direction"), "both", "TIGHTER"), ((*R, "when", "direction"), "to_symphony", "CHECK"),
    ((*R, "when", "finds"), ["w", "card", "pass", "tel", "coin", "id"], "LOOSER"),
    ((*R, "when", "confidence"), "high", "LOOSER"), ((*R, "when", "sender"), None, "TIGHTER"),
    ((*R, "when", "groups"), ["desk", "vip"], "TIGHTER"), ((*R, "when", "kind"), ["text"], "LOOSER"),
    ((*R, "when", "recipient"), ["wm-1", "wm-2"], "TIGHTER"), ((*R, "when", "conversation"), None, "TIGHTER"),
    ((*R, "when", "outside"), None, "TIGHTER"), ((*R, "when", "outside", "hours"), "08:00-19:00", "LOOSER"),
    ((*R, "when", "outside", "days"), ["mon"], "TIGHTER"), ((*R, "when", "outside", "days"), "all", "LOOSER"),
    ((*R, "when", "outside"), {"days": "trading", "calendar": "XHKG"}, "CHECK"),
    ((*R, "when", "count"), None, "TIGHTER"), ((*R, "when", "count", "at_least"), "3", "LOOSER"),
    ((*R, "when", "count", "within"), "2h", "TIGHTER"), ((*R, "when", "count", "within"), None, "CHECK"),
    ((*R, "when", "files"), None, "TIGHTER"), ((*R, "when", "files", "types"), ["pdf", "doc"], "TIGHTER"),
    ((*R, "when", "files", "larger_than"), "2MB", "LOOSER"), ((*R, "when", "files", "name"), None, "TIGHTER"),
    ((*R, "when", "edited"), None, "TIGHTER"), ((*R, "when", "recalled"), "true", "CHECK"),
    ((*R, "when", "any"), [{"kind": "text"}], "LOOSER"), ((*R, "unless"), None, "TIGHTER"),
    ((*R, "unless", "any"), None, "LOOSER"), ((*R, "unless", "finds"), ["ok", "id"], "LOOSER"),
    ((*R, "unless", "confidence"), "high", "TIGHTER"),
    ((*R, "then", "redact"), None, "LOOSER"), ((*R, "then", "redact", "keep_last"), "0", "CHECK"),
    ((*R, "then", "redact", "style"), "fixed", "TIGHTER"), ((*R, "then", "hold"), None, "LOOSER"),
    ((*R, "then", "hold", "queue"), "q", "CHECK"), ((*R, "then", "hold", "conversation"), "wait", "TIGHTER"),
    ((*R, "then", "hold", "decide_within"), "1h", "CHECK"),
    ((*R, "then", "hold", "if_late"), "block", "TIGHTER"),
    ((*R, "then", "block"), "true", "TIGHTER"), ((*R, "then", "annotate"), None, "LOOSER"),
    ((*R, "then", "annotate", "en"), "Other.", "CHECK"), ((*R, "then", "tag"), [], "CHECK"),
    ((*R, "then", "notify"), [], "LOOSER"), ((*R, "then", "sample"), None, "LOOSER"),
    ((*R, "then", "sample", "percent"), "10", "TIGHTER"), ((*R, "then", "sample", "queue"), "q", "CHECK"),
    ((*R, "then", "sample", "reason"), "y", "NEUTRAL"), ((*R, "then", "review"), None, "LOOSER"),
    ((*R, "then", "tell_sender"), None, "CHECK"), ((*R, "then", "show_match"), "true", "LOOSER"),
    (("rules", 2, "then"), {"tag": ["seen"]}, "NEUTRAL"),
    (("attachments",), None, "LOOSER"), (("attachments", "allow"), None, "LOOSER"),
    (("attachments", "max_size"), "10MB", "LOOSER"),
    *((("attachments", key), "hold", "LOOSER") for key in sorted(ATT)),
    (("attachments", "unreadable"), "block", "TIGHTER"), (("attachments", "read_text"), "false", "CHECK"),
    (("attachments", "virus_scan"), "clamav", "TIGHTER"), (("attachments", "infected"), "hold", "LOOSER"),
    (("kinds", "card"), "block", "TIGHTER"), (("kinds",), {}, "LOOSER"),
    (("consent",), None, "LOOSER"), (("consent", "from"), ["vip", "desk"], "TIGHTER"),
    (("consent", "text", "en"), "Other.", "CHECK"), (("consent", "agree"), ["yes"], "TIGHTER"),
    (("consent", "until_given"), "block", "TIGHTER"), (("consent", "renew_every"), "2y", "LOOSER"),
    (("disclaimers",), [], "LOOSER"), (("disclaimers", 0, "direction"), "both", "TIGHTER"),
    (("disclaimers", 0, "every"), "week", "LOOSER"), (("disclaimers", 0, "for"), "all", "TIGHTER"),
    (("disclaimers", 0, "text", "en"), "Other.", "CHECK"),
    (("retention", 0, "keep"), "6y", "LOOSER"), (("retention", 0, "start"), "account_closed", "CHECK"),
    (("retention", 0, "for"), "all", "TIGHTER"), (("retention", 0, "direction"), "to_weixin", "LOOSER"),
    (("retention", 0, "kind"), None, "TIGHTER"), (("retention", 0, "worm"), "true", "TIGHTER"),
    (("retention", 0, "first"), None, "LOOSER"), (("retention", 1), None, "LOOSER"),
    (("retention", 1, "preset"), "us-finra-4511-default", "CHECK"),
    (("archive",), [], "LOOSER"), (("archive", 0, "to"), "s3://b", "CHECK"),
    (("archive", 0, "format"), "eml", "CHECK"), (("archive", 0, "object_lock"), "compliance", "TIGHTER"),
    (("archive", 0, "approval"), None, "TIGHTER"), (("archive", 0, "approval"), "CSRC-2", "CHECK"),
    (("archive", 0, "region"), "sg", "CHECK"), (("archive", 0, "for"), "all", "TIGHTER"),
    (("legal_holds",), [], "LOOSER"), (("legal_holds", 0, "people"), ["a@bank.example"], "LOOSER"),
    (("legal_holds", 0, "since"), "2025-01-01", "TIGHTER"),
    (("legal_holds", 0, "approved_by"), "d", "NEUTRAL"),
    (("legal_holds", 0, "because"), None, "NEUTRAL"),
    (("exceptions",), [], "TIGHTER"), ((*X, "rule"), "r", "CHECK"),
    ((*X, "for"), ["a@bank.example", "b@bank.example"], "LOOSER"), ((*X, "only"), None, "LOOSER"),
    ((*X, "expires"), "2028-01-01", "LOOSER"), ((*X, "approved_by"), "d", "NEUTRAL"),
    ((*X, "because"), "c", "NEUTRAL"),
)  # fmt: skip

#: Keys whose value cannot change where they stand: it is a name by which things are paired, or has one value.
FIXED = {
    ("PolicyFile", "language"), ("Rollout", "by"), ("Outside", "calendar"), ("Then", "deliver"),
    ("WordsDetector", "type"), ("PatternDetector", "type"), ("PaymentCardDetector", "type"),
    ("PassportDetector", "type"), ("PhoneDetector", "type"), ("CryptoWalletDetector", "type"),
    *((name, "id") for name in
      ("Rule", "Barrier", "Disclaimer", "Keep", "ArchiveTo", "LegalHold", "ExceptionFrom")),
}  # fmt: skip


DATES = {("Dates", "from_"), ("Dates", "until")}


def model(data: Mapping[str, Any]) -> lang.PolicyFile:
    return lang.PolicyFile.model_validate(data)


def ready(file: lang.PolicyFile) -> PolicySet:
    """A file without its loader: names need not be checked again for every edit."""
    words = {name: list(one.words or ()) for name, one in file.lists.items()}
    return build([Draft(file, words, "0" * 64, Source("draft.yaml", b""))])


def edited(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """WHOLE with `value` at `path`, or nothing there."""
    data: Any = copy.deepcopy(WHOLE)
    root, at = data, data
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return root


def directions(changes: Any) -> set[str]:
    return {change.direction.value for change in changes}


@pytest.mark.parametrize(("path", "value", "expected"), EDITS, ids=[str(edit[:2])[:90] for edit in EDITS])
def test_every_key_has_its_class(path: tuple[str | int, ...], value: Any, expected: str) -> None:
    """One key changed: the lines that follow have exactly the classes that the key deserves."""
    changes = compare(whole(), ready(model(edited(path, value))))
    assert directions(changes) == set(expected.split()), [change.sentence() for change in changes]


@functools.cache
def whole() -> PolicySet:
    return ready(model(WHOLE))


def test_no_key_is_passed_over() -> None:
    """The edits above reach every key of every section of the grammar, but those that cannot change."""
    touched = {key for path, value, _ in EDITS for key in differing(model(WHOLE), model(edited(path, value)))}
    grammar = {(one.__name__, key) for one in sections(lang.PolicyFile) for key in one.model_fields}
    conditions = {(name, key) for name in ("OneOf", "Unless") for key in lang.Unless.model_fields}
    tests = {("Trial", key) for key in lang.Trial.model_fields}
    inherited = {(name, key) for name, key in grammar if name.endswith("Detector") and key in
                 ("context", "confidence")}  # fmt: skip
    texts = {("Tell", key) for key in lang.Tell.model_fields}
    assert grammar - touched - FIXED - conditions - tests - inherited - texts - DATES == set()


def sections(section: type[lang.Section], seen: set[type] | None = None) -> set[type[lang.Section]]:
    """`section` and every section that can stand inside of it."""
    seen = set() if seen is None else seen
    if section not in seen:
        seen.add(section)
        for field in section.model_fields.values():
            for one in inner(field.annotation):
                sections(one, seen)
    return seen


def inner(annotation: Any) -> Iterator[type[lang.Section]]:
    if isinstance(annotation, type) and issubclass(annotation, lang.Section):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from inner(argument)


def differing(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """The (section, key) pairs in which two models differ, at every depth."""
    if isinstance(before, lang.Section) and type(before) is type(after):
        for key in type(before).model_fields:
            old, new = getattr(before, key), getattr(after, key)
            if old != new:
                yield type(before).__name__, key
                yield from differing(old, new)
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() & after.keys():
            yield from differing(before[key], after[key])
    elif isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from differing(old, new)


def test_equal_files_have_no_changes() -> None:
    """Nothing is said about what is the same."""
    assert compare(whole(), ready(model(WHOLE))) == ()


def test_looser_comes_first() -> None:
    """Whoever reads from the top sees first what takes protection away."""
    draft = edited(("title",), "u") | {"exceptions": [], "consent": None, "timezone": "Asia/Hong_Kong"}
    order = [change.direction for change in compare(whole(), ready(model(draft)))]
    assert order == [LOOSER, CHECK, TIGHTER, NEUTRAL]


def test_a_monitored_rule_changes_nothing_yet() -> None:
    """What a rule in monitor mode looks for has no effect; to stop watching is to be looked at."""
    live = edited((*HALF, "mode"), "monitor")
    draft = copy.deepcopy(live)
    draft["rules"][1]["when"]["finds"] = ["w", "card"]
    assert directions(compare(ready(model(live)), ready(model(draft)))) == {"NEUTRAL"}
    draft = copy.deepcopy(live)
    draft["rules"][1]["mode"] = "off"
    assert directions(compare(ready(model(live)), ready(model(draft)))) == {"CHECK"}


def test_words_that_count_on_other_days_are_looked_at() -> None:
    """The word stands in both lists, and not for the same days: nobody can say which way that goes."""
    once, until = whole().policies[0].draft, datetime.date(2027, 1, 1)
    words = {**once.words, "aged": ["alpha"]}
    live, draft = (
        build([dataclasses.replace(once, words=words, dates={"aged": {"alpha": [(None, last)]}})])
        for last in (None, until)
    )
    (change,) = compare(live, draft)
    assert (change.direction, change.id, change.key) == (CHECK, "aged", "dates")


def test_long_lists_are_compared_at_once() -> None:
    """Ten thousand words against ten thousand: one line for each way, not a search for each word."""
    in_proportion(compare_words, 10_000)


def compare_words(number: int) -> None:
    """So many words against as many, of which one is another."""
    words = [f"w{one}" for one in range(number + 1)]
    live, draft = (edited(("lists", "ws", "words"), some) for some in (words[:-1], words[1:]))
    live["lists"]["ws"]["unless_words"] = draft["lists"]["ws"]["unless_words"] = {}
    changes = compared(model(live), model(draft))
    assert [(one.direction, one.before, one.after) for one in changes] == [
        (LOOSER, ("w0",), ()),
        (TIGHTER, (), (f"w{number}",)),
    ]


def compared(live: lang.PolicyFile, draft: lang.PolicyFile) -> tuple[Change, ...]:
    """Without the engine, which takes longer to make than to compare."""
    sides = []
    for file in (live, draft):
        words = {name: list(one.words or ()) for name, one in file.lists.items()}
        sides.append(
            dataclasses.replace(
                whole(),
                policies=(
                    dataclasses.replace(
                        whole().policies[0], draft=Draft(file, words, "0" * 64, Source("d", b""))
                    ),
                ),
            )
        )
    return compare(*sides)


def test_files_of_several_are_paired_by_name() -> None:
    """A file more is stricter, a file less is weaker, whatever they say."""
    one, other = ready(model(WHOLE)), ready(model(edited(("policy",), "other")))
    both = build([one.policies[0].draft, other.policies[0].draft])
    assert [(c.direction, c.policy, c.key) for c in compare(one, both)] == [(TIGHTER, "other", "")]
    assert (LOOSER, "other", "policy", "") in [line[:4] for line in map(named, compare(both, one))]


def named(change: Change) -> tuple[Direction, str, str, str, str]:
    """Which way, in which file, of which section, which thing, which key."""
    return change.direction, change.policy, change.section, change.id, change.key


def test_a_file_that_goes_takes_each_of_its_things_with_it() -> None:
    """Walls, retention, holds and rules have lines of their own, which all point down or are looked at;
    what is only defined or only lets pass has none. To rename a file is to lose what it had."""
    one, other = ready(model(WHOLE)), ready(model(edited(("policy",), "other")))
    renamed = build([one.policies[0].draft, ready(model(edited(("policy",), "new"))).policies[0].draft])
    for draft in (one, renamed):
        lines = compare(build([one.policies[0].draft, other.policies[0].draft]), draft)
        gone = [change for change in lines if change.policy == "other"]
        assert {c.direction for c in gone} <= {LOOSER, CHECK}
        assert not {c.section for c in gone} & {"group", "list", "detector"}
        for section, ids in (("barrier", {"wall", "way"}), ("rule", {"half", "r"}), ("legal_hold", {"h"})):
            assert {c.id for c in gone if c.section == section} == ids
        assert len([c for c in gone if c.section == "retention"]) == len(WHOLE["retention"])


# --- the classes are true -------------------------------------------------------------------------------

#: A small file of which random edits are judged: rules of every strictness, with and without spared words.
SMALL: dict[str, Any] = {
    "policy": "small", "language": "1", "title": "t", "owner": "o@bank.example",
    "groups": {"g": {"symphony": ["alice.wong@bank.example"]}, "tags": {"weixin": ["tag:客户"]}},
    "lists": {"one": {"words": ["alpha", "beta"]}, "two": {"words": ["gamma"]}},
    "detectors": {
        "one": {"type": "words", "list": ["one"]}, "two": {"type": "words", "list": ["two"]},
        "near": {"type": "words", "list": ["two"], "context": {"words": ["delta"], "within": "10"}},
        "card": {"type": "payment_card"},
    },
    "rules": [
        {"id": "a", "title": "t", "severity": "low", "when": {"direction": "to_weixin", "finds": ["one"]},
         "unless": {"finds": ["two"]}, "then": {"hold": "true"}},
        {"id": "b", "title": "t", "severity": "low",
         "when": {"direction": "both", "finds": ["near", "card"], "confidence": "high"},
         "then": {"redact": "true"}},
        {"id": "c", "title": "t", "severity": "low", "when": {"direction": "both", "finds": ["two"]},
         "then": {"deliver": "true"}},
    ],
    "exceptions": [{"id": "e", "rule": "a", "for": ["nobody@bank.example"], "only": ["beta"],
                    "expires": "2027-01-01", "approved_by": "x", "because": "b"}],
}  # fmt: skip

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon")
Edit = tuple[tuple[str | int, ...], Any]


def each(paths: Any, *values: Any) -> list[Edit]:
    """Every one of `values` at every one of `paths`."""
    return [(tuple(path), value) for path in paths for value in values]


RULES = (("rules", 0), ("rules", 1), ("rules", 2))
CONDITIONS = (*((*rule, part) for rule in RULES[:2] for part in ("when", "unless")), ("rules", 2, "when"))
SMALL_EDITS: list[Edit] = [
    *each(((*at, "finds") for at in CONDITIONS), ["one"], ["two"], ["one", "two"], ["near"], ["card"]),
    *each(((*at, "groups") for at in CONDITIONS), ["g"], ["tags"], ["g", "tags"]),
    *each(((*at, "confidence") for at in CONDITIONS), "low", "medium", "high"),
    *each(((*at, "direction") for at in CONDITIONS), "both", "to_weixin", "to_symphony"),
    *each(((*at, "kind") for at in CONDITIONS), ["text"], ["file"]),
    *each(((*at, "any") for at in CONDITIONS), [{"finds": "one"}, {"finds": "card"}]),
    *each(((*at, "count") for at in CONDITIONS), {"at_least": "2"}),
    *each(
        ((*rule, "then") for rule in RULES),
        *({act: "true"} for act in ("deliver", "redact", "hold", "block")),
    ),
    *each(((*rule, "then") for rule in RULES), {"annotate": SAY}, {"tag": ["x"]}),
    *each(((*rule, "mode") for rule in RULES), "off", "monitor", "enforce"),
    *each(((*rule, "rollout") for rule in RULES), {"percent": "1"}, {"percent": "99"}, {"groups": ["tags"]}),
    *each(
        [("lists", "one", "words"), ("lists", "two", "words")],
        ["alpha"],
        ["gamma", "alpha"],
        ["alpha", "beta"],
    ),
    *each([("lists", "one", "words")], ["一二", "三四", "二三"]),
    *each([("lists", "two", "unless_words")], {"gamma": ["gamma delta"]}),
    *each([("detectors", "near", "context", "words")], ["delta", "alpha"], ["alpha"]),
    *each([("detectors", "near", "context", "within")], "1", "30"),
    *each([("detectors", "near", "confidence", "alone")], "medium", "high"),
    *each([("detectors", "card", "brands")], ["visa"], ["amex"]),
    *each([("groups", "g", "symphony")], ["z@a"], ["alice.wong@bank.example", "z@a"]),
    *each([("defaults", "unmatched")], "deliver", "hold"),
    *each([("defaults", "mode")], "enforce", "monitor", "off"),
    *each([("exceptions", 0, "only")], ["alpha"], ["alpha", "beta", "gamma"]),
    *each([("exceptions", 0, "for")], ["alice.wong@bank.example"], ["nobody@bank.example"]),
    *each([("exceptions", 0, "rule")], "a", "b", "c"),
    *each([("exceptions",)], []),
    *each([("barriers",)], [{"id": "w", "from": ["g"], "to": ["tags"]}], []),
    *each([("kinds", "text")], "deliver", "hold", "block"),
]
#: Where a draft begins: the same edit means something else where nothing passes, or where rules only watch.
STARTS: list[list[Edit]] = [
    [],
    [(("defaults", "unmatched"), "hold")],
    [(("defaults", "mode"), "monitor")],
    [(("exceptions", 0, "for"), ["alice.wong@bank.example"]), (("exceptions", 0, "only"), ["alpha"])],
    [(("rules", 0, "when", "count"), {"at_least": "2"}), (("lists", "one", "words"), ["一二", "三四"])],
]
RANDOM_EDIT = st.sampled_from(SMALL_EDITS)


#: What edits raise that say nothing together: no policy comes of them, or there is nothing left to be edited.
IMPOSSIBLE = (ValidationError, IndexError)


def with_edits(edits: list[tuple[tuple[str | int, ...], Any]]) -> PolicySet:
    data: Any = copy.deepcopy(SMALL)
    for path, value in edits:
        at = data
        for step in path[:-1]:
            at = at[step] if isinstance(step, int) else at.setdefault(step, {})
        at[path[-1]] = value
    return ready(model(data))


CARDS = ("4111 1111 1111 1111", "3782 822463 10005")
TEXTS = (
    *WORDS, *CARDS, *(" ".join(pair) for pair in itertools.combinations((*WORDS, CARDS[0]), 2)),
    "alpha x beta", "一二三四", "gamma delta alpha beta", "gamma" + " x" * 12 + " delta", "x",
)  # fmt: skip


def hold_to(said: set[str], old: Outcome, new: Outcome, what: object) -> None:
    """Fail when an outcome moved in a direction that the classes do not allow."""
    if new.rank < old.rank:
        assert said & {"LOOSER", "CHECK"}, f"{what}: {old} → {new}"
    if new.rank > old.rank:
        assert said & {"TIGHTER", "CHECK"}, f"{what}: {old} → {new}"


def outcomes(policies: PolicySet) -> list[Outcome]:
    """What becomes of every text, both ways."""
    return [weigh(policies, text, to=to).outcome for text in TEXTS for to in (SYMPHONY, WEIXIN)]


def some_of(edits: list[Edit], start: int) -> list[Edit]:
    """All edits where nothing came before, and every second one from each other beginning, in turn.

    So each edit is tried alone and from two of the four others; most neighbours in the list are values of one
    thing, which is therefore edited from all of them.
    """
    return edits[start % 2 :: 2] if start else edits


@pytest.mark.parametrize("start", range(len(STARTS)), ids=lambda start: str(STARTS[start]))
def test_every_edit_has_a_true_class(start: int) -> None:
    """Edits of the list, from each beginning: no outcome moves where its class says that it cannot."""
    live = with_edits(STARTS[start])
    before = outcomes(live)
    for edit in some_of(SMALL_EDITS, start):
        try:
            draft = with_edits([*STARTS[start], edit])
        except IMPOSSIBLE:  # together they say nothing
            continue
        said = directions(compare(live, draft))
        for number, (old, new) in enumerate(zip(before, outcomes(draft), strict=True)):
            hold_to(said, old, new, (edit, TEXTS[number // 2]))


@settings(max_examples=40, deadline=None)
@given(st.lists(RANDOM_EDIT, max_size=2), st.lists(RANDOM_EDIT, min_size=2, max_size=4))
def test_the_classes_are_true_of_many_edits(before: Any, after: Any) -> None:
    """Without LOOSER or CHECK no message gets a weaker outcome; without TIGHTER or CHECK, no stricter one."""
    try:
        live, draft = with_edits(before), with_edits([*before, *after])
    except IMPOSSIBLE:
        reject()
    said = directions(compare(live, draft))
    for old, new in zip(outcomes(live), outcomes(draft), strict=True):
        hold_to(said, old, new, "a text")


#: Edits of the sections beside the rules, and of what they look at.
PASSES = ("deliver", "hold", "block")
BESIDE: list[Edit] = [
    *each([("attachments",)], {}, {"allow": ["pdf"]}, {"read_text": "false"}, {"max_size": "1KB"}),
    *each([("attachments", "allow")], ["pdf"], ["pdf", "png"], ["png"]),
    *each([("attachments", "max_size")], "1KB", "1MB"),
    *(
        edit
        for key in ("not_allowed", "too_large", "wrong_type", "encrypted", "macros", "unreadable")
        for edit in each([("attachments", key)], *PASSES)
    ),
    *each([("attachments", "read_text")], "true", "false"),
    *each([("kinds", "file")], *PASSES),
    *each([("consent",)], *({"from": ["tags"], "text": SAY, "until_given": word} for word in PASSES[1:])),
    *each([("consent",)], {"from": ["g", "tags"], "text": SAY, "renew_every": "1d"}),
    *each([("disclaimers",)], [{"id": "d", "direction": "both", "text": SAY}], []),
    *each([("applies_to",)], {"groups": ["g"]}, {"groups": ["g", "tags"]}),
    *each([("groups", "g", "symphony")], ["alice.wong@bank.example"], ["z@a"]),
    *each([("defaults", "unpaired"), ("defaults", "on_error")], "hold", "block"),
    *each([("defaults", "deliver_after")], "local", "all_sinks"),
    *each([("rules", 0, "when", "files")], {"types": ["pdf"]}, {"name": ["a*"]}, {"larger_than": "1KB"}),
]
BESIDE_STARTS: list[list[Edit]] = [
    [],
    [(("attachments",), {"allow": ["pdf"], "max_size": "1MB"})],
    [
        (("attachments",), {"macros": "deliver", "unreadable": "deliver"}),
        (("applies_to",), {"groups": ["tags"]}),
    ],
    [(("consent",), {"from": ["tags"], "text": SAY}), (("rules", 0, "when", "files"), {"types": ["png"]})],
]
PDF = Inspection("a.pdf", "pdf", 10, claims="pdf")
SEEN = (
    (), (PDF,), (replace(PDF, size=5_000),), (replace(PDF, size=5_000_000, encrypted=True),),
    (replace(PDF, name="b.png", type="png"),), (replace(PDF, macros=True, text="gamma"),),
    (replace(PDF, unreadable="broken"),), (PDF, replace(PDF, name="c.txt", text="alpha")),
)  # fmt: skip
LONG_AGO = {"small": int(NOW.timestamp() * 1000) - 5 * 86_400_000}


def around(seen: tuple[Inspection, ...], *, paired: bool, agreed: bool) -> dict[str, Any]:
    known: dict[str, Any] = {"inspections": seen, "consent": LONG_AGO if agreed else {}}
    return known | ({} if paired else {"route": None})


def outcomes_beside(policies: PolicySet) -> list[Outcome]:
    """What becomes of a word with every kind of attachment, paired or not, agreed or not."""
    found = []
    for seen, paired, agreed in itertools.product(SEEN, (True, False), (True, False)):
        files = tuple(File("r", one.name) for one in seen)
        written = message("alpha", files=files, kind=Kind.FILE if seen else Kind.TEXT)
        found.append(weigh(policies, written, **around(seen, paired=paired, agreed=agreed)).outcome)
    return found


def beside_another(policies: PolicySet) -> PolicySet:
    """With a second file: where a file does not apply, another one must."""
    other = ready(model({**SMALL, "policy": "other", "rules": [], "exceptions": []}))
    return build([policies.policies[0].draft, other.policies[0].draft])


@pytest.mark.parametrize("start", BESIDE_STARTS, ids=str)
def test_every_edit_beside_the_rules_has_a_true_class(start: list[Edit]) -> None:
    """The same of attachments, consent, disclaimers, kinds, defaults, and where the file applies."""
    live = beside_another(with_edits(start))
    before = outcomes_beside(live)
    for edit in BESIDE:
        draft = beside_another(with_edits([*start, edit]))
        said = directions(compare(live, draft))
        for number, (old, new) in enumerate(zip(before, outcomes_beside(draft), strict=True)):
            hold_to(said, old, new, (edit, SEEN[number // 4]))

"""Retention, archives and legal holds: what applies to the record of a message, whatever becomes of it."""

from __future__ import annotations

import datetime

import pytest
from policy_rig import message, one_rule, policy_set, weigh

from bridge.message import SYMPHONY, WEIXIN, Kind, Outcome, Retention
from bridge.policy.keeping import changed_classes, is_complete
from bridge.policy.language import PolicyFile
from bridge.policy.presets import PRESETS

GROUPS = "groups: { desk: { symphony: '*@bank.example' }, others: { symphony: 'o@bank.example' } }\n"


def kept(entries: str, **more: object) -> tuple[Retention, ...]:
    """The classes of a message under these entries."""
    policies = policy_set(one_rule(top=f"{GROUPS}retention: [{entries}]\n"))
    return weigh(policies, more.pop("sent", "hello"), **more).retention  # type: ignore[arg-type]


def test_every_class_applies_and_the_longest_comes_first() -> None:
    """By length whatever the unit; what begins with a thing to come ends last."""
    entries = (
        "{ id: y, keep: 2y }, { id: d, keep: 800d }, { id: m, keep: 18m }, { id: e, keep: 1y, start: exit }"
    )
    assert [one.key for one in kept(entries)] == ["p/e", "p/d", "p/y", "p/m"]


def test_a_preset_is_the_period_of_its_regulation() -> None:
    """Period, start and first years come from the table; an entry may add write-once media."""
    preset = PRESETS["us-sec-17a4-b4-comms"]
    (one,) = kept("{ preset: us-sec-17a4-b4-comms, worm: true }")
    assert one == Retention("p/us-sec-17a4-b4-comms", preset.keep, preset.start, True, preset.first)


def test_the_strictest_medium_governs() -> None:
    """If any class asks for write-once media, the one that governs does."""
    long, short = kept("{ id: long, keep: 7y }, { id: short, keep: 1y, worm: true }")
    assert (long.key, long.worm, short.worm) == ("p/long", True, True)
    assert [one.worm for one in kept("{ id: long, keep: 7y }")] == [False]


@pytest.mark.parametrize(
    ("entry", "applies"),
    [
        ("{ id: a, keep: 1y, for: all }", True),
        ("{ id: a, keep: 1y, for: desk }", True),
        ("{ id: a, keep: 1y, for: [others] }", False),
        ("{ id: a, keep: 1y, direction: to_weixin }", True),
        ("{ id: a, keep: 1y, direction: to_symphony }", False),
        ("{ id: a, keep: 1y, kind: [voice, text] }", True),
        ("{ id: a, keep: 1y, kind: voice }", False),
    ],
)
def test_a_class_is_for_people_a_direction_and_kinds(entry: str, applies: bool) -> None:
    """All that is written must hold."""
    assert bool(kept(entry)) is applies


def test_what_is_blocked_is_kept_as_well() -> None:
    """Retention does not ask for the outcome, nor whether the people are paired."""
    card = "4111 1111 1111 1111"
    assert kept("{ id: a, keep: 1y }", sent=card) == kept("{ id: a, keep: 1y }", sent="hello")
    assert kept("{ id: a, keep: 1y, for: desk }", route=None)
    assert kept("{ id: v, keep: 1y, kind: voice }", sent=message("x", kind=Kind.VOICE))


def test_archives_of_all_files_add_up() -> None:
    """Every destination by its full name, for the groups it is for."""
    first = one_rule(name="a", top=f"{GROUPS}archive: [{{ id: worm, to: 's3://b/k' }}]\n")
    others = "archive: [{ id: mail, to: 'smtp://h/j@a.b' }, { id: no, to: 'smtp://h/k@a.b', for: others }]\n"
    second = one_rule(name="b", top=f"{GROUPS}{others}")
    assert weigh(policy_set(second, first), "hello").archives == ("a/worm", "b/mail")


@pytest.mark.parametrize(
    ("people", "since", "to", "held"),
    [
        ("alice.wong@bank.example", "2026-01-01", WEIXIN, True),
        ("alice.wong@bank.example", "2026-01-01", SYMPHONY, True),
        ("alice.wong@bank.example", "2026-01-06", WEIXIN, False),
        ("['tag:客户', bob.li@bank.example]", "2026-01-05", WEIXIN, True),
        ("bob.li@bank.example", "2026-01-01", WEIXIN, False),
    ],
)
def test_a_legal_hold_is_on_both_ends_of_a_conversation(people: str, since: str, to: str, held: bool) -> None:
    """Of its people, from its day on by the policy's clock."""
    hold = f"legal_holds: [{{ id: case, people: {people}, since: {since}, approved_by: gc@bank.example }}]\n"
    verdict = weigh(policy_set(one_rule(top=hold)), "hello", to=to)
    assert verdict.legal_holds == (("p/case",) if held else ()) and verdict.outcome is Outcome.DELIVER


def test_the_day_of_a_legal_hold_is_local() -> None:
    """In Hong Kong it begins eight hours earlier."""
    hold = "legal_holds: [{ id: c, people: '*', since: 2026-01-06, approved_by: g }]\n"
    late = datetime.datetime(2026, 1, 5, 16, 0, tzinfo=datetime.UTC)
    assert weigh(policy_set(one_rule(top=hold)), "hello", now=late).legal_holds == ()
    local = policy_set(one_rule(top=f"timezone: Asia/Hong_Kong\n{hold}"))
    assert weigh(local, "hello", now=late).legal_holds == ("p/c",)


def test_whether_delivery_waits_for_the_archives() -> None:
    """One file that asks for it is enough, if it has an archive that the message belongs to."""
    local = one_rule(name="a", top="archive: [{ id: vault, to: 's3://b/k' }]\n")
    waits = one_rule(
        name="b",
        top="defaults: { deliver_after: all_sinks }\narchive: [{ id: mail, to: 'smtp://h/m@a.example' }]\n",
    )
    elsewhere = one_rule(name="c", top="defaults: { deliver_after: all_sinks }\n")
    assert not weigh(policy_set(local, elsewhere), "hello").after_archives
    assert weigh(policy_set(local, waits), "hello").after_archives


@pytest.mark.parametrize(
    ("entries", "complete"),
    [
        ("{ keep: 7y, for: desk }, { keep: 1y, direction: to_weixin }, { keep: 1y, kind: text }", False),
        ("{ keep: 7y, for: desk }, { keep: 1y }", True),
    ],
)
def test_whether_a_record_can_be_without_a_class(entries: str, complete: bool) -> None:
    """One entry has to be for everybody and everything."""
    found = policy_set(one_rule(top=f"{GROUPS}retention: [{entries}]\n"))
    assert is_complete(one.model for one in found.policies) is complete


def test_what_a_draft_changes_of_retention_is_named() -> None:
    """Classes that are gone or otherwise; not what is new, nor what only stands elsewhere."""

    def files(entries: str) -> list[PolicyFile]:
        found = policy_set(one_rule(top=f"{GROUPS}retention: [{entries}]\n"))
        return [one.model for one in found.policies]

    live = files("{ id: a, keep: 7y }, { id: b, keep: 5y }, { keep: 3y }")
    assert (
        changed_classes(live, files("{ keep: 3y }, { id: b, keep: 5y }, { id: a, keep: 7y }, { keep: 9y }"))
        == []
    )
    draft = files("{ id: a, keep: 9y }, { id: b, keep: 5y, for: desk }")
    assert changed_classes(live, draft) == ["p/3y", "p/a", "p/b"]
    assert changed_classes(live, []) == ["p/3y", "p/a", "p/b"]

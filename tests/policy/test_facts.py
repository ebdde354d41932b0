"""Facts: who takes part, what is known of them, and where detectors look."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from policy_rig import ALICE, CLIENT, NOW, message, one_rule, policy_set, weigh

from bridge.message import SYMPHONY, WEIXIN, Context, File, Inspection, Party, Route
from bridge.policy.facts import Facts
from bridge.policy.finders import Collector
from bridge.policy.members import Roster

ENGINE = Collector().engine()
ROUTE = Route(ALICE, CLIENT, WEIXIN, "c2")


def facts(route: Route | None = ROUTE, text: str = "hello", **more: Any) -> Facts:
    """Facts of a message from Alice."""
    files = more.pop("files", ())
    return Facts(message(text, files=files), Context("to_weixin", route, **more), NOW, Roster(), ENGINE)


def test_the_directory_is_what_decides_about_people() -> None:
    """Another tag, address, id or language is another state; another name is not; both ways it is one."""
    before = facts().directory
    assert len(before) == 16
    for change in (
        {"tags": frozenset({"客户", "贵宾"})},
        {"address": "x@bank.example"},
        {"id": "wm-2"},
        {"language": "en"},
    ):
        assert facts(replace(ROUTE, recipient=replace(CLIENT, **change))).directory != before
    assert facts(replace(ROUTE, recipient=replace(CLIENT, name="韩梅梅"))).directory == before
    assert facts(Route(CLIENT, ALICE, SYMPHONY, "c1")).directory == before
    assert facts(None).directory == ""


def test_nobody_can_be_confused_by_odd_names() -> None:
    """What stands in one field never counts as the next one."""
    one = facts(replace(ROUTE, recipient=Party(WEIXIN, "a", address="b"))).directory
    other = facts(replace(ROUTE, recipient=Party(WEIXIN, "ab", address=""))).directory
    assert one != other


def test_detectors_look_inside_only_where_they_are_told_to() -> None:
    """Text, quotation and names always; the text of attachments where a policy reads them."""
    inner = Inspection("a.pdf", "pdf", 1, text="Inside")
    known = facts(text="Body", files=(File("r", "A.pdf"),), inspections=(inner,))
    assert known.scan(inside=False).text == "body\na.pdf"
    assert known.scan(inside=True).text == "body\na.pdf\ninside"
    assert known.scan(inside=True) is known.scan(inside=True)


def test_a_list_that_can_grow_old_is_named_with_its_time() -> None:
    """So that what was decided can be decided again with the same list."""
    top = "lists: { ws: { file: w.csv, columns: [word], stale_after: 24h } }\n"
    rule = one_rule("w: { type: words, list: ws }", "{ direction: both, finds: w }", top=top)
    verdict = weigh(policy_set(rule, files={"w.csv": "word\nsecret\n"}), "hello")
    assert verdict.lists == (("p/ws", 0),) and verdict.reason == "list p/ws is out of date"
    assert weigh(policy_set(one_rule()), "hello").lists == ()


def test_local_time_is_that_of_the_policy() -> None:
    """The same moment by another clock."""
    hours = datetime.timezone(datetime.timedelta(hours=8))
    assert facts().local(hours).hour == 20  # type: ignore[arg-type]

"""A known positive goes through every detector that decides: whichever falls silent is named."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

import pytest

from bridge.cli.init import policy_source
from bridge.policy import PolicySet, Source, assemble, load
from bridge.records.canaries import EMPTY, SILENT, UNTRIED, WELL, sing

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)

POLICY = """\
policy: desk
language: 1
title: Desk
owner: compliance@bank.example
timezone: Asia/Hong_Kong
defaults: {{ mode: enforce, unmatched: deliver, unpaired: hold }}
lists:
  words: {{ words: [{words}], owner: c@bank.example, languages: [en] }}
detectors:
  promise: {{ type: words, list: words }}
  deal:    {{ type: pattern, pattern: '{pattern}' }}
rules:
  - id: promises
    title: No promises
    severity: high
    when: {{ direction: both, finds: [promise, deal] }}
    then: {{ hold: {{ queue: review }} }}
    tests:
      - {{ given: deal DX-1234, expect: hold }}
      - {{ given: guaranteed, expect: hold }}
      - {{ given: good morning, expect: deliver }}
"""


@functools.cache
def shipped() -> PolicySet:
    """The policies that are shipped."""
    return load(sorted(policy_source().glob("*.yaml")))


def test_every_shipped_detector_sings() -> None:
    """For each detector of the shipped policies a known positive is known, and found."""
    sung = sing(shipped(), NOW)
    assert len(sung) >= 20 and {name: said for name, said in sung.items() if said != WELL} == {}


def _set(words: str = "guaranteed", pattern: str = "DX-[0-9]{{4}}") -> PolicySet:
    text = POLICY.format(words=words, pattern=pattern.replace("{{", "{").replace("}}", "}"))
    policies, problems = assemble([Source("desk.yaml", text.encode(), {})])
    assert policies is not None, problems
    return policies


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"pattern": "DX-[a-z]{{4}}"}, "desk/deal"), ({"words": "never said"}, "")],
)
def test_a_detector_that_is_silenced_is_named(changes: dict[str, str], name: str) -> None:
    """A pattern that no longer finds what its own test says it finds is silent; another word is not."""
    sung = sing(_set(**changes), NOW)
    assert [one for one, said in sung.items() if said != WELL] == ([name] if name else [])
    assert all(said in (WELL, SILENT, EMPTY, UNTRIED) for said in sung.values())


def test_an_engine_that_sees_nothing_is_silent_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the engine that decides which is asked, not one that was made for the occasion."""
    policies = _set()
    monkeypatch.setattr("bridge.records.canaries._met", lambda *_: False)
    assert set(sing(policies, NOW).values()) == {SILENT}


DATED = """\
policy: desk
language: 1
title: Desk
owner: compliance@bank.example
timezone: Asia/Hong_Kong
lists:
  deals: { file: deals.csv, columns: name, dates: { until: until }, owner: c@bank.example }
detectors:
  deal: { type: words, list: deals }
"""


@pytest.mark.parametrize(("hour", "said"), [(15, WELL), (16, EMPTY)])
def test_a_word_counts_by_the_calendar_of_its_policy(hour: int, said: str) -> None:
    """Nobody is accused of missing a word whose last day is over in Hong Kong, and not yet in London."""
    files = {"deals.csv": b"name,until\nAcquireCo,2026-11-20\n"}
    policies, problems = assemble([Source("desk.yaml", DATED.encode(), files)])
    assert policies is not None, problems
    assert sing(policies, NOW.replace(hour=hour)) == {"desk/deal": said}

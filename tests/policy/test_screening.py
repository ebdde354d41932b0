"""Attachments and kinds: what may pass whatever is written in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_rig import message, one_rule, policy_set, weigh

from bridge.message import Cause, File, Inspection, Kind, Outcome, Verdict

CARD = "4111 1111 1111 1111"
PDF = Inspection("salary.pdf", "pdf", 1000, claims="pdf", text="quarterly report", scanned=True)


def screened(section: str, *files: Inspection, sent: int | None = None, then: str = "{ tag: t }") -> Verdict:
    """The verdict of a policy with this `attachments` section on `files`, of `sent` that came."""
    policies = policy_set(one_rule(top=f"attachments: {{ {section} }}\n", then=then))
    names = [file.name for file in files] + ["other.pdf"] * ((sent or 0) - len(files))
    written = message("see", files=tuple(File("ref", name) for name in names))
    return weigh(policies, written, inspections=files)


@pytest.mark.parametrize(
    ("section", "change", "outcome"),
    [
        ("allow: [pdf, png]", {}, Outcome.DELIVER),
        ("allow: [png]", {}, Outcome.BLOCK),
        ("allow: [png], not_allowed: hold", {}, Outcome.HOLD),
        ("max_size: 1KB", {"size": 1024}, Outcome.DELIVER),
        ("max_size: 1KB", {"size": 1025}, Outcome.BLOCK),
        ("max_size: 1KB, too_large: deliver", {"size": 1025}, Outcome.DELIVER),
        ("read_text: true", {"claims": "docx"}, Outcome.BLOCK),
        ("wrong_type: hold", {"claims": "docx"}, Outcome.HOLD),
        ("read_text: true", {"claims": ""}, Outcome.DELIVER),
        ("read_text: true", {"type": "png", "claims": "jpg"}, Outcome.DELIVER),
        ("read_text: true", {"type": "silk", "claims": "amr"}, Outcome.DELIVER),
        ("read_text: true", {"type": "exe", "claims": "jpg"}, Outcome.BLOCK),
        ("read_text: true", {"type": "png", "claims": "amr"}, Outcome.BLOCK),
        ("read_text: true", {"encrypted": True, "unreadable": "encrypted"}, Outcome.BLOCK),
        ("encrypted: deliver", {"encrypted": True, "unreadable": "encrypted"}, Outcome.DELIVER),
        ("macros: hold", {"macros": True}, Outcome.HOLD),
        ("read_text: true", {"unreadable": "too slow"}, Outcome.HOLD),
        ("unreadable: block", {"unreadable": "too slow"}, Outcome.BLOCK),
        ("read_text: true", {"cut": True}, Outcome.HOLD),
        ("read_text: false", {"unreadable": "not tried"}, Outcome.DELIVER),
        ("virus_scan: clamav", {}, Outcome.DELIVER),
        ("virus_scan: clamav", {"scanned": False}, Outcome.HOLD),
        ("virus_scan: none", {"scanned": False}, Outcome.DELIVER),
        ("read_text: true", {"virus": "Eicar"}, Outcome.BLOCK),
        ("infected: hold", {"virus": "Eicar"}, Outcome.HOLD),
    ],
)
def test_each_word_of_the_section_has_its_outcome(section: str, change: dict, outcome: Outcome) -> None:
    """As written, or as the section does when nothing is written."""
    assert screened(section, replace(PDF, **change)).outcome is outcome


def test_reasons_count_and_name_no_file() -> None:
    """What kind of thing and how many: as reason, and written down like a match."""
    bad = replace(PDF, macros=True)
    verdict = screened("macros: block", bad, bad, PDF)
    assert verdict.reason == "attachments p: 2 with macros" and verdict.cause is Cause.RULE
    assert [(m.rule, m.outcome, m.why) for m in verdict.matches] == [
        ("attachments/macros", Outcome.BLOCK, "2 with macros")
    ]
    assert "salary" not in repr(replace(verdict, text=""))


def test_what_nobody_looked_into_is_a_failure() -> None:
    """Unread, unscanned and uninspected files are held by their own cause."""
    for verdict in (
        screened("read_text: true", replace(PDF, unreadable="broken")),
        screened("virus_scan: clamav", replace(PDF, scanned=False)),
        screened("read_text: true", PDF, sent=2),
    ):
        assert (verdict.outcome, verdict.cause) == (Outcome.HOLD, Cause.FAILURE)


def test_a_policy_without_the_section_minds_no_attachment() -> None:
    """Then only the rules look at them."""
    sent = message("see", files=(File("ref", "a.exe"),))
    assert weigh(policy_set(one_rule()), sent).outcome is Outcome.DELIVER


def test_the_strictest_of_two_files_counts() -> None:
    """What one allows and the other does not, does not pass."""
    loose = one_rule(name="a", top="attachments: { allow: [pdf, png] }\n")
    tight = one_rule(name="b", top="attachments: { allow: [png] }\n")
    sent = message("see", files=(File("ref", PDF.name),))
    verdict = weigh(policy_set(loose, tight), sent, inspections=(PDF,))
    assert verdict.outcome is Outcome.BLOCK and verdict.reason == "attachments b: 1 of a type not allowed"


def test_detectors_look_at_the_text_inside() -> None:
    """A finding there acts; it cannot be masked, so that a mask holds instead; its place is not shown."""
    inside = replace(PDF, text=f"card {CARD}")
    assert screened("read_text: true", inside, then="{ block: true }").outcome is Outcome.BLOCK
    verdict = screened("read_text: true", inside, then="{ redact: true }")
    assert (verdict.outcome, verdict.text) == (Outcome.HOLD, "see")
    assert verdict.matches[0].spans == () and "a file" in verdict.matches[0].why
    assert screened("read_text: false", inside, then="{ block: true }").outcome is Outcome.DELIVER


def test_a_policy_that_says_nothing_of_attachments_looks_inside() -> None:
    """Text inside is text for every policy; what cannot be read inside matters only where a section says so."""
    silent = policy_set(one_rule())
    sent = message("see", files=(File("ref", PDF.name),))
    assert weigh(silent, sent, inspections=(replace(PDF, text=f"card {CARD}"),)).outcome is Outcome.BLOCK
    assert weigh(silent, sent, inspections=(replace(PDF, unreadable="broken"),)).outcome is Outcome.DELIVER


def test_only_the_files_that_say_so_look_inside() -> None:
    """One policy reads attachments, its neighbour does not."""
    blind = one_rule(name="blind", top="attachments: { read_text: false }\n")
    reader = one_rule(name="reader", top="attachments: { read_text: true }\n")
    sent = message("see", files=(File("ref", PDF.name),))
    verdict = weigh(policy_set(blind, reader), sent, inspections=(replace(PDF, text=CARD),))
    assert [match.policy for match in verdict.matches] == ["reader"]


def test_kinds_have_an_outcome_of_their_own() -> None:
    """A voice message is held, a location blocked, whatever they say; others are for the rules."""
    policies = policy_set(one_rule(top="kinds: { voice: hold, location: block, image: deliver }\n"))
    for kind, outcome in (
        (Kind.VOICE, Outcome.HOLD),
        (Kind.LOCATION, Outcome.BLOCK),
        (Kind.IMAGE, Outcome.DELIVER),
        (Kind.TEXT, Outcome.DELIVER),
    ):
        assert weigh(policies, message("x", kind=kind)).outcome is outcome
    verdict = weigh(policies, message("x", kind=Kind.VOICE))
    assert verdict.reason == "kinds p: voice" and verdict.matches[0].rule == "kinds/voice"

"""Facets: what a message is known by beside its words."""

from __future__ import annotations

import pytest
from specimens import Specimen, decided, wrote

from bridge.message import Inspection, Match, Outcome
from bridge.search.document import Attached
from bridge.search.facets import FACETS, HAVING


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("hello", {"en"}), ("账户", {"zh", "zh-hans"}), ("賬戶", {"zh", "zh-hant"}),
        ("日本のhello", {"zh", "zh-hans", "ja", "en"}),

        ("한국", {"ko"}), ("тест", {"ru"}), ("123 😀", set()), ("", set()),
    ],
)  # fmt: skip
def test_languages_are_scripts(text: str, languages: set[str]) -> None:
    """A text may be in several; Traditional is what folding changes."""
    assert set(FACETS["lang"](wrote(text))) == languages


def test_monitored_rules_would_have_done_something() -> None:
    """What an exception lifted is not what a rule in monitor mode would have done."""
    monitored = Match("desk", "r", "", Outcome.BLOCK, enforced=False)
    lifted = Match("desk", "s", "", Outcome.HOLD, enforced=False, exception="desk/ipo-team")
    message = wrote("", decisions=[decided(Outcome.DELIVER, monitored, lifted)])
    assert list(FACETS["would"](message)) == ["block"]
    assert set(FACETS["exception"](message)) == {"desk/ipo-team", "ipo-team"}
    assert set(FACETS["rule"](message)) == {"r", "desk/r", "s", "desk/s"}


def test_types_are_by_bytes_by_claim_and_by_name() -> None:
    """A PDF that calls itself a picture is found as either."""
    found = Inspection("cat.png", "pdf", 9, claims="png")
    assert set(FACETS["type"](wrote("", files=[Attached("cat.PNG", "file", 9, "", found)]))) == {"pdf", "png"}


def test_a_plain_message_has_nothing() -> None:
    """Every value of has: needs its reason."""
    bare = Specimen(text="hi", decisions=[decided()])
    assert not [name for name, one in HAVING.items() if one.is_there(bare)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("attachment", wrote("", files=[Attached("a", "file", 1)])),
        ("mask", wrote("", decisions=[decided(Outcome.REDACT)])),
        ("quote", wrote("", quote="x")),
        ("link", wrote("see HTTPS://bank.example")),
        ("defect", wrote("", defect="cut")),
        ("virus", wrote("", files=[Attached("a", "file", 1, "", Inspection("a", "exe", 1, virus="x"))])),
        ("macros", wrote("", files=[Attached("a", "file", 1, "", Inspection("a", "xlsm", 1, macros=True))])),
        (
            "encrypted",
            wrote("", files=[Attached("a", "file", 1, "", Inspection("a", "zip", 1, encrypted=True))]),
        ),
    ],
)
def test_what_it_has(name: str, message: Specimen) -> None:
    """Exactly the one thing that came with it (a file comes with its attachment)."""
    assert set(FACETS["has"](message)) - {name} <= {"attachment"}
    assert name in FACETS["has"](message)

"""A certificate says the same in words and as a value, and whoever changes either is found."""

from __future__ import annotations

import pytest

from bridge.ledger.checkpoint import Signer
from bridge.records.certificate import Account, Certificate, Finding, Look, from_value, read, signed, standing

SIGNER = Signer("weighbridge/5b1c4e1a0c77d2e9", b"k" * 32)

ONE = Certificate(
    day="2026-11-21",
    run=2,
    since=1_795_219_200_000,
    until=1_795_305_600_000,
    made_at=1_795_307_400_000,
    head=(278, "ab" * 32),
    accounts=(Account("source", "symphony", {"collected": 5, "archived": 4, "missing": 1}, 3, 7),),
    lists={"fault source missing": ("symphony/s8",)},
    totals={"fault source missing": 1},
    unasked=("weixin wkDesk: kept for three days only",),
    canaries={"detector cards": "well"},
    capture={"symphony": 31},
    quiet=("weixin",),
)


def _read(note: str) -> Certificate:
    return read(note, [SIGNER.verifier(0)])


def test_what_was_signed_is_read_again() -> None:
    """The note gives the certificate back, with every count and list."""
    assert _read(signed(ONE, SIGNER)).canonical() == ONE.canonical()
    assert ONE.broken and not ONE.clean and ONE.faults == 1


def test_the_value_has_one_form() -> None:
    """Canonical JSON is read and written again byte for byte; other scripts are escaped."""
    import orjson

    chinese = Certificate("2026-11-21", 1, 0, 1, 2, (0, ""), alerts=("规则 沉默",))
    assert chinese.canonical().isascii()
    for one in (ONE, chinese):
        assert from_value(orjson.loads(one.canonical())).canonical() == one.canonical()


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        ('"missing":1', '"missing":0'),
        ("  missing                1", "  missing                0"),
        ("symphony/s8", "symphony/s9"),
        ("1 differences", "nothing is missing"),
    ],
)
def test_a_change_breaks_the_signature(was: str, is_: str) -> None:
    """In its words or in its value: one changed count is refused."""
    note = signed(ONE, SIGNER)
    assert was in note
    with pytest.raises(ValueError, match="signature"):
        _read(note.replace(was, is_))


def test_words_that_say_something_else_are_refused_even_when_signed() -> None:
    """Who has the key cannot hand out a note whose words belie its value."""
    text = signed(ONE, SIGNER).partition("\n\n— ")[0]
    forged = SIGNER.note(0, text.replace("1 differences", "nothing is missing, nothing was changed") + "\n")
    with pytest.raises(ValueError, match="words"):
        _read(forged)


def test_a_note_of_another_key_or_kind_is_no_certificate() -> None:
    """Strangers' keys are refused, and so is a checkpoint of our own."""
    with pytest.raises(ValueError, match="key"):
        read(signed(ONE, Signer("weighbridge/other", b"o" * 32)), [SIGNER.verifier(0)])
    with pytest.raises(ValueError, match="no certificate"):
        _read(SIGNER.sign(0, 5, b"r" * 32))


def test_a_list_that_was_cut_says_so() -> None:
    """Behind every count is its list; where it is too long, the certificate says how much of it is there."""
    cut = Certificate("d", 1, 0, 1, 2, (0, ""), lists={"fault x": ("a",)}, totals={"fault x": 9})
    assert "fault x: 9, the first 1 of them" in cut.words()


A, B = (Finding("fault archive altered", f"message/1: {column}") for column in ("sender", "kind"))


@pytest.mark.parametrize(
    ("looks", "stands"),
    [
        ("a", {A}),
        ("a b", {A, B}),
        ("a B", {B}),
        ("a! a", set()),
        ("a! ab", {B}),
        ("a! - ab", {B}),
        ("a! N a", {A}),
        ("a b!", set()),
        ("a! b N", set()),
    ],
)
def test_what_was_found_stands_until_it_is_gone_or_explained(looks: str, stands: set[Finding]) -> None:
    """Runs in their order: "a" and "b" are what they found, upper case that they were thorough ("N" found
    nothing), "!" that somebody settled what stood by then."""

    def read(look: str) -> Look:
        said = frozenset({one for letter, one in (("a", A), ("b", B)) if letter in look.lower()})
        return Look(said, thorough=look.isupper(), settled=look.endswith("!"))

    assert standing(map(read, looks.split()))[0] == stands

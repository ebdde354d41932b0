"""How well the built-in detectors do, as a table: `python tests/policy/measure.py` prints it.

Rules of this file: everything is judged by the product, through a policy with one detector, and counts from
medium confidence. Published are texts whose verdict somebody else gave: Presidio's tests (`published.txt`)
and the examples in python-stdnum's documentation. Generated are 500 valid numbers and 500 near misses.
"""

from __future__ import annotations

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from policy_rig import found, looking_for
from samples import KINDS

GENERATED = 500
PUBLISHED = Path(__file__).with_name("published.txt")
STDNUM = {
    "stdnum.cn.ric": "china_resident_id",
    "stdnum.iban": "iban",
    "stdnum.bic": "bic",
    "stdnum.lei": "lei",
    "stdnum.isin": "isin",
    "stdnum.cn.uscc": "uscc",
    "stdnum.bitcoin": "crypto_wallet",
}
# Presidio looks for numbers of these regions, and takes every finding for one.
PRESIDIO_PHONE = "type: phone, regions: [US, GB, DE, FR, IL, IN, CA, BR, JP, CN]"


class Case(NamedTuple):
    """A text and the number of findings that its publisher expects."""

    kind: str
    expected: int
    text: str


class Score(NamedTuple):
    """Findings that were expected and made, expected and missed, and made without being expected."""

    right: int = 0
    missed: int = 0
    wrong: int = 0

    def plus(self, expected: int, made: int) -> Score:
        """This score after another text."""
        return Score(
            self.right + min(expected, made),
            self.missed + max(expected - made, 0),
            self.wrong + max(made - expected, 0),
        )


def published() -> Iterator[Case]:
    """Presidio's cases, then python-stdnum's."""
    for line in PUBLISHED.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            kind, expected, text = line.split("\t")
            yield Case(kind, int(expected), text)
    for module, kind in STDNUM.items():
        yield from (Case(kind, valid, text) for text, valid in _examples(module))


def _examples(module: str) -> Iterator[tuple[str, bool]]:
    """Each number that the documentation of `module` validates, and whether it is said to be valid."""
    documentation = importlib.import_module(module).__doc__ or ""
    for example in doctest.DocTestParser().get_examples(documentation):
        call = ast.parse(example.source.strip(), mode="eval").body
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "validate" and len(call.args) == 1:
            text = str(ast.literal_eval(call.args[0]))
            yield (f"SWIFT {text}" if kind_needs_word(module) else text), example.exc_msg is None


def kind_needs_word(module: str) -> bool:
    """Whether a finding of this kind counts only beside a word, which we then add."""
    return STDNUM[module] == "bic"


def score(kind: str) -> Score:
    """`kind` on what others published."""
    policies = looking_for(PRESIDIO_PHONE if kind == "phone" else KINDS[kind].options)
    total = Score()
    for case in published():
        if case.kind == kind:
            total = total.plus(case.expected, len(found(policies, case.text)))
    return total


def generated(kind: str) -> tuple[int, int]:
    """How many of the valid numbers and of the near misses are found."""
    policies, random = looking_for(KINDS[kind].options), Random(kind)
    hits = sum(bool(found(policies, KINDS[kind].right(random))) for _ in range(GENERATED))
    misses = sum(bool(found(policies, KINDS[kind].wrong(random))) for _ in range(GENERATED))
    return hits, misses


def _share(part: int, rest: int) -> str:
    return f"{part / (part + rest):.3f}" if part + rest else "–"


def table() -> str:
    """The figures as a Markdown table."""
    lines = [
        "| `type` | valid, found | near misses, found | published | precision | recall |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in KINDS:
        hits, misses = generated(kind)
        right, missed, wrong = score(kind)
        cases = sum(case.kind == kind for case in published())
        shares = f"{_share(right, wrong)} | {_share(right, missed)}"
        lines.append(
            f"| `{kind}` | {hits} of {GENERATED} | {misses} of {GENERATED} | {cases or '–'} | {shares} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())

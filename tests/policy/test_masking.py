"""Masks: what they cover is gone, and nothing else has changed."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.masking import Mask, apply, unite


@pytest.mark.parametrize(
    ("text", "mask", "shown"),
    [
        ("11010519491231002X", Mask(0, 18, 4), "**************002X"),
        ("4111 1111-1111 1111", Mask(0, 19, 4), "**** ****-**** 1111"),
        ("4111111111111111", Mask(0, 16, 4, fixed=True), "****1111"),
        ("腾讯涨了", Mask(0, 2), "**涨了"),
        ("0700", Mask(0, 4, 4), "****"),
        ("12345678", Mask(0, 8, 4), "****5678"),
        ("内\u200b幕", Mask(0, 3), "**"),
        ("e\u0301e\u0301x", Mask(0, 4), "**x"),
    ],
)
def test_masks_look_as_promised(text: str, mask: Mask, shown: str) -> None:
    """Separators stay, the last characters stay, and never more is shown than hidden."""
    assert apply(text, [mask]) == shown


def test_overlapping_masks_unite_under_the_stronger() -> None:
    """Whatever the order, the union is covered with the fewest readable characters and the fixed shape."""
    masks = [Mask(0, 8, 4), Mask(4, 12, 2), Mask(20, 22, 1, fixed=True)]
    for order in permutations(masks):
        assert unite(order) == [Mask(0, 12, 2), Mask(20, 22, 1, fixed=True)]
    assert unite([Mask(0, 8, 4), Mask(2, 4, 0, fixed=True)]) == [Mask(0, 8, 0, fixed=True)]


def test_neighbours_do_not_unite() -> None:
    """Two numbers side by side keep their own last characters."""
    assert apply("1234567812345678", [Mask(0, 8, 4), Mask(8, 16, 4)]) == "****5678****5678"


@given(st.text(max_size=60), st.data())
def test_nothing_outside_a_mask_changes(text: str, data: st.DataObject) -> None:
    """The passages between masks stand in the result, in order, untouched."""
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    keep = data.draw(st.integers(0, 4))
    shown = apply(text, [Mask(start, end, keep) for start, end in spans])
    at = 0
    for start, end in zip(
        [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)], strict=True
    ):
        found = shown.find(text[start:end], at)
        assert found >= 0
        at = found + end - start


@given(st.from_regex(r"[0-9]{1,30}", fullmatch=True), st.integers(0, 8), st.booleans())
def test_a_mask_never_shows_more_than_half(digits: str, keep: int, fixed: bool) -> None:
    """At most `keep_last` digits stay readable, and never more than are hidden."""
    shown = apply(digits, [Mask(0, len(digits), keep, fixed)])
    readable = shown.replace("*", "")
    assert len(readable) <= min(keep, len(digits) // 2)
    assert digits.endswith(readable)

"""Masking: what a reader gets to see of a passage that a rule covers.

Rules of this file: masks replace original characters inside their spans and touch nothing else. Where
masks overlap they unite, and the stronger one holds for the whole: a fixed shape beats stars by position,
and the fewest readable characters win.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.policy.folding import fold, graphemes

STAR = "*"
FIXED = STAR * 4
_SEPARATORS = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d")


@dataclass(frozen=True, slots=True)
class Mask:
    """How to cover a span: leave the last `keep_last` characters, hide the length if `fixed`."""

    start: int
    end: int
    keep_last: int = 0
    fixed: bool = False

    def joined(self, other: Mask) -> Mask:
        """One mask over both, as strong as the stronger in each respect."""
        return Mask(
            min(self.start, other.start),
            max(self.end, other.end),
            min(self.keep_last, other.keep_last),
            self.fixed or other.fixed,
        )


def unite(masks: Iterable[Mask]) -> list[Mask]:
    """`masks` in order, those that share a character made one."""
    united: list[Mask] = []
    for mask in sorted(masks, key=lambda m: (m.start, m.end, m.keep_last, m.fixed)):
        if united and mask.start < united[-1].end:
            united[-1] = united[-1].joined(mask)
        else:
            united.append(mask)
    return united


def _is_separator(grapheme: str) -> bool:
    return grapheme.isspace() or grapheme in _SEPARATORS


def _covered(passage: str, mask: Mask) -> str:
    """`passage` under `mask`. As much must be hidden as is kept, otherwise everything is hidden."""
    visible = [g for g in graphemes(passage) if _is_separator(g) or fold(g)]
    secret = [index for index, g in enumerate(visible) if not _is_separator(g)]
    keep = mask.keep_last if len(secret) >= 2 * mask.keep_last else 0
    kept = secret[len(secret) - keep :]
    if mask.fixed:
        return FIXED + "".join(visible[index] for index in kept)
    hidden = frozenset(secret) - frozenset(kept)
    return "".join(STAR if index in hidden else g for index, g in enumerate(visible))


def apply(text: str, masks: Iterable[Mask]) -> str:
    """`text` with every mask applied."""
    masks = list(masks)
    if not masks:
        return text
    pieces: list[str] = []
    done = 0
    for mask in unite(masks):
        pieces += text[done : mask.start], _covered(text[mask.start : mask.end], mask)
        done = mask.end
    return "".join([*pieces, text[done:]])

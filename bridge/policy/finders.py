"""Detectors made ready to run: every word list and pattern of all files in one engine.

Rules of this file: built once per load from checked models, never changed afterwards. Names are scoped to
their file: two files may both have a detector `card`, and each rule sees its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bridge.policy import cards, contacts, credentials, identity, registers, wallets
from bridge.policy import detectors as d
from bridge.policy import language as lang
from bridge.policy.folding import fold
from bridge.policy.lexicon import Lexicon, Words
from bridge.policy.patterns import pattern_set

USUALLY_WITHIN = 20  # characters between a finding and a word that usually stands beside it
_SHAPES: Mapping[str, d.Shape] = {
    "china_resident_id": identity.CHINA_RESIDENT_ID,
    "hkid": identity.HKID,
    "taiwan_id": identity.TAIWAN_ID,
    "macau_bir": identity.MACAU_BIR,
    "home_return_permit": identity.HOME_RETURN_PERMIT,
    "taiwan_permit": identity.TAIWAN_PERMIT,
    "iban": registers.IBAN,
    "bic": registers.BIC,
    "lei": registers.LEI,
    "isin": registers.ISIN,
    "uscc": registers.USCC,
    "email": contacts.EMAIL,
    "url": contacts.URL,
    "secret": credentials.SECRET,
}


class Collector:
    """Gives every word list and pattern of all files its number, and remembers who asks for it."""

    def __init__(self) -> None:
        self._lists: list[Words] = []
        self._shelters: dict[tuple[int, str], int] = {}
        self._days: dict[tuple[int, str], d.Days] = {}
        self._patterns: list[str] = []
        self._by_owner: dict[int, set[d.Finder]] = {}
        self._by_pattern: dict[int, set[d.Finder]] = {}
        self._ticker = self.owner(d.TICKER_WORDS)

    def owner(self, words: Iterable[str], disguised: Iterable[str] = ()) -> int:
        """A new owner of `words`."""
        self._lists.append(Words(words, frozenset(disguised)))
        return len(self._lists) - 1

    def word_list(
        self, model: lang.WordList, words: Iterable[str], days: Mapping[str, d.Days] | None = None
    ) -> int:
        """A new owner of the words of a list; what makes one of them innocent has an owner of its own.

        `days` says of a folded word when it counts; one that is not in there counts always.
        """
        owner = self.owner(words, model.evasion)
        self._days |= {(owner, word): some for word, some in (days or {}).items()}
        for word, longer in model.unless_words.items():
            self._shelters[owner, fold(word).strip()] = self.owner(longer, model.evasion)
        return owner

    def engine(self) -> d.Engine:
        """All of it, ready to search."""
        return d.Engine(
            lexicon=Lexicon(dict(enumerate(self._lists))),
            patterns=pattern_set(tuple(self._patterns)),
            by_owner={owner: frozenset(finders) for owner, finders in self._by_owner.items()},
            by_pattern={number: frozenset(finders) for number, finders in self._by_pattern.items()},
        )

    def finder(self, model: lang.Detector, lists: Mapping[str, int]) -> d.Finder:
        """`model`, ready to run."""
        if isinstance(model, lang.WordsDetector):
            return self._words(model, [lists[name] for name in model.list])
        shape = _shape(model)
        context = self._context(model.context, shape.words)
        finder = d.ShapeFinder(shape, context, _levels(model))
        self._by_pattern[len(self._patterns)] = {finder}
        self._patterns.append(shape.pattern)
        return finder

    def _words(self, model: lang.WordsDetector, owners: Sequence[int]) -> d.Finder:
        shelters = {key: by for key, by in self._shelters.items() if key[0] in owners}
        days = {key: some for key, some in self._days.items() if key[0] in owners}
        context = self._context(model.context, ())
        levels = _levels(model) or d.CERTAIN
        finder = d.WordsFinder(tuple(owners), self._ticker, shelters, days, context, levels)
        for owner in owners:
            self._by_owner.setdefault(owner, set()).add(finder)
        return finder

    def _context(self, written: lang.Context | None, usual: Sequence[str]) -> d.Context:
        """The context that is written, else the words that usually stand beside such a finding."""
        if written is not None:
            return d.Context(self.owner(written.words), written.within, written.messages)
        return d.Context(self.owner(usual), USUALLY_WITHIN) if usual else d.Context()


def _levels(model: lang.Contextual) -> d.Levels | None:
    """The levels that are written. With context words of its own a detector is unsure without them."""
    sure = model.confidence
    if sure is None:
        return d.FORMAT if model.context else None
    return d.Levels(d.CONFIDENCE[sure.alone], d.CONFIDENCE[sure.with_context])


def _shape(model: lang.Detector) -> d.Shape:
    match model:
        case lang.PatternDetector():
            return d.written_pattern(model.pattern, model.boundary)
        case lang.PaymentCardDetector():
            return cards.payment_card(model.brands or tuple(cards.BRANDS))
        case lang.PassportDetector():
            return identity.passport(model.countries)
        case lang.PhoneDetector():
            return contacts.phone(model.regions)
        case lang.CryptoWalletDetector():
            return wallets.crypto_wallet(model.coins)
    return _SHAPES[model.type]

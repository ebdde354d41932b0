"""Every word that an index is to know a document by.

Rules of this file: it only gathers. What counts as a word is said in `parts`, `people`, `facets` and
`states`, and conditions ask there as well: a query never needs a word that is not given here.

    t:      text as written and as let out, quoted text, names of attachments
    i:      text inside attachments
    reason: why it was decided so
    from:   to: reviewer:     people
    the names of facets, and is: for what never changes
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from bridge.policy.folding import fold
from bridge.search import people
from bridge.search.document import Document, Person
from bridge.search.facets import FACETS
from bridge.search.parts import known
from bridge.search.reading import FIELDS
from bridge.search.states import settled

#: The kind of word that each kind of field is known by.
PREFIX = {"text": "t", "sent": "t", "quote": "t", "file": "t", "inside": "i", "reason": "reason"}
PEOPLE = {"from": people.author, "to": people.reader, "reviewer": people.reviewers}


def tokens_of(document: Document) -> set[str]:
    """Every word that an index is to know `document` by: "t:腾讯", "from:alice", "rule:hk-equities/mnpi"."""
    found: set[str] = set()
    for prefix, text in _texts(document):
        found.update([prefix + word for word in known(fold(text))])
    for name, among in PEOPLE.items():
        for person in among(document):
            found |= _of_person(name, person)
    for name, values in FACETS.items():
        for value in values(document):
            if value:
                found.add(f"{name}:{value}")
    found.update([f"is:{state}" for state in settled(document)])
    return found


@functools.lru_cache(maxsize=8192)
def _of_person(role: str, person: Person) -> frozenset[str]:
    return frozenset(f"{role}:{word}" for word in people.words(person))


def _texts(document: Document) -> Iterator[tuple[str, str]]:
    """Each text once, with the beginning of its words: what was sent is mostly what was written."""
    return iter(
        {
            (PREFIX[field] + ":", text): None
            for field, texts in FIELDS.items()
            for _, text in texts(document)
            if text
        }
    )

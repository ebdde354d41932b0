"""The policy: what compliance staff write, checked like a program and answered like a sum.

    diagnostics   what is wrong, where, and what to write instead
    catalogue     the words for it, keyed by code, a table for each language
    rendering     diagnostics as people and programs get them
    sentences     a rule as its readers would say it
    trace         why a message gets its verdict, rule by rule
    narration     a trace as people read it
    document      YAML as a tree with positions; no scalar has a type yet
    language      the grammar as models: the single source of what may be written
    decoding      the tree against the grammar: what the models refuse, in words and at a place
    presets       the periods of regulations, by name
    naming        whatever is named must be there
    wordlists     the words of a list, written or in a file
    lints         what is valid and yet suspicious
    loader        bytes → models → PolicySet, every problem at once
    folding       the many ways to write the same characters, with the way back to the original
    disguises     how a word is written so that it is not found
    lexicon       every word of every list at once
    patterns      what people write as patterns, on RE2
    detectors     what can be found in folded text, and how surely
    cards, identity, registers, wallets, contacts, credentials
                  the shapes that are built in
    keccak        the hash in Ethereum's addresses
    finders       the detectors of all files in one engine
    members       who is meant by an address, a pattern, an id or a tag
    facts         what may be asked about one message
    calendars, periods
                  working time and trading days; when a period is over
    conditions    `when` and `unless`, a function for each key
    rules, shelves
                  rules, barriers and exceptions made ready, and laid where they are wanted
    screening, consent, keeping
                  attachments and kinds; the gate and disclaimers; retention, archives, legal holds
    compiled      whole files made ready to run
    masking       what a reader gets to see of a masked passage
    answers       reasons for an outcome, of which the strictest wins
    judge         message → verdict, pure
    verdicts      what was found becomes one verdict
    edition       which program decides
    trial         the tests that live inside rules

Nothing here opens a socket, reads a clock or throws dice. One function, `loader._file`, opens files.

What others take from here is imported when it is first asked for: whoever only folds a word or counts a
period does not wait for the grammar. `judge` is no such name, since its module has it: `policy.judge.judge`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.policy.compiled import PolicySet
    from bridge.policy.diagnostics import Diagnostic
    from bridge.policy.loader import Source, assemble, check, load, read
    from bridge.policy.rendering import render
    from bridge.policy.trial import TrialResult, run_tests
    from bridge.record import as_record, from_record

__all__ = [
    "Diagnostic",
    "PolicySet",
    "Source",
    "TrialResult",
    "as_record",
    "assemble",
    "check",
    "from_record",
    "load",
    "read",
    "render",
    "run_tests",
]

_HOMES = {  # module: what it gives
    "bridge.policy.compiled": ("PolicySet",),
    "bridge.policy.diagnostics": ("Diagnostic",),
    "bridge.policy.loader": ("Source", "assemble", "check", "load", "read"),
    "bridge.policy.rendering": ("render",),
    "bridge.policy.trial": ("TrialResult", "run_tests"),
    "bridge.record": ("as_record", "from_record"),
}


def __getattr__(name: str) -> object:
    """What `name` stands for; raises AttributeError when nothing here has it."""
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(home), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

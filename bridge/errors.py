"""Every error of the house, as a tree that says whose fault it is, what follows, and what a person does.

    WeighbridgeError
    ├── ConfigError      the operator's file      the daemon refuses to start        mend the file
    │   └── KeyMissing   whoever has the key      what is sealed stays shut          bring the key
    ├── PolicyError      the policy author's      the old policy stays in force      mend the file
    ├── QueryError       who asks                 nothing is searched                mend the query
    ├── StoreError       disk or database         nothing moves without the ledger   disk, rights, database
    │   ├── NoStore      nobody's                 nothing to read yet                start the daemon once
    │   └── Damaged      whoever changed it       the evidence is not used           audit verify
    ├── Conflict         two people at once       nothing changed                    look again
    │   └── Missing      who asks                 nothing is shown                   another name
    ├── NotAllowed       who asks                 nothing changed                    another person acts
    ├── Unwitnessed      a place outside's        checkpoints wait, messages go on   what its text says
    └── NetworkError     the other side
        ├── Unreachable  nobody's                 retried with a limit, order kept   look after a while
        ├── Refused      the message or the peer  this delivery is parked            the desk decides
        └── SignedOut    credentials              that network's rooms close         sign in

Anything else is a bug: it ends the process, and the supervisor starts it again.
No message of any error carries message text, names or secrets (invariant 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class WeighbridgeError(Exception):
    """The root: errors that we expect and can explain."""


class ConfigError(WeighbridgeError):
    """The configuration cannot be used. `problems` holds every one found, each with its remedy."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class KeyMissing(ConfigError):
    """The master key that the store was sealed with is not here: the text says where it was looked for."""


class PolicyError(WeighbridgeError):
    """One or more policy files have errors. `problems` holds all diagnostics, each with its position."""

    def __init__(self, problems: Sequence[object]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problem(s) in the policy")


class QueryError(WeighbridgeError):
    """A search cannot be understood. `problems`: every one found (`bridge.search.diagnostics.Problem`)."""

    def __init__(self, problems: Sequence[Any]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problem(s) in the query")


class StoreError(WeighbridgeError):
    """The store could not do what it was asked: nothing was changed."""


class NoStore(StoreError):
    """There is no store yet, or it is of another version: the text says what makes it."""


class Damaged(StoreError):
    """What the ledger testifies to is gone from the archive, or is not what was recorded."""


class Conflict(WeighbridgeError):
    """Somebody else was faster, or the thing is not in a state in which this can be done."""


class Missing(Conflict):
    """What was named or asked for is not there; nobody tried to change anything."""


class NotAllowed(WeighbridgeError):
    """This person may not do this, or not alone: the text says who may."""


class Unwitnessed(WeighbridgeError):
    """A place outside the database did not take a checkpoint, or cannot be asked: tried again later.

    `code` is a short stable word ("no-lock", "no-bucket", "denied", "slow", ...).
    """

    def __init__(self, code: str, why: str) -> None:
        self.code = code
        super().__init__(why)


class NetworkError(WeighbridgeError):
    """A network did not do what we asked."""


class Unreachable(NetworkError):
    """The network could not be reached or was overloaded: worth another try.

    `certain` is True when it is certain that nothing was sent. `retry_after` is in seconds, None when the
    network named no time.
    """

    def __init__(self, why: str, *, certain: bool, retry_after: float | None = None) -> None:
        self.certain = certain
        self.retry_after = retry_after
        super().__init__(why)


class Refused(NetworkError):
    """The network said no, and will say no again. Nothing was sent, but for the parts in `sent`.

    `code` is a short stable word ("compliance", "window", "quota", "too-large", "not-member", ...).
    `until_inbound` is True when the delivery becomes possible again as soon as the person on the other
    side writes. `sent` holds the network's ids of parts that went out before a later part was refused;
    `text_sent` says that the whole text was among them, and only attachments are missing.
    """

    def __init__(
        self,
        code: str,
        why: str,
        *,
        until_inbound: bool = False,
        sent: Sequence[str] = (),
        text_sent: bool = False,
    ) -> None:
        self.code = code
        self.until_inbound = until_inbound
        self.sent = tuple(sent)
        self.text_sent = text_sent
        super().__init__(why)


class SignedOut(NetworkError):
    """Credentials or settings are refused. `remedy` says what a person has to do."""

    def __init__(self, why: str, *, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(f"{why} {remedy}")

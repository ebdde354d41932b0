"""What an export says of itself: who asked for what, what went in and out, what did not and why, every file.

Rules of this file: pure, and nothing in it depends on when or where the export was made: the same question to
the same record gives the same bytes. The time of making stands in the ledger (`export:made`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge.records.exports.numbers import Numbers
from bridge.records.transcript import Came, Line, Request, Slice

FORMAT = "weighbridge-export/1"
NAME, NOTE = "manifest.json", "manifest.note"
TIMES = "milliseconds since 1970-01-01 00:00:00 UTC"

MISSING = "attachment-missing"
"""The code of the warning that an attachment is not in the archive any more: the exit code says so too."""

NOT_GIVEN = "attachment-not-given"
"""The code of the warning that the archive never had an attachment: its network did not give it."""


NOT_SHOWN = "attachment-not-shown"
"""The code of the warning that a client's copy has nothing of an attachment, because he was perhaps never
shown it."""

PENDING = "attachment-pending"
"""The code of the warning that an attachment was not in the archive yet: the exit code says so too."""

OTHER_DAY = "other-day"
"""The code of the warning that a message was archived on another day than it was written."""

ARCHIVED_LATER = "archived-later"
"""The code of the warning that a message was written in the query's span of time, archived behind it, and
therefore not found."""

DAYS = "conversations and the spans of a query go by the time of archiving"

MADE_UP = "made-up-domain"
"""The code of the warning that somebody in a message has an address under a domain that nobody has."""

LATER = "later-version"
"""The code of the warning that a message was replaced, or taken back, by one that is not in the export."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms an export is made: format and profile, the options of both, the region it goes to and
    the approval for it ("" for none), whether it is one client's copy."""

    format: str
    profile: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    approval: str = ""
    client: str = ""
    leave_out: bool = False
    client_copy: bool = False


@dataclass
class Account:
    """What has gone into an export so far, part by part. `gone` are messages of its span that were disposed
    of: whether the query would have found them, nobody can say any more."""

    found: Numbers = field(default_factory=Numbers)
    written: Numbers = field(default_factory=Numbers)
    excluded: dict[str, Numbers] = field(default_factory=dict)
    warned: dict[tuple[str, str], Numbers] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    gone: Numbers = field(default_factory=Numbers)
    parts: int = 0

    def exclude(self, number: int, reason: str) -> None:
        """A message was found and is not handed over."""
        self.excluded.setdefault(reason, Numbers()).add(number)

    def warn(self, code: str, number: int, detail: str) -> None:
        """Something of a message is not handed over, or has no place in the format."""
        self.warned.setdefault((code, detail), Numbers()).add(number)

    @property
    def whole(self) -> bool:
        """Whether everything that was found is either written or excluded with a reason, nothing twice."""
        out = len(self.written) + sum(map(len, self.excluded.values()))
        return out == len(self.found) and self.counts["messages"] == len(self.written)


def counted(slices: Iterable[Slice]) -> Counter[str]:
    """What is in these slices."""
    counts: Counter[str] = Counter()
    for one in slices:
        counts["slices"] += 1
        for item in one.items:
            counts.update(_came(item) if isinstance(item, Came) else _line(item))
    return counts


def _came(item: Came) -> Mapping[str, int]:
    return {"joins": 1} if item.joined else {"leaves": 1}


def _line(line: Line) -> Mapping[str, int]:
    here = sum(bool(file.digest) for file in line.files)
    return {
        "messages": 1,
        "notices": int(line.notice_for is not None),
        "edits": int(bool(line.replaces) or line.edits is not None),
        "recalls": int(line.kind == "recall"),
        "edited_later": int(any(not one.recall for one in line.later)),
        "recalled_later": int(any(one.recall for one in line.later)),
        "unreadable": int(bool(line.gone)),
        "decisions": len(line.decisions),
        "deliveries": len(line.deliveries),
        "attachments": here,
        "attachments_missing": len(line.files) - here,
        "attachment_bytes": sum(file.size for file in line.files if file.digest and file.size > 0),
    }


COUNTS = (
    *("messages", "notices", "edits", "recalls", "edited_later", "recalled_later", "unreadable"),
    *("joins", "leaves", "decisions", "deliveries"),
    *("attachments", "attachments_missing", "attachment_bytes", "slices"),
)


def counts(account: Account) -> dict[str, int]:
    """Counts of what was found, excluded and written, every one of them, be it 0."""
    excluded = sum(map(len, account.excluded.values()))
    head = {"found": len(account.found), "excluded": excluded, "written": len(account.written)}
    return head | {name: account.counts[name] for name in COUNTS}


def manifest(
    request: Request, terms: Terms, account: Account, checkpoints: Mapping[int, str], lacks: Mapping[str, str]
) -> bytes:
    """The list of what is in an export; `checkpoints` are file names by lane, `lacks` is what the format has
    no place for in any message."""
    runs = list(account.written.runs())
    value = {
        "format": FORMAT,
        "id": request.id,
        "export": terms.format,
        "profile": terms.profile,
        "options": dict(sorted(terms.options.items())),
        "asked": _asked(request, terms),
        "region": terms.region,
        "approval": "" if terms.client_copy else terms.approval,
        "client": terms.client,
        "client_copy": terms.client_copy,
        "times": TIMES,
        "days": DAYS,
        "counts": _counted(account, terms),
        "first": runs[0][0] if runs else None,
        "last": runs[-1][1] if runs else None,
        "messages": str(account.written),
        **_left_behind(account, terms),
        "warnings": _warnings(account),
        "lacks": dict(lacks),
        "parts": account.parts,
        "ledger": [
            {"lane": lane, "size": size, "root": root, "checkpoint": checkpoints.get(lane, "")}
            for lane, (size, root) in sorted(request.heads.items())
        ],
        "files": {name: {"sha256": sha, "size": size} for name, (sha, size) in sorted(account.files.items())},
    }
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def _asked(request: Request, terms: Terms) -> Mapping[str, Any]:
    """What was asked; in a client's copy nothing that says who asked for what, or why."""
    about = {"as_of": request.at, "timezone": request.zone}
    if terms.client_copy:
        return about
    said = {"query": request.query, "case": request.case, "by": request.person, "reason": request.reason}
    return said | about


def _counted(account: Account, terms: Terms) -> Mapping[str, int]:
    """The counts; in a client's copy none of what is not his, or was not for him."""
    told = counts(account)
    return {name: told[name] for name in ("written", *COUNTS)} if terms.client_copy else told


def _left_behind(account: Account, terms: Terms) -> Mapping[str, Any]:
    """What was found and is not here, and what is gone. A client is not told of it: most is not about him,
    and the rest says that something of his, or for him, was stopped. The record of the export has it."""
    if terms.client_copy:
        return {}
    gone = {"count": len(account.gone), "messages": str(account.gone)}
    return {"exclusions": _listed(account.excluded), "disposed": gone}


def _listed(excluded: Mapping[str, Numbers]) -> Sequence[Mapping[str, Any]]:
    return [
        {"reason": reason, "count": len(numbers), "messages": str(numbers)}
        for reason, numbers in sorted(excluded.items())
    ]


def _warnings(account: Account) -> Sequence[Mapping[str, Any]]:
    return [
        {"code": code, "detail": detail, "count": len(numbers), "messages": str(numbers)}
        for (code, detail), numbers in sorted(account.warned.items())
    ]


def signed_text(listed: bytes) -> str:
    """What is signed of a manifest: no checkpoint can be mistaken for it, whose second line is a number."""
    return f"{FORMAT}\n{hashlib.sha256(listed).hexdigest()}\n"

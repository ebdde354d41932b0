"""A message's life as stages: what happened when, by whom and why, and which ledger entry testifies to it.

Rules of this file: pure. It is told by `bridge.store.views.message` and invents nothing: a stage without an
entry (when its author says to have written it) has no place and no hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.cli import output

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that happened to message `message`, at `at` (milliseconds).

    `kind` is that of the ledger entry, `place` its "lane/entry", `leaf` its hash ("" without one). `policies`
    are (name, hash) of the files that decided; `more` are details, a line each.
    """

    at: int
    message: int
    what: str
    place: str = ""
    leaf: str = ""
    kind: str = ""
    person: str = ""
    reason: str = ""
    policies: tuple[tuple[str, str], ...] = ()
    more: tuple[str, ...] = ()


def stages(found: Record) -> list[Stage]:
    """Every stage of one message, in order of time; entries of one transaction in the ledger's order."""
    told = [*_written(found), *_testified(found), *_followed(found), *_looked(found)]
    return sorted(told, key=lambda stage: stage.at)


def _written(found: Record) -> Iterator[Stage]:
    """What its author's network says: it may be later than our clock, and stands first all the same."""
    if found["sent_at"] and found["notice_for"] is None:
        at = min(found["sent_at"], found["at"])
        yield Stage(at, found["message"], f"written on {found['network']}")


def _testified(found: Record) -> Iterator[Stage]:
    verdicts = {verdict["entry"]: verdict for verdict in found["verdicts"]}
    for entry in found["entries"]:
        verdict = verdicts.get(entry["seq"]) if entry["kind"] == "message:judged" else None
        yield Stage(
            entry["at"],
            found["message"],
            _words(entry, found, verdict),
            f"{entry['lane']}/{entry['seq']}",
            entry["leaf"],
            entry["kind"],
            entry["person"],
            entry["reason"] or (verdict["reason"] if verdict else ""),
            tuple((name, digest) for name, digest in verdict["policies"]) if verdict else (),
            tuple(_matches(verdict["matches"])) if verdict else (),
        )


def _words(entry: Record, found: Record, verdict: Record | None) -> str:
    """What an entry testifies to, in words."""
    make = _WORDS.get(entry["kind"])
    if verdict is not None:
        return f"judged: {verdict['outcome']}, by {verdict['cause']}"
    return make(entry["facts"], found) if make else entry["kind"].replace(":", " ")


def _file(facts: Record, found: Record) -> str:
    file = next((one for one in found["files"] if one["n"] == facts.get("file")), None)
    return f"{file['name']} ({file['size']:,} bytes)" if file and file["size"] >= 0 else "attachment"


def _into(_: Record, found: Record) -> str:
    return f"into {found['deliveries'][0]['network']}" if found["deliveries"] else ""


def _receipts(facts: Record, _: Record) -> str:
    return ", ".join(map(str, facts.get("ids", ())))


_WORDS: Mapping[str, Callable[[Record, Record], str]] = {
    "message:archived": lambda _, found: f"received and archived ({found['kind']})",
    "notice:archived": lambda _, found: "archived: words of the bridge itself",
    "file:archived": lambda facts, found: f"attachment archived and looked into: {_file(facts, found)}",
    "file:missing": lambda facts, found: f"attachment could not be had: {facts.get('reason', '')}",
    "message:noted": lambda *_: "noted: a remark of the network's",
    "message:recalled": lambda facts, _: "taken back by its sender before it went on",
    "hold:released": lambda *_: "released",
    "hold:rejected": lambda *_: "rejected",
    "hold:lifted": lambda *_: "hold lifted: what it waited for is there",
    "hold:escalated": lambda *_: "hold escalated: not decided in time",
    "hold:expired": lambda *_: "hold expired: not decided in time, goes nowhere",
    "consent:asked": lambda *_: "client asked for consent",
    "consent:given": lambda *_: "client consented with it",
    "sample:closed": lambda *_: "reviewed after delivery",
    "delivery:permitted": lambda facts, found: f"permitted {_into(facts, found)}".strip(),
    "delivery:sent": lambda facts, found: f"delivered, receipt {_receipts(facts, found)}",
    "delivery:found": lambda facts, found: f"found delivered, receipt {_receipts(facts, found)}",
    "delivery:waiting": lambda *_: "waits: the reader's reply window is closed",
    "delivery:parked": lambda facts, _: f"parked: {facts.get('reason', '')}",
    "delivery:failed": lambda facts, _: "never arrived, says the network",
    "delivery:retried": lambda *_: "put back, to be sent again",
    "delivery:dropped": lambda facts, _: (
        f"given up: {facts['reason']}" if facts.get("reason") else "given up"
    ),
}


def _matches(matches: Iterable[Record]) -> Iterator[str]:
    for match in matches:
        mode = "" if match["enforced"] else ", recorded only"
        why = f": {match['why']}" if match["why"] else ""
        yield f"rule {match['policy']}/{match['rule']}, {match['outcome']}{mode}{why}"


def _followed(found: Record) -> Iterator[Stage]:
    """Later messages about this one: notices, newer versions, recalls."""
    for what, others in (
        ("notice about it", found["notices"]),
        ("edited by its sender", found["edits"]),
        ("recalled by its sender", found["recalls"]),
    ):
        for other in others:
            words = f"{what}: message {other['message']}"
            place = f"{other['lane']}/{other['seq']}"
            kind = "notice:archived" if what.startswith("notice") else "message:archived"
            yield Stage(other["at"], found["message"], words, place, other["leaf"], kind)


_LOOKS = {
    "search": "found by a search",
    "show": "shown",
    "timeline": "shown in a timeline",
    "tail": "watched",
}


def _looked(found: Record) -> Iterator[Stage]:
    for look in found["looks"]:
        what = _LOOKS.get(look["command"], f"shown by {look['command']}")
        query = (f"query {look['query']}",) if look["query"] else ()
        case = (f"case {look['case']}",) if look["case"] else ()
        place = f"{look['lane']}/{look['seq']}"
        yield Stage(
            look["at"], found["message"], what, place, look["leaf"], look["kind"], look["person"],
            look["reason"], more=query + case,
        )  # fmt: skip


# --- for people -----------------------------------------------------------------------------------------


def line(stage: Stage) -> str:
    """What a stage says, on one line."""
    who = f" by {output.cell(stage.person)}" if stage.person else ""
    why = f": {output.cell(stage.reason)}" if stage.reason else ""
    return f"{output.cell(stage.what)}{who}{why}"


def versions(stage: Stage) -> str:
    """The policy files that decided, with the beginning of their hashes; "" where none did."""
    return ", ".join(f"{name}@{digest.rpartition(':')[2][:8]}" for name, digest in stage.policies)


def record(stage: Stage) -> dict[str, Any]:
    """A stage as JSON."""
    return {
        "at": stage.at,
        "message": stage.message,
        "stage": stage.what,
        "kind": stage.kind,
        "entry": stage.place,
        "leaf": stage.leaf,
        "person": stage.person,
        "reason": stage.reason,
        "policies": [list(one) for one in stage.policies],
        "more": list(stage.more),
    }

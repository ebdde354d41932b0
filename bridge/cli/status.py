"""`weighbridge status`: what the bridge is doing, and what waits.

Rules of this file: it asks the store and, on loopback, the daemon; it changes nothing. Exit code 4 says that
no daemon answers.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.root import Root, pass_root
from bridge.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

PATIENCE = 3.0
"""Seconds that the daemon has to answer."""


@click.command()
@output.json_option
@pass_root
def status(root: Root, as_json: bool) -> int:
    """What the bridge is doing and what waits. Exit code 4 when no daemon answers."""
    from bridge.cli.compose import WallClock

    host, port = root.settings().daemon.http
    url = f"http://{host}:{port}/status"
    daemon = ask(url)
    try:
        store: dict[str, Any] | None = root.read(_store)
        trouble = ""
    except StoreError as error:
        store, trouble = None, str(error)
    if as_json:
        output.json_line({"daemon": daemon, "store": store, "problem": trouble})
    else:
        now = WallClock().now()
        for line in (*_daemon_lines(daemon, url, now), *_store_lines(store, trouble, now)):
            click.echo(line)
    return Exit.DONE if daemon and store else Exit.UNREACHABLE


def ask(url: str) -> dict[str, Any] | None:
    """What the daemon says of itself; None when nobody answers there, or somebody else does."""
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with straight.open(url, timeout=PATIENCE) as answer:
            said = json.load(answer)
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and "state" in said else None


def _store(db: Connection) -> dict[str, Any]:
    from bridge.store import proposals, views
    from bridge.store.disposal import unfinished
    from bridge.store.holds import standing

    return {
        **asdict(views.depths(db)),
        "lanes": views.lanes(db),
        "policies": views.policies(db),
        "frozen_at": proposals.frozen_at(db),
        "legal_holds": len(standing(db)),
        "disposals": [str(one) for one in unfinished(db)],
    }


def _daemon_lines(daemon: Mapping[str, Any] | None, url: str, now: int) -> Iterator[str]:
    if daemon is None:
        yield f"✗ daemon     nobody answers at {url}: start it with `weighbridge run`"
        return
    since = output.span(now - int(daemon.get("since", now)))
    yield f"✓ daemon     {output.cell(daemon['state'])} for {since}"
    for network, state in daemon.get("networks", {}).items():
        remedy = output.cell(state.get("remedy") or "opening")
        yield f"✓ {network:<10} open" if state.get("open") else f"✗ {network:<10} closed: {remedy}"
    if refused := daemon.get("refused"):
        said = f"{refused} problem(s) in the files as saved, which decide nothing: `weighbridge policy check`"
        yield f"✗ policies   {said}"
    if checkpoint := daemon.get("checkpoint"):
        yield _checkpoint_line(checkpoint, now)
        yield from _place_lines(checkpoint.get("places", ()), int(checkpoint.get("size", 0)))
    for one in daemon.get("archives", ()):
        yield _archive_line(one)
    if assurance := daemon.get("assurance"):
        yield from _assurance_lines(assurance)
    if daemon.get("differs"):
        said = "the files are not what was approved, and decide nothing: `weighbridge policy propose`"
        yield f"✗ policies   {said}"
    for name in daemon.get("removed", ()):
        yield f"✗ policies   the file of {output.cell(name)} was removed: it decides no more. Was that meant?"
    for policy, name in daemon.get("stale", ()):
        out = f"list {output.cell(name)} of policy {output.cell(policy)} is out of date"
        yield f"✗ policies   {out}: everything is held until its file is delivered again"


def _archive_line(one: Mapping[str, Any]) -> str:
    """How an archive outside stands."""
    name, wanted = output.cell(one["name"]), int(one["wanted"])
    said = f"{name}: {wanted:,} copies wanted" if wanted else f"{name}: has everything"
    said += f", the oldest for {output.span(int(one['seconds'] * 1000))}" if wanted else ""
    return f"✗ archive    {output.cell(one['trouble'])}" if one.get("trouble") else f"✓ archive    {said}"


def _assurance_lines(assurance: Mapping[str, Any]) -> Iterator[str]:
    """Whether networks are read, and what the newest certificate says."""
    lags = assurance.get("lags", {})
    read = ", ".join(f"{name} {output.span(int(lag * 1000))} ago" for name, lag in lags.items())
    yield from (f"✗ complete   {output.cell(one)}" for one in assurance.get("troubles", ()))
    if not assurance.get("troubles"):
        yield f"✓ complete   {output.cell(f'read to the end: {read}')}"
    if one := assurance.get("certified"):
        archived = output.counted(message=int(one["archived"]))
        yield f"  {'':<10} {output.cell(one['day'])} is certified: {archived}"


def _checkpoint_line(checkpoint: Mapping[str, Any], now: int) -> str:
    since = output.span(now - int(checkpoint.get("covered_at", now)))
    size = int(checkpoint.get("size", 0))
    if trouble := checkpoint.get("trouble"):
        told_below = any(place.get("trouble") for place in checkpoint.get("places", ()))
        said = f"{size:,} entries are signed, and not in every place" if told_below else output.cell(trouble)
        return f"✗ checkpoint {said} (for {since})"
    return f"✓ checkpoint {size:,} entries are signed and anchored, as of {since} ago"


def _place_lines(places: Sequence[Mapping[str, Any]], size: int) -> Iterator[str]:
    """A line for each place that is away, or has not got everything yet."""
    for place in places:
        if trouble := place.get("trouble"):
            yield f"✗ {'':<10} {output.cell(trouble)}"
            continue
        if int(place.get("size", 0)) >= size:
            continue
        since = output.span(int(place.get("seconds", 0) * 1000))
        has = f"{output.cell(place['name'])} has {int(place['size']):,} of them"
        yield f"  {'':<10} {has}; the rest waits for {since}"


def _store_lines(store: Mapping[str, Any] | None, trouble: str, now: int) -> Iterator[str]:
    if store is None:
        yield f"✗ store      {trouble}"
        return
    entries = sum(lane["size"] for lane in store["lanes"])
    names = ", ".join(f"{name} {digest[:12]}" for name, digest in store["policies"])
    yield f"✓ store      {output.counted(entry=entries)} in the ledger"
    if store["frozen_at"]:
        since = output.span(now - store["frozen_at"])
        yield f"✗ frozen     since {since}: nothing is sent, all that comes is held: `weighbridge unfreeze`"
    yield f"  policies   {names or 'none yet: the daemon has not run'}"
    if store["legal_holds"]:
        yield f"  holds      {store['legal_holds']} placed by people stand: `weighbridge hold list`"
    yield from (f"✗ disposal   {one}" for one in store["disposals"])
    yield ""
    yield from (f"  {line}" for line in output.table(list(_waiting(store, now)), [False, True, False, False]))


def _waiting(store: Mapping[str, Any], now: int) -> Iterator[list[str]]:
    """Rows of: what, how many, since when, and what to do."""
    yield ["WAITS", "", "OLDEST", "SEE"]
    for key, what, see in _ROOMS:
        yield [what, str(store[key]), _age(store[f"{key}_since"], now), see if store[key] else ""]
    for network, outbox in store["networks"].items():
        under_way = outbox["ready"] + outbox["claimed"]
        yield [f"to be sent to {network}", str(under_way), _age(outbox["oldest_at"], now), ""]
        for key, what in _STOPPED:
            see = f"weighbridge outbox list --state {key}" if outbox[key] else ""
            yield [f"  {what}", str(outbox[key]), "", see]


_ROOMS = (
    ("fetching", "attachments being fetched", ""),
    ("unjudged", "to be judged", ""),
    ("held", "held for a reviewer", "weighbridge review list"),
    ("late", "  of these, later than the policy allows", "weighbridge review list"),
)

_STOPPED = (
    ("waiting", "until the reader writes"),
    ("parked", "refused: for a person"),
    ("failed", "never arrived: for a person"),
)


def _age(since: int, now: int) -> str:
    return output.span(now - since) if since else ""

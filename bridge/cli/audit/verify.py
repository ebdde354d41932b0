"""`weighbridge audit verify`: everything read again, and held against what was signed.

Rules of this file: no logic; the work is done by `bridge.store.verify`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.audit.given import FILE, KEY, OUTSIDE
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, reading
from bridge.errors import StoreError

if TYPE_CHECKING:
    from bridge.config import Place
    from bridge.store.verify import Finding, Summary

_DAMAGED = ("malformed", "not a database")
"""What SQLite says of a file that is no longer what it wrote (result codes SQLITE_CORRUPT, SQLITE_NOTADB)."""

FEW = 10
"""Entries that a lane may have before anybody wonders why none of them was ever signed."""


@click.command()
@click.option(
    "--anchors",
    type=OUTSIDE,
    multiple=True,
    help="Checkpoints kept elsewhere: a folder, a file, any text with checkpoints in it (an exported room, a "
    "mail), s3://BUCKET/PREFIX. Default: the folders and buckets of the settings.",
)
@click.option(
    "--tsa-roots",
    type=FILE,
    help="Certificates (PEM) to trust for time stamps. Default: those of the settings.",
)
@KEY
@output.json_option
@pass_root
def verify(
    root: Root, anchors: tuple[Place, ...], tsa_roots: Path | None, key: tuple[Path, ...], as_json: bool
) -> int:
    """Read everything again: is any byte other than it was recorded? Exit code 5 if so.

    Without the master key, whatever is sealed cannot be compared, and the rest is: exit code 6. The same
    where a place of checkpoints that was named, here or in the settings, cannot be read, or has none.

    Every checkpoint that was signed is held against the entries, those in the database and those outside: so
    an end that was cut off, or a history written anew, is found as long as one of them was kept where
    whoever did it could not reach it.
    """
    from bridge.cli import compose
    from bridge.cli.prove import kept_outside, public_keys
    from bridge.store.verify import verify as verify_store

    settings = root.settings()
    keys = public_keys(settings, key)
    trusted = compose.roots(tsa_roots or settings.ledger.tsa_roots)
    outside = kept_outside(settings, anchors)
    for problem in outside.away:
        output.note(f"weighbridge: checkpoints could not be read: {problem}")
    findings = 0

    def found(finding: Finding) -> None:
        nonlocal findings
        findings += 1
        if as_json:
            output.json_line(asdict(finding))
        else:
            click.echo(f"✗ {output.cell(finding)}")

    try:
        with reading(settings, damaged=True) as db, progress("reading again") as tell:
            started = time.monotonic()
            summary = verify_store(
                db, settings.store.blobs, found, tell, keys=keys, anchors=outside.found, tsa_roots=trusted
            )
    except StoreError as error:
        if not findings and not any(words in str(error) for words in _DAMAGED):
            raise
        output.note(f"weighbridge: {error} Nothing more could be read.")
        return Exit.INTEGRITY
    bare = outside.bare if summary.checkpoints or summary.anchored else []
    for name in bare:
        output.note(f"weighbridge: {name}: {_BARE}")
    _conclude(summary, time.monotonic() - started, [*outside.away, *bare], as_json=as_json)
    if summary.findings:
        return Exit.INTEGRITY
    return Exit.PARTIAL if summary.unread or outside.away or bare else Exit.DONE


_BARE = (
    "no checkpoint is there, although this store has signed some. Mount or restore that place, or name the "
    "one that has them (--anchors, [ledger] anchors)."
)


def _conclude(summary: Summary, seconds: float, away: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        output.json_line({**asdict(summary), "away": list(away), "seconds": round(seconds, 3)})
        return
    for line in _verdict(summary, seconds, away):
        click.echo(line)


def _verdict(summary: Summary, seconds: float, away: Sequence[str]) -> Iterator[str]:
    counts = output.counted(
        entry=summary.entries,
        message=summary.messages,
        verdict=summary.verdicts,
        delivery=summary.deliveries,
        receipt=summary.receipts,
        blob=summary.blobs,
    )
    yield f"  {counts}"
    yield f"  {summary.checkpoints:,} signed checkpoints, {summary.anchored:,} outside the database"
    yield from _stamped(summary)
    if summary.absent:
        yield f"  {summary.absent:,} pieces of content are gone, each by a disposal that two people approved"
    yield f"  {summary.bytes / 1e6:,.1f} MB of content, in {seconds:.1f} s"
    for lane, (size, root) in summary.roots.items():
        yield f"  lane {lane}: root of {output.counted(entry=size)}  {root}"
    longest = max((size for size, _ in summary.roots.values()), default=0)
    if longest > FEW and not summary.checkpoints and not summary.anchored:
        yield "! No checkpoint was ever signed: whoever writes to the database could have rewritten it all."
    yield from _left_out(summary, away)
    if summary.findings:
        yield click.style(f"✗ {summary.findings:,} finding(s): this is not what was recorded.", bold=True)
    elif summary.unread:
        yield "✓ Everything else is as it was recorded: the tree, the structure, the files of attachments."
    else:
        yield f"✓ Everything {'else ' if away else ''}is as it was recorded."


def _left_out(summary: Summary, away: Sequence[str]) -> Iterator[str]:
    """What the verdict does not speak of."""
    if away:
        yield f"! Nothing was compared with what {len(away)} place(s) of checkpoints should have: see above."
    if summary.unread and not summary.findings:
        yield f"! What is sealed was not compared: {summary.unread}"


def _stamped(summary: Summary) -> Iterator[str]:
    """What time stamps prove, and those that nobody could check."""
    for stamps in summary.stamps:
        size, at = stamps.newest
        proven = f"{size:,} entries of lane {stamps.lane} existed at {output.when(at)}"
        yield f"  {stamps.count:,} time stamps by {output.cell(stamps.by)}: {proven}"
        yield f"    the first: {output.counted(entry=stamps.first[0])} at {output.when(stamps.first[1])}"
    if summary.unstamped:
        yield f"  {summary.unstamped:,} time stamps were not checked: --tsa-roots names whom you trust"

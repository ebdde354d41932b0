"""`weighbridge audit verify`: everything read again, and held against what was signed.

Rules of this file: no logic; the work is done by `bridge.store.verify`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.audit.given import KEPT, KEY
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root, reading
from bridge.errors import StoreError

if TYPE_CHECKING:
    from bridge.store.verify import Finding, Summary

_DAMAGED = ("malformed", "not a database")
"""What SQLite says of a file that is no longer what it wrote (result codes SQLITE_CORRUPT, SQLITE_NOTADB)."""


@click.command()
@click.option(
    "--anchors",
    type=KEPT,
    multiple=True,
    help="Checkpoints kept elsewhere: a folder or a file. Default: the folders of the settings.",
)
@KEY
@output.json_option
@pass_root
def verify(root: Root, anchors: tuple[Path, ...], key: tuple[Path, ...], as_json: bool) -> int:
    """Read everything again: is any byte other than it was recorded? Exit code 5 if so.

    Without the master key, whatever is sealed cannot be compared, and the rest is: exit code 6.

    Every checkpoint that was signed is held against the entries, those in the database and those outside: so
    an end that was cut off, or a history written anew, is found as long as one of them was kept where
    whoever did it could not reach it.
    """
    from bridge.cli import compose
    from bridge.cli.prove import public_keys
    from bridge.store.gathering import gathered
    from bridge.store.verify import verify as verify_store

    settings = root.settings()
    keys = public_keys(settings, key)
    places = anchors or tuple(path for path in compose.anchors(settings) if path.is_dir())
    kept = gathered(places, strict=not anchors)
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
            summary = verify_store(db, settings.store.blobs, found, tell, keys=keys, anchors=kept)
    except StoreError as error:
        if not findings and not any(words in str(error) for words in _DAMAGED):
            raise
        output.note(f"weighbridge: {error} Nothing more could be read.")
        return Exit.INTEGRITY
    _conclude(summary, time.monotonic() - started, as_json=as_json)
    if summary.findings:
        return Exit.INTEGRITY
    return Exit.PARTIAL if summary.unread else Exit.DONE


def _conclude(summary: Summary, seconds: float, *, as_json: bool) -> None:
    if as_json:
        output.json_line({**asdict(summary), "seconds": round(seconds, 3)})
        return
    for line in _verdict(summary, seconds):
        click.echo(line)


def _verdict(summary: Summary, seconds: float) -> Iterator[str]:
    counts = (
        f"{summary.entries:,} entries, {summary.messages:,} messages, {summary.verdicts:,} verdicts, "
        f"{summary.deliveries:,} deliveries, {summary.receipts:,} receipts, {summary.blobs:,} blobs"
    )
    yield f"  {counts}"
    yield f"  {summary.checkpoints:,} signed checkpoints, {summary.anchored:,} outside the database"
    yield f"  {summary.bytes / 1e6:,.1f} MB of content, in {seconds:.1f} s"
    for lane, (size, root) in summary.roots.items():
        yield f"  lane {lane}: root of {size:,} entries  {root}"
    if summary.findings:
        yield click.style(f"✗ {summary.findings:,} finding(s): this is not what was recorded.", bold=True)
    elif summary.unread:
        yield f"! What is sealed was not compared: {summary.unread}"
        yield "✓ Everything else is as it was recorded: the tree, the structure, the files of attachments."
    else:
        yield "✓ Everything is as it was recorded."

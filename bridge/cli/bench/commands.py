"""What is typed for each bench, and what is printed of it.

Rules of this file: options and printing; what is measured stands in the file of the bench's name. Figures go
to standard output, progress to standard error.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any

import click

from bridge.cli import output

OTHERS = 0.3
"""Cores kept busy by others from which on rates are not worth comparing."""
COUNT = click.IntRange(min=1)

MEASURED = {
    "kind": "load", "round": "round", "system": "system", "direction": "direction",
    "per_second": "messages/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_us": "CPU µs/message",
    "cpu_share": "CPU", "networks_cpu_share": "networks' CPU",
    "others_cpu_share": "others' CPU", "rss_end_mb": "RSS MB",
}  # fmt: skip
COMPARED = {
    "direction": "direction", "per_second": "messages/s", "bare_per_second": "bare relay", "ratio": "ratio",
    "cpu_us": "CPU µs/message", "bare_cpu_us": "bare relay", "cpu_ratio": "ratio",
    "added_p50_ms": "added p50 ms",
}  # fmt: skip
COMMITTED = {"transactions_per_second": "commits/s, 1 row", "rows_per_second": "rows/s, 64 to a commit"}
FOUND = {
    "entries": "words and patterns", "engine": "engine", "us": "µs/message", "ratio": "ratio",
    "messages": "messages", "found": "with findings", "build_s": "build s",
}  # fmt: skip
DECIDED = {
    "engine": "engine", "rules": "rules", "us": "µs/request", "ratio": "ratio", "requests": "requests",
    "stopped": "stopped",
}  # fmt: skip
WEIGHED = {"policies": "policies", "us": "µs/message", "messages": "messages"}
HOSTILE = {"text": "hostile text", "us": "µs/message"}
SWAPPED = {
    "words": "words compiled", "compile_s": "seconds", "longest_wait_ms": "longest wait ms",
    "longest_wait_quiet_ms": "without",
}  # fmt: skip
SAMPLED = {"messages": "messages", "rss_mb": "RSS MB"}
GROWN = {
    "rss_settled_mb": "RSS MB after a quarter", "rss_end_mb": "at the end",
    "bytes_per_message": "grown, bytes/message",
}  # fmt: skip
BROUGHT = {
    "form": "copies as", "messages": "messages", "bytes": "bytes", "rate": "records/s",
    "times_copying": "times copying", "cpu": "CPU s",
}  # fmt: skip
EXPORTED = {
    "format": "exported as", "messages": "messages", "bytes": "bytes", "rate": "messages/s",
    "times_copying": "times copying", "cpu": "CPU s", "peak_mb": "peak MB",
}  # fmt: skip
RECONCILED = {
    "messages": "messages reconciled", "seconds": "seconds", "per_second": "messages/s",
    "cpu_seconds": "CPU s", "peak_mb": "peak MB",
}  # fmt: skip
APPENDED = {
    "producers": "producers", "round": "round", "system": "system", "per_second": "messages/s",
    "p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_us": "CPU µs/message", "behind": "entries behind",
    "caught_up_s": "caught up s", "with_index_per_second": "with index/s", "does": "does",
}  # fmt: skip
FLUSHED = {
    "producers": "producers",
    "system": "system",
    "per_message": "flushes/message",
    "messages": "messages",
}
KEPT = {"producers": "producers", "system": "system", "per_second": "messages/s", "ours": "ours is"}
CHECKED = {"system": "system", "per_second": "entries/s of CPU", "ours": "our trees are"}
VERIFIED = {
    "round": "round", "system": "system", "entries": "entries", "seconds": "s",
    "per_second": "entries/s of CPU",
}  # fmt: skip
PROVEN = {
    "system": "system",
    "entries": "entries",
    "first_ms": "first ms",
    "p50_ms": "p50 ms",
    "proofs": "proofs",
}

FILLED = {
    "engine": "engine",
    "messages": "messages",
    "seconds": "s",
    "per_second": "messages/s",
    "cpu_us": "CPU µs/message",
    "bytes": "bytes/message",
}
BUILT = {
    "engine": "engine", "messages": "messages", "seconds": "s", "per_second": "messages/s",
    "cpu_us": "CPU µs/message", "bytes": "index bytes/message",
}  # fmt: skip
SOUGHT = {
    "asked": "asked", "window": "window", "engine": "engine", "p50_ms": "p50 ms", "p99_ms": "p99 ms",
    "cpu_p50_ms": "own CPU ms", "recall": "recall", "hits": "hits", "questions": "questions",
}  # fmt: skip
SEARCHED = {
    "window": "window", "engine": "engine", "p50_ms": "p50 ms", "p99_ms": "worst p99 ms", "ours": "ours is ×",
    "cpu_p50_ms": "own CPU ms", "recall": "lowest recall",
}  # fmt: skip
GROWING = {
    "messages": "messages", "archived_per_second": "archived/s", "archived_cpu_us": "CPU µs",
    "index_per_second": "indexed/s", "index_cpu_us": "CPU µs", "index_bytes": "index bytes/message",
    "recent_p50_ms": "30 days p50 ms", "recent_p99_ms": "p99 ms", "recent_cpu_p50_ms": "CPU ms",
    "all_p50_ms": "all p50 ms", "all_p99_ms": "p99 ms", "all_cpu_p50_ms": "CPU ms",
}  # fmt: skip


@click.command()
@click.option("--messages", type=COUNT, default=20_000, show_default=True, help="Per measurement.")
@click.option("--conversations", type=COUNT, default=64, show_default=True, help="Side by side.")
@click.option("--rounds", type=COUNT, default=3, show_default=True, help="Bridge and bare relay in turn.")
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=15.0, show_default=True,
    help="At a tenth of full load, per direction.",
)  # fmt: skip
@click.option("--memory", type=COUNT, metavar="MESSAGES", help="Instead: one long run, watching its memory.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path("/var/tmp"),
    show_default=True, help="Where stores are made: on a disk, or commits cost nothing.",
)  # fmt: skip
@output.json_option
def relay(
    messages: int,
    conversations: int,
    rounds: int,
    seconds: float,
    memory: int | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Compare with a relay that keeps nothing, and the bare database.

    Both networks are mocks on this machine. The bridge runs alone in its process on a core of its own, with
    the shipped policies and everything on disk. Takes some minutes; nothing is left behind.
    """
    import uvloop

    from bridge import telemetry
    from bridge.cli.bench import relay

    telemetry.configure(level="error", form="console")
    plan = relay.Plan(memory or messages, conversations, rounds, seconds, folder)
    told = Telling(as_json)
    measure = relay.memory if memory else relay.relay
    try:
        uvloop.run(_until_told_otherwise(measure(plan, told.row)))
    except asyncio.CancelledError:
        raise click.Abort from None
    told.end()


@click.command()
@click.option("--messages", type=COUNT, default=20_000, show_default=True, help="No two alike.")
@click.option("--requests", type=COUNT, default=100_000, show_default=True, help="To decide by attributes.")
@click.option(
    "--entries", type=click.IntRange(min=10), multiple=True, default=(100, 1_000, 10_000), show_default=True,
    help="Words and patterns looked for; may be given again.",
)  # fmt: skip
@click.option(
    "--words", type=COUNT, default=10_000, show_default=True, help="Of the policy that is swapped in."
)
@click.option(
    "--rivals", type=click.Path(path_type=Path, file_okay=False), default=Path(".cache/rivals"),
    show_default=True, help="Environment with the other engines (`make rivals`).",
)  # fmt: skip
@output.json_option
def policy(
    messages: int, requests: int, entries: tuple[int, ...], words: int, rivals: Path, as_json: bool
) -> None:
    """Compare verdicts with those of other engines.

    With a loop over `re`, presidio, hyperscan, cedarpy and casbin.

    All get the same messages, entries and requests in one run, and must agree on every one. Takes some
    minutes. Without the others' environment only our engine and the loop are measured.
    """
    from bridge.cli.bench import policy

    python = policy.rivals_python(rivals)
    if python is None:
        output.note(f"no other engines in {rivals}: run `make rivals` to compare with them")
    told = Telling(as_json)
    plan = policy.Plan(messages, entries, requests, words=words, python=python)
    policy.run(plan, told.row)
    told.end()


RIVALS = click.option(
    "--rivals", type=click.Path(path_type=Path, file_okay=False), default=Path(".cache/rivals"),
    show_default=True, help="Environment with what others made (`make rivals`).",
)  # fmt: skip
FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path("/var/tmp"),
    show_default=True, help="Where stores are made: on a disk, or commits cost nothing.",
)  # fmt: skip


@click.command()
@click.option("--messages", type=COUNT, default=5_000, show_default=True, help="Appended in one run.")
@click.option(
    "--producers", type=COUNT, multiple=True, default=(1, 16, 64), show_default=True,
    help="Appending at once; may be given again.",
)  # fmt: skip
@click.option("--rounds", type=COUNT, default=3, show_default=True, help="Everybody in turn.")
@click.option(
    "--entries", type=COUNT, default=200_000, show_default=True, help="Of the ledger, to be verified."
)
@RIVALS
@FOLDER
@output.json_option
def audit(
    messages: int,
    producers: tuple[int, ...],
    rounds: int,
    entries: int,
    rivals: Path,
    folder: Path,
    as_json: bool,
) -> None:
    """Compare keeping and verifying records with other ways to do so.

    With bare databases, PostgreSQL, pymerkle and plain hashes.

    Messages are appended through the store itself: sealed, in the ledger and its tree, and in the search
    index, which may follow behind. Takes some minutes; nothing is left behind. Without the others'
    environment only our store and the bare database are measured.
    """
    from bridge.cli.bench import audit

    if not (rivals / "bin/python").exists():
        output.note(f"no PostgreSQL and no pymerkle in {rivals}: run `make rivals` to compare with them")
    told = Telling(as_json)
    audit.run(audit.Plan(messages, producers, rounds, entries, rivals, folder), told.row)
    told.end()


@click.command()
@click.option("--messages", type=COUNT, default=200_000, show_default=True, help="In the archive.")
@click.option("--questions", type=COUNT, default=20, show_default=True, help="Of each kind, in each window.")
@click.option("--rounds", type=COUNT, default=3, show_default=True, help="Everybody in turn.")
@click.option("--grow", is_flag=True, help="Instead: look at an archive while it grows to --messages.")
@click.option(
    "--archive", type=click.Path(path_type=Path, file_okay=False),
    help="Folder in which the archive stays, to be searched again.",
)  # fmt: skip
@RIVALS
@FOLDER
@output.json_option
def search(
    messages: int,
    questions: int,
    rounds: int,
    grow: bool,
    archive: Path | None,
    rivals: Path,
    folder: Path,
    as_json: bool,
) -> None:
    """Compare searches with those of other engines.

    With FTS5, tsvector, pg_trgm and tantivy over the same messages in plain text.

    Ours are sealed: what is found is opened, and tried once more. Every engine's answers are held against
    the truth. Takes about a minute for 20,000 messages; nothing is left behind but what --archive names.
    """
    from bridge.cli.bench import search

    if not grow and not (rivals / "bin/python").exists():
        output.note(f"no PostgreSQL and no tantivy in {rivals}: run `make rivals` to compare with them")
    told = Telling(as_json)
    plan = search.Plan(messages, questions, rounds, archive, rivals, folder)
    (search.grow if grow else search.run)(plan, told.row)
    told.end()


@click.command()
@click.option("--messages", type=COUNT, default=10_000, show_default=True, help="Exported in each format.")
@click.option("--copies", type=COUNT, default=2_000, show_default=True, help="Brought outside in each form.")
@FOLDER
@output.json_option
def records(messages: int, copies: int, folder: Path, as_json: bool) -> None:
    """Hand records over: copies outside, exports, and plain copies."""
    from bridge.cli.bench import records

    told = Telling(as_json)
    records.run(copies, messages, told.row, folder)
    told.end()


@click.command()
@click.option("--messages", type=COUNT, default=100_000, show_default=True, help="In the archive.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the archive in this folder, and use it again.",
)
@FOLDER
@output.json_option
def certify(messages: int, archive: Path | None, folder: Path, as_json: bool) -> None:
    """Reconcile a tenth of an archive, and all of it.

    The networks show what it has, so nothing may be missing.
    """
    from bridge.cli.bench import certify

    told = Telling(as_json)
    certify.run(certify.Plan(messages, archive, folder), told.row)
    told.end()


async def _until_told_otherwise(work: Awaitable[None]) -> None:
    """Do `work`; SIGTERM cancels it, so that no process and no file stays behind."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


class Telling:
    """What a person or a script is told of the rows: JSON lines at once, or tables at the end."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._started = time.monotonic()
        self._rows: dict[str, list[Mapping[str, Any]]] = {}

    def row(self, row: Mapping[str, Any]) -> None:
        """Take one row."""
        self._rows.setdefault(row["kind"], []).append(row)
        if self._as_json:
            output.json_line(row)
        keys = (
            "system",
            "direction",
            "per_second",
            "producers",
            "entries",
            "engine",
            "policies",
            "text",
            "us",
        )
        facts = [row[key] for key in keys if key in row]
        output.note(f"{time.monotonic() - self._started:6.0f} s  {row['kind']:8}" + " ".join(map(str, facts)))
        if row.get("filesystem") == "tmpfs":
            output.note("this folder is in memory: commits cost nothing here, and figures mean little")
        if row.get("others_cpu_share", 0.0) > OTHERS:
            output.note("something else is busy on this machine: compare CPU times, not rates")

    def _of(self, kind: str, name: str) -> list[Mapping[str, Any]]:
        """The rows that stand under `name` in rows of this kind."""
        return [one for row in self._rows.get(kind, ()) for one in row[name]]

    def end(self) -> None:
        """All rows are there."""
        if self._as_json:
            return
        measured = [*self._rows.get("full", ()), *self._rows.get("tenth", ())]
        compared = [
            {"direction": name, **row[name]}
            for row in self._rows.get("summary", ())
            for name in row
            if name not in ("kind", "commits")
        ]
        for rows, columns in (
            (measured, MEASURED),
            (self._rows.get("commits", ()), COMMITTED),
            (self._rows.get("memory", ()), SAMPLED),
            (self._rows.get("growth", ()), GROWN),
            (self._rows.get("sink", ()), BROUGHT),
            (self._rows.get("export", ()), EXPORTED),
            (self._rows.get("certified", ()), RECONCILED),
            (compared, COMPARED),
            (self._rows.get("content", ()), FOUND),
            (self._rows.get("attributes", ()), DECIDED),
            (self._rows.get("verdict", ()), WEIGHED),
            (self._rows.get("hostile", ()), HOSTILE),
            (self._rows.get("swap", ()), SWAPPED),
            (self._rows.get("appended", ()), APPENDED),
            (self._rows.get("fsyncs", ()), FLUSHED),
            (self._rows.get("verified", ()), VERIFIED),
            (self._rows.get("proven", ()), PROVEN),
            (self._rows.get("filled", ()), FILLED),
            (self._rows.get("built", ()), BUILT),
            (self._rows.get("found", ()), SOUGHT),
            (self._rows.get("grown", ()), GROWING),
            (self._of("search summary", "engines"), SEARCHED),
            (self._of("audit summary", "appends"), KEPT),
            (self._of("audit summary", "checks"), CHECKED),
        ):
            if rows:
                output.listing(rows, columns, as_json=False)
                click.echo()

"""`weighbridge audit export`: what a query finds, in the format that somebody else reads.

Rules of this file: options become values, and what was made becomes lines; the making is in
`bridge.cli.exporting`."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.finding import QUERYING, archive, query_argument, written
from bridge.cli.audit.given import INHERENT, KEY, one_alone
from bridge.cli.audit.looking import Recorder, looker
from bridge.cli.audit.zone import desk_zone, name_of, zone_option
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, legible, pass_root, person_option, reading
from bridge.errors import NotAllowed, StoreError

if TYPE_CHECKING:
    from bridge.cli.exporting import Made, Wanted
    from bridge.config import Settings
    from bridge.ledger.checkpoint import Signer
    from bridge.records.exports.manifest import Terms
    from bridge.records.exports.profiles import Profile
    from bridge.store.looks import Looker


@click.command(context_settings=QUERYING)
@query_argument
@click.option("--format", "form", default="", metavar="NAME", help="In which format; see `audit formats`.")
@click.option("--profile", default="", metavar="NAME", help="As this archive or authority expects it.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make, which must not be there.")
@click.option("--zip", "zipped", is_flag=True, help="Make it one ZIP file beside that name.")
@click.option(
    "--option", "options", metavar="NAME=VALUE", multiple=True, help="Of the format; above the profile's."
)
@click.option("--to-region", default="", metavar="CODE", help="The region it goes to, such as HK.")
@click.option("--approval", default="", metavar="ID", help="What allows records to leave their region.")
@click.option("--leave-out", is_flag=True, help="Leave out what may not leave its region, and say so.")
@click.option("--client", default="", metavar="CONTACT", help="Only what was said with this client.")
@click.option(
    "--client-copy", default="", metavar="CONTACT", help="The same, and without decisions: a client's copy."
)
@click.option(
    "--resume", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Go on with it."
)
@click.option("--verify", type=click.Path(exists=True, path_type=Path), help="Check a finished export.")
@KEY
@zone_option
@person_option
@click.option(
    "--reason", default="", metavar="TEXT", envvar="WEIGHBRIDGE_REASON", help="Why; goes into the record."
)
@click.option("--case", default="", metavar="NUMBER", envvar="WEIGHBRIDGE_CASE", help="The case it is for.")
@output.json_option
@pass_root
def export(
    root: Root, /, words: tuple[str, ...], resume: Path | None, verify: Path | None, **given: Any
) -> int:
    """What QUERY finds, written for somebody outside: messages with their attachments, edits, recalls, joins
    and leaves, decisions and deliveries, with a manifest and proofs.

    Every message of the span is opened: an export rests on no index. Who asks and why is written into the
    record first, and what was handed over at the end. An export that was interrupted goes on with --resume.

    \b
    weighbridge audit export with:alice.wong --format jsonl --out case-7 \\
        --to-region CN --reason CASE-7
    weighbridge audit export --resume case-7 --reason CASE-7
    weighbridge audit export --verify case-7
    """
    from bridge.cli import compose, exporting

    _refuse_contradictions({**given, "words": words, "resume": resume, "verify": verify})
    if verify is not None:
        return _verify(root, verify, given["key"], as_json=given["as_json"])
    query, settings = written(words), root.settings()
    look = looker(settings, given["person"], _reason(given["reason"]), given["case"])
    signer = compose.signing_key(settings)
    if resume:
        exporting.resume(root.act, resume, look, signer)
        made = _finish(root, settings, resume, signer, look)
    else:
        folder = _folder(given["out"])
        wanted = _wanted(root, settings, look, query, given)
        exporting.begin(root.act, wanted, folder, signer)
        made = _finish(root, settings, folder, signer, look)
    return _say(made, as_json=given["as_json"])


_OF_A_NEW_ONE = (
    *("words", "form", "profile", "out", "zipped", "options", "to_region", "approval", "leave_out"),
    *("client", "client_copy"),
)
"""What says what an export is to be: one that was begun is that already."""


def _refuse_contradictions(given: Mapping[str, Any]) -> None:
    """Raises UsageError where one option would be ignored for another's sake."""
    one_alone(given, "verify", "resume", *_OF_A_NEW_ONE)
    one_alone(given, "resume", *_OF_A_NEW_ONE)
    one_alone(given, "client_copy", "client")


# --- beginning ------------------------------------------------------------------------------------------


def _folder(out: Path | None) -> Path:
    """The folder of a new export, of which a ZIP file is made afterwards."""
    if out is None:
        raise click.UsageError("say where with --out FOLDER")
    if not os.access(out.parent, os.W_OK | os.X_OK) or not out.parent.is_dir():
        raise click.UsageError(f"{out.parent} is no folder to write in: make it, or name another with --out")
    return out.with_suffix("") if out.suffix == ".zip" else out


def _wanted(root: Root, settings: Settings, look: Looker, query: str, given: Mapping[str, Any]) -> Wanted:
    """What is asked for. Raises QueryError before anything is written."""
    from bridge.cli.compose import WallClock
    from bridge.cli.exporting import Wanted
    from bridge.search.query import LIMIT

    zone = desk_zone(given["zone"], settings.audit.timezone)
    with archive(settings, given["zone"], indexed=False) as asked:
        if asked.query(query, "export", lambda: Recorder(root, look)).limit != LIMIT:
            raise click.UsageError("an export has all that is found: leave limit: out, and narrow the query")
    terms, zipped = _terms(given, settings.exports.region)
    return Wanted(look, query, WallClock().now(), name_of(zone), terms, zipped)


def _reason(typed: str) -> str:
    reason = typed.strip()
    if not reason:
        raise click.UsageError("say why with --reason: it is written down for whoever reads it later")
    return reason


def _terms(given: Mapping[str, Any], usual_region: str) -> tuple[Terms, bool]:
    from bridge.cli.exporting import options_of
    from bridge.records.exports import demand, known
    from bridge.records.exports.manifest import Terms

    profile = _profile(given["profile"])
    form = given["form"] or (profile.format if profile else "")
    if not form:
        raise click.UsageError("say in which format with --format, or for whom with --profile")
    if profile and form != profile.format:
        raise click.UsageError(
            f"profile {profile.name} is {profile.format}: leave --format out, or --profile"
        )
    options = options_of(form, given["options"], profile.options if profile else {})
    demand(known(form), options)
    approval = approval_of(given["approval"])
    terms = Terms(
        form,
        given["profile"],
        options,
        region(given["to_region"], profile, approval) or usual_region,
        approval,
        given["client_copy"] or given["client"],
        given["leave_out"],
        bool(given["client_copy"]),
    )
    out: Path = given["out"]
    return terms, given["zipped"] or out.suffix == ".zip" or bool(profile and profile.zipped)


_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


def region(typed: str, profile: Profile | None, approval: str) -> str:
    """The region an export goes to. Raises UsageError for what is none, and NotAllowed where profile and
    option name two and nothing allows that."""
    named, usual = typed.strip().upper(), profile.region if profile else ""
    if named and not _REGION.fullmatch(named):
        raise click.UsageError("--to-region takes a region of ISO 3166, such as HK or US-NY")
    if named and profile and usual and named != usual and not approval:
        raise NotAllowed(
            f"profile {profile.name} goes to {usual}, and --to-region says {named}: name one region, or what "
            "allows it with --approval."
        )
    return named or usual


def approval_of(typed: str) -> str:
    """The id of an approval. Raises UsageError for one that nobody could read, or that says nothing."""
    from bridge.words import visible

    approval = legible(typed.strip(), "the approval")
    kinds = {unicodedata.category(sign)[0] for sign in approval}
    if typed and ("C" in kinds or not kinds & {"L", "N"} or visible(approval) != approval):
        raise click.UsageError("--approval takes an id of letters or digits, and nothing that cannot be seen")
    return approval


def _profile(name: str) -> Profile | None:
    from bridge.records.exports.profiles import profile

    return profile(name) if name else None


# --- making ---------------------------------------------------------------------------------------------


def _finish(root: Root, settings: Settings, folder: Path, signer: Signer, look: Looker) -> Made:
    """Write what is not written yet."""
    from bridge.cli.exporting import finish

    try:
        with reading(settings) as db, progress("exporting") as tell:
            return finish(root.act, db, settings, folder, signer, look, tell)
    except (StoreError, KeyboardInterrupt):
        output.note(f"{folder} is not finished: go on with `weighbridge audit export --resume {folder}`.")
        raise


def _say(made: Made, *, as_json: bool) -> int:
    from bridge.records.exports.manifest import counts

    told = counts(made.account)
    code = Exit.PARTIAL if made.lacking else Exit.DONE
    if as_json:
        place = str(made.place)
        output.json_line({"export": place, "id": made.id, "sha256": made.sha256, **told, **_noted(made)})
        return code
    counts = output.counted(message=told["written"], attachment=told["attachments"], part=made.account.parts)
    click.echo(f"{made.place}: {counts}")
    if not told["found"]:
        output.note("Nothing is found: the export has no message.")
    elif not told["written"]:
        output.note("All that is found is left out: the export has no message.")
    for reason, numbers in sorted(made.account.excluded.items()):
        click.echo(f"  left out: {len(numbers):,} ({reason})")
    if made.account.gone:
        click.echo(f"  disposed of, in this span: {len(made.account.gone):,}")
    for (kind, detail), numbers in sorted(made.account.warned.items()):
        click.echo(f"  {output.cell(kind)}: {len(numbers):,} ({output.cell(detail)})")
    click.echo(f"  manifest sha256 {made.sha256}")
    if made.copy:
        output.note(INHERENT)
    if made.lacking:
        output.note("Something that should have been handed over is not there: see the manifest's warnings.")
    return code


def _noted(made: Made) -> dict[str, Sequence[dict[str, Any]]]:
    account = made.account
    return {
        "exclusions": [
            {"reason": why, "count": len(found)} for why, found in sorted(account.excluded.items())
        ],
        "warnings": [
            {"code": kind, "detail": detail, "count": len(found)}
            for (kind, detail), found in sorted(account.warned.items())
        ],
    }


# --- checking -------------------------------------------------------------------------------------------


def _verify(root: Root, place: Path, keys: tuple[Path, ...], *, as_json: bool) -> int:
    """Read an export again; exit code 5 when it is not as it was made."""
    from bridge.cli.export_check import check
    from bridge.cli.prove import public_keys
    from bridge.store.signing import verifiers

    known = verifiers(keys) if keys else public_keys(root.settings())  # an outsider has no settings
    listed, problems = check(place, known)
    told = listed.get("counts", {})
    if as_json:
        output.json_line({"export": str(place), "id": listed.get("id", ""), "problems": problems, **told})
        return Exit.INTEGRITY if problems else Exit.DONE
    for problem in problems:
        click.echo(output.cell(problem))
    if problems:
        output.note(f"{place} is not as it was made: {output.counted(problem=len(problems))}.")
        return Exit.INTEGRITY
    messages, files = output.counted(message=told["written"]), output.counted(file=len(listed["files"]))
    click.echo(
        f"{place}: {messages}, each proven; {files} as they were made; manifest sha256 {listed['sha256']}"
    )
    return Exit.DONE

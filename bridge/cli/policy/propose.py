"""`weighbridge policy propose`, `withdraw`: a set of policy files is put before somebody else.

Rules of this file: what is proposed is the complete set to be in force, because that is what its differences
are true of. Files are read once: what was checked, tested and compared is what is stored. A set that does
not pass is not proposed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.policy.files import files_argument
from bridge.cli.policy.speech import language_option
from bridge.cli.root import Root, opened, pass_root, person_option, reason_option
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.policy import Diagnostic, PolicySet, Source
    from bridge.policy.changes import Change as Difference
    from bridge.proposals import Hashes, Proposal
    from bridge.store.database import Database


@click.command()
@files_argument
@click.option("--from-git", is_flag=True, help="Record the commit; refuse files that differ from it.")
@click.option("--backtest", default="", metavar="ID", help="The back-test report that speaks for the change.")
@reason_option
@person_option
@language_option
@pass_root
def propose(
    root: Root,
    files: Sequence[Path],
    from_git: bool,
    backtest: str,
    reason: str,
    person: str,
    language: str,
) -> int:
    """Propose FILES as the complete set of policies to be in force (default: those of the settings).

    They are frozen as they are now, with their lists. Files that are left out would no longer decide.

    \b
    weighbridge policy propose --reason "new placing words"
    weighbridge policy propose policies/*.yaml --from-git --reason "as reviewed"
    """
    import asyncio

    from bridge.cli import compose

    settings = root.settings()
    paths = list(files) or compose.policy_files(settings)
    sources, policies, warnings = _read(paths, language)
    for one, doubt in compose.doubts(settings, compose.destinations(policies)):
        output.note(f"warning: archive {one.name}: {doubt}")
    commit = _commit([*paths, *_lists(paths, sources)]) if from_git else ""

    async def work() -> tuple[int, Proposal]:
        from bridge import desk

        async with opened(settings, new=True) as store:
            await _stay(store, policies)
            proposal = await _proposal(store, policies, warnings, (person, reason, commit, backtest))
            return await desk.propose(store, proposal, sources), proposal

    number, proposal = asyncio.run(work())
    _tell(number, proposal, language)
    return Exit.DONE


def _read(paths: Sequence[Path], language: str) -> tuple[Sequence[Source], PolicySet, Sequence[Diagnostic]]:
    """The files, ready to judge. Shows what is wrong, and raises ConfigError, when they do not pass."""
    from bridge.policy import assemble, read, render

    sources, unread = read(paths)
    policies, found = assemble(sources)
    problems = [one for one in [*unread, *found] if one.severity == "error"]
    if problems or policies is None:
        click.echo(render(problems, "text", language), err=True)
        raise ConfigError(f"{len(problems)} error(s): nothing was proposed")
    return sources, policies, [one for one in found if one.severity == "warning"]


async def _stay(store: Database, policies: PolicySet) -> None:
    """Raises ConfigError when an archive that has copies would be looked for elsewhere."""
    from functools import partial

    from bridge.archivist import is_there
    from bridge.cli import compose

    for one in compose.destinations(policies):
        try:
            await store.read(partial(is_there, destination=one))
        except ConfigError as error:
            raise ConfigError(f"{one.name} {error}") from None


async def _proposal(
    store: Database,
    policies: PolicySet,
    warnings: Sequence[Diagnostic],
    said: tuple[str, str, str, str],
) -> Proposal:
    from bridge.policy import run_tests
    from bridge.proposals import Proposal
    from bridge.store import proposals
    from bridge.store.policies import milliseconds

    person, reason, commit, backtest = said
    base = await store.read(proposals.in_force)
    if base == policies.hashes and await store.read(proposals.deciding):
        raise ConfigError("these files are what is in force already: there is nothing to propose")
    if backtest:
        await _require_report(store, backtest, policies.hashes)
    live = await _live(store, base)
    return Proposal(
        person,
        reason,
        policies.hashes,
        base,
        await _all_changes(store, base, live, policies),
        tuple(f"{Path(one.file).name}:{one.place.line} {one.code}" for one in warnings),
        sum(len(run_tests(policy)) for policy in policies.policies),
        commit,
        backtest,
        {
            one.hash: {name: milliseconds(when) for name, when in one.changed.items()}
            for one in policies.sources
        },
        await _records(store, live, policies),
    )


async def _records(store: Database, live: PolicySet | None, draft: PolicySet) -> dict[str, int]:
    """How many stored records the classes govern that this changes, by class; those that govern none are
    left out."""
    from bridge.policy.keeping import changed_classes
    from bridge.store.lives import governed

    if live is None:
        return {}
    classes = changed_classes((one.model for one in live.policies), (one.model for one in draft.policies))
    counts = await store.read(lambda db: governed(db, classes))
    return {name: count for name, count in counts.items() if count}


async def _require_report(store: Database, name: str, hashes: Hashes) -> None:
    """Raises ConfigError when the report is of another draft, Conflict when there is none of this name."""
    from bridge.store.backtest import report_of

    report = (await store.read(lambda db: report_of(db, name)))["report"]
    if {digest for _, digest in report["draft"]} != {digest for _, digest in hashes}:
        raise ConfigError(f"--backtest: {name} was made with other files: run it again with these")


async def _all_changes(
    store: Database, base: Hashes, live: PolicySet | None, draft: PolicySet
) -> tuple[Difference, ...]:
    """What changes against what is in force, and against what was approved last, where that is another set:
    what came into force without approval is not agreed to unseen."""
    from bridge.policy.changes import Direction
    from bridge.policy.comparison import compare
    from bridge.store import proposals

    found = list(compare(live, draft)) if live else []
    approved = await store.read(proposals.last_approved)
    if approved and approved != base:
        found += [one for one in await differences(store, approved, draft) if one not in found]
    return tuple(sorted(found, key=lambda one: list(Direction).index(one.direction)))


async def differences(store: Database, base: Hashes, draft: PolicySet) -> tuple[Difference, ...]:
    """What changes against the set that is in force; nothing to compare where none ever was."""
    from bridge.policy.comparison import compare

    live = await _live(store, base)
    return compare(live, draft) if live else ()


async def _live(store: Database, base: Hashes) -> PolicySet | None:
    """The set that is in force; None where none ever was."""
    from bridge.policy import assemble
    from bridge.store.policies import sources_of

    if not base:
        return None
    live, _ = assemble(await store.read(lambda db: sources_of(db, [digest for _, digest in base])))
    if live is None:
        raise ConfigError("what is in force cannot be read by this program: run the program that runs it")
    return live


def _lists(paths: Sequence[Path], sources: Sequence[Source]) -> list[Path]:
    return [path.parent / name for path, one in zip(paths, sources, strict=True) for name in one.files]


def _commit(paths: Sequence[Path]) -> str:
    """The commit that these files are at. Raises ConfigError when one of them is not as committed."""
    changed = _git(paths[0].parent, "status", "--porcelain", "--", *(str(one.resolve()) for one in paths))
    if changed:
        names = ", ".join(line[3:] for line in changed.splitlines())
        raise ConfigError(f"--from-git: not as committed: {names}")
    return _git(paths[0].parent, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise ConfigError(f"--from-git: {folder} is in no git repository that can be read") from None
    return answer.stdout.strip()


def _tell(number: int, proposal: Proposal, language: str) -> None:
    from bridge.cli.policy.shown import difference_lines

    names = ", ".join(f"{name} {digest[:12]}" for name, digest in proposal.policies)
    click.echo(f"Change {number} is proposed by {output.cell(proposal.person)}: {names}.")
    click.echo(f"Check passed, {proposal.tests} tests passed, {len(proposal.warnings)} warning(s).")
    click.echo("")
    for line in difference_lines(proposal, language):
        click.echo(line)
    if proposal.warnings:
        output.note(
            f"Warnings are errors at approval; mend and propose again: {', '.join(proposal.warnings)}"
        )
        return
    looser = "".join(f" --looser {mark}" for mark in proposal.looser)
    looser += f" --records {proposal.concerned}" if proposal.concerned else ""
    click.echo(
        f"\nAnother person reads this and agrees:\n  weighbridge policy approve {number}{looser} --reason …"
    )


@click.command()
@click.argument("number", type=int)
@reason_option
@person_option
@pass_root
def withdraw(root: Root, number: int, reason: str, person: str) -> None:
    """Take back change NUMBER that you proposed, before it is in force."""
    from bridge import desk

    root.act(lambda store: desk.withdraw(store, number, person, reason))
    click.echo(f"Change {number} is withdrawn; said by {output.cell(person)}.")

"""`weighbridge policy promote`: a rule that was watched is enforced.

Rules of this file: no logic; `bridge.policy.editing` changes the text, the tests say whether it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.policy.drafting import failures, find, finish, no
from bridge.errors import Conflict

if TYPE_CHECKING:
    from bridge.policy import TrialResult
    from bridge.policy.editing import Place
    from bridge.policy.language import PolicyFile


@click.command()
@click.argument("rule")
@click.option("--file", type=click.Path(path_type=Path), help="The file; without it, the one in policies/.")
@click.option("--rollout", metavar="N%", help="Enforce it in so many percent of the conversations.")
@click.option("--groups", metavar="A,B", help="Enforce it in conversations with somebody of these groups.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
def promote(rule: str, file: Path | None, rollout: str | None, groups: str | None, dry_run: bool) -> None:
    """Enforce RULE, which was monitored; or enforce it for everybody, if it was for a part.

    Its tests are rewritten: `would: hold, expect: deliver` becomes `expect: hold`. Nothing is written when a
    test fails then.

    \b
    weighbridge policy promote mnpi-language --rollout 10%
    weighbridge policy promote mnpi-language
    """
    from bridge.policy.editing import promoted, with_outcomes

    part = _part(rollout, groups)
    before = find(rule, file)
    try:
        draft = before.changed(lambda text: promoted(text, rule, part))
    except Conflict as reason:
        no([f"{before.path}: {reason}."])
    outcomes = _new_outcomes(draft.policies.policies[0].model, draft.results())
    after = draft.changed(lambda text: with_outcomes(text, outcomes))
    if failed := failures(after.results()):
        no([*failed, f"{len(failed)} test(s) would fail with `{rule}` enforced: mend the rule or the tests."])
    finish(before, after, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    click.echo(f"{rule} {verb} enforced{_to_whom(part)}; {len(outcomes)} test(s) rewritten", err=True)


def _new_outcomes(file: PolicyFile, results: Sequence[TrialResult]) -> dict[Place, str]:
    """What to expect of the tests that fail now because what would have happened does."""
    from bridge.policy.editing import Place

    places = {Place(one.rule_index, one.test_index): one for one in results if not one.passed}
    return {
        place: str(result.verdict.outcome)
        for place, result in places.items()
        if file.rules[place.rule].tests[place.test].would == result.verdict.outcome
    }


def _part(rollout: str | None, groups: str | None) -> dict[str, float | list[str]] | None:
    """The part of the conversations that the options name, None for all."""
    if rollout is not None and groups is not None:
        raise click.UsageError("--rollout and --groups exclude each other")
    if groups is not None:
        return {"groups": [name.strip() for name in groups.split(",") if name.strip()]}
    if rollout is None:
        return None
    try:
        percent = float(rollout.removesuffix("%"))
    except ValueError:
        percent = 0
    if not 0 < percent <= 100:
        raise click.UsageError(f"--rollout {rollout}: write a percentage above 0 and up to 100, such as 10%")
    return {"percent": percent}


def _to_whom(part: dict[str, float | list[str]] | None) -> str:
    if part is None:
        return " for everybody"
    (value,) = part.values()
    return f" for {', '.join(value)}" if isinstance(value, list) else f" for {value:g}% of the conversations"

"""`weighbridge policy add-test`: what a rule got wrong or right becomes a test.

Rules of this file: no logic; `bridge.policy.editing` changes the text, the test says whether it passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.policy.drafting import failures, find, finish, no

if TYPE_CHECKING:
    from bridge.policy.language import Trial

_OUTCOMES = click.Choice(["deliver", "annotate", "redact", "hold", "block"])


@click.command("add-test")
@click.argument("rule")
@click.option(
    "--given", multiple=True, required=True, help="The message. Several: one sender's, the last is judged."
)
@click.option("--expect", type=_OUTCOMES, required=True, help="What has to become of it.")
@click.option("--becomes", help="The exact text after masking.")
@click.option("--would", type=_OUTCOMES, help="What the rules that are only monitored would have done.")
@click.option("--from", "origin", type=click.Choice(["symphony", "weixin"]), help="Where it comes from.")
@click.option("--sender", help="The sender's address, id or tag:….")
@click.option("--recipient", help="The recipient's address, id or tag:….")
@click.option("--kind", help="The kind of message: voice, file, ….")
@click.option("--at", metavar='"YYYY-MM-DD HH:MM"', help="When, by the policy's clock.")
@click.option("--note", help="Why, for the reader.")
@click.option("--file", type=click.Path(path_type=Path), help="The file; without it, the one in policies/.")
@click.option(
    "--failing",
    is_flag=True,
    help="Write it although it fails: the file is refused until the rule is mended.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
def add_test(
    rule: str,
    given: Sequence[str],
    origin: str | None,
    file: Path | None,
    failing: bool,
    dry_run: bool,
    **more: str,
) -> None:
    """Add a test to RULE. It is refused when it does not pass, unless you say `--failing`.

    \b
    weighbridge policy add-test mask-cards --expect deliver \\
        --given "order 4111 1111 1111 1112"
    weighbridge policy add-test mask-cards --expect deliver --failing \\
        --given "ref 6222 0212 3456 7890 128"
    """
    from bridge.policy.editing import with_test

    test = _test(given, {"from": origin, **more})
    before = find(rule, file)
    after = before.changed(lambda text: with_test(text, rule, test))
    *others, result = [one for one in after.results() if one.rule == rule]
    if any(_same(one.test, result.test) for one in others):
        no([f"`{rule}` has this test already."])
    if not result.passed and not failing:
        no([*failures([result]), "Mend the rule first, or add --failing: the file is refused until you do."])
    finish(before, after, dry_run=dry_run)
    click.echo(_said(rule, passed=result.passed, why=result.problem), err=True)


def _test(given: Sequence[str], more: Mapping[str, str | None]) -> dict[str, str | Sequence[str]]:
    """The keys of the test in the order of the language."""
    order = ("from", "sender", "recipient", "kind", "at", "would", "expect", "becomes", "note")
    test: dict[str, str | Sequence[str]] = {"given": given[0] if len(given) == 1 else list(given)}
    return test | {key: value for key in order if (value := more.get(key)) is not None}


def _same(one: Trial, other: Trial) -> bool:
    """Whether two tests ask the same; a note asks nothing."""
    return one.model_copy(update={"note": other.note}) == other


def _said(rule: str, *, passed: bool, why: str) -> str:
    if passed:
        return f"the new test of {rule} passes"
    return f"the new test of {rule} fails ({why}): the file is refused until the rule is mended"

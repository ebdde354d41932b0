"""The guide for compliance staff, typed from beginning to end: every file, every command, every answer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from guide import GUIDE, Meanwhile, Saved, Typed, agrees, steps, words
from rig import Clock, Hands, message, new_store
from rig import opened as opened_store
from story import Answer, Terminal
from traffic import judged

from bridge.cli.output import Exit
from bridge.cli.policy import activate
from bridge.cli.root import opened
from bridge.config import load as settings
from bridge.message import SYMPHONY, WEIXIN
from bridge.policy import Source, assemble, check, load, render
from bridge.proposals import Bar

APPROVED = '[policy]\nactivation = "approved"\n'
SAID = ("Good morning", "card 4111 1111 1111 1111", "card 3782 822463 10005", "加我微信", "騰訊路演")


class Reader(Terminal):
    """Somebody who does what the guide says, in an empty folder, beside a bridge."""

    changes = 0

    def type(self, *arguments: str) -> Answer:
        """Run a command; one that ends the process itself answers with its code as well."""
        try:
            return super().type(*arguments)
        except SystemExit as ended:
            return Answer(int(ended.code or 0), *self.capsys.readouterr())

    def does(self, step: Saved | Typed | Meanwhile) -> None:
        """One thing; whatever goes wrong or reads otherwise fails the test."""
        if isinstance(step, Saved):
            self.saves(step)
        elif isinstance(step, Typed):
            self.types(step)
        elif step.what == "the bridge takes the change up":
            self.changes += 1
            asyncio.run(self.takes_up(self.changes))
        elif step.what == "the draft is saved over the file":
            (self.folder / "drafts/cards.yaml").replace(self.folder / "policies/cards.yaml")
        else:
            assert step.what == "a month of messages"
            asyncio.run(self.writes())

    def saves(self, step: Saved) -> None:
        """Save a file; the guide shows none with a mistake, a warning, or a failing test."""
        path = self.folder / step.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")
        if path.suffix == ".yaml" and path.parent.name == "policies":
            assert render(check([path])) == ""

    def types(self, step: Typed) -> None:
        """Type a command; it succeeds, and answers what the guide shows."""
        answer = self.type(*words(step.command, self.folder))
        assert answer.code == Exit.DONE, f"{step.command}\n{answer.out}{answer.err}"
        seen = answer.out + answer.err
        assert agrees(step.answer or "…", seen), f"{step.command}\n{seen}"

    async def takes_up(self, number: int) -> None:
        """What the daemon does when a change is due."""
        async with opened(settings(self.folder / "weighbridge.toml", {})) as store:
            await store.activate_change(number, Bar())

    async def writes(self) -> None:
        """Messages of both sides, judged by what is in force."""
        clock = Clock(time.time_ns() // 1_000_000)
        hands = Hands(opened_store(self.folder, clock), clock)
        await hands.store.own("the bridge")
        for network in (SYMPHONY, WEIXIN):
            await hands.archive(*(message(network, n, text) for n, text in enumerate(SAID, start=1)))
        await judged(hands, load(sorted(self.folder.glob("policies/*.yaml"))))
        hands.store.close()


def test_everything_in_the_guide_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed in order: every file is accepted, every command succeeds, every answer is as shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_HK.UTF-8")
    monkeypatch.setattr(activate, "PATIENCE", 0.0)
    new_store(tmp_path)
    reader = Reader(tmp_path, capsys)
    reader.settings(APPROVED)
    for step in steps(GUIDE.read_text(encoding="utf-8")):
        reader.does(step)
    assert reader.type("audit", "verify").code == Exit.DONE


def test_the_mistake_in_the_guide_is_explained_so() -> None:
    """The mistake that the guide shows is explained in exactly these words."""
    text = GUIDE.read_text(encoding="utf-8")
    first = next(step for step in steps(text) if isinstance(step, Saved))
    broken = first.text.replace("finds: card", "finds: crad")
    _, problems = assemble([Source("policy.yaml", broken.encode())])
    assert f"```text\n{render(problems)}\n```" in text


@pytest.mark.parametrize(
    ("shown", "said", "same"),
    [
        ("a\n…\nb", "a\nx\ny\nb\n", True),
        ("a …\nb", "a x\nb", True),
        ("a\n…", "a\nx\ny", True),
        ("a\n…\nb", "a\nx\nc", False),
        ("a …", "a x\nb", False),
    ],
)
def test_an_answer_may_leave_something_out(shown: str, said: str, same: bool) -> None:
    """`…` stands for any lines, or for any text in a line, and for nothing else."""
    assert agrees(shown, said) is same


def test_the_guide_is_for_compliance_staff() -> None:
    """No programming language is needed to read it, and it begins with card numbers."""
    text = GUIDE.read_text(encoding="utf-8")
    assert "python" not in text.lower()
    assert text.index("## Stop card numbers going to Weixin") < text.index("## The parts of a file")

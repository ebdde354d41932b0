"""The HTML report: opens anywhere, fetches nothing, and no text of anybody's becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from evidence_rig import files_of, make
from story import Terminal

from bridge.evidence.account import Account, Step, Told
from bridge.evidence.disclosure import ALL, LOST, NOTHING, PART
from bridge.evidence.exhibits import Making
from bridge.evidence.page import BAR, clean, delivered, page, times
from bridge.evidence.phrases import LANGUAGES

STEP = Step(1_790_000_000_005, "message:archived", "0/6", "ab" * 32, "kind text", "", "", ())
TOLD = Told(
    1, "asked for", False, "symphony", "text", 1_790_000_000_004, 1_790_000_000_005, "Alice Wong", "李雷", "",
    "你好", "你好", ALL, ("hold", "deliver"), (), "", (("cards.yaml", "c" * 64),), ("out1",), (), (STEP,),
)  # fmt: skip
MAKING = Making(
    1_790_000_000_000, "auditor@bank.example", "asked", "2026/17", "from:alice", ZoneInfo("Asia/Hong_Kong")
)


def account(*told: Told, language: str = "en") -> Account:
    """A report of these messages."""
    return Account(
        replace(MAKING, language=language), "from:alice", "asked", {"messages": 1}, [], told, (), False
    )


def test_nothing_is_fetched_and_nothing_runs(terminal: Terminal) -> None:
    """No script, no address, no style or picture from elsewhere; and its own policy forbids all of that."""
    html = files_of(make(terminal))["report.html"].decode()
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert not re.search(r"<script|<img|<link|<iframe|\bon\w+=|https?://|url\(|@import", html)
    assert set(re.findall(r'href="([^"]*)"', html)) == {"files/000006-1.pdf"}


def test_what_people_wrote_is_text() -> None:
    """Markup, quotes and signs that turn text around are shown and have no effect."""
    evil = "<script>alert('x')</script>\u202e\" onload=\"x\n\x07line"
    html = page(account(replace(TOLD, written=evil, sender=evil))).decode()
    assert "<script" not in html
    assert "\u202e" not in html
    assert "[U+202E]" in html
    assert "[U+0007]line" in html
    assert 'onload="x' not in html


def test_a_bar_says_nothing_of_what_it_covers() -> None:
    """One length for a word and for a page; what was not said is no bar."""
    bars = page(account(replace(TOLD, written=None, delivered=None, sender=None, rules=None))).decode()
    assert bars.count(BAR) == 4
    assert BAR not in page(account(TOLD)).decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_its_labels(language: str) -> None:
    """And the page says which it is in."""
    html = page(account(TOLD, language=language)).decode()
    assert f'lang="{language}"' in html
    assert {"en": "As written", "zh-Hans": "送达内容", "zh-Hant": "送達內容"}[language] in html


def test_a_chinese_report_has_no_english_of_ours() -> None:
    """Counts, why a message is here, outcomes and what is missing are said in the reader's language; a policy
    has its name, and a cause its meaning."""
    gone = {"message": 1, "what": "content", "reason": "withheld by whoever made this"}
    shown = replace(
        account(replace(TOLD, why="notice about 7"), language="zh-Hans"),
        counts={"messages": 31, "asked_for": 30},
        exclusions=[gone],
    )
    html = page(shown).decode()
    for said in (
        "消息 31, 查询所得 30",
        "通知，关于消息 7",
        "暂缓发送 &gt; 放行",
        "消息 1: 内容: 由制作者隐去",
    ):
        assert said in html
    assert "cards.yaml " + "c" * 16 in html
    assert "cause" in html
    assert not re.search(r"asked|notice about|deliver|hold\b|withheld", html.replace("<td>asked</td>", ""))


def test_a_ledger_is_readable_on_a_phone() -> None:
    """Its rows are stacked there, and the desk's time has its own line beside a hash that never wraps."""
    html = page(account(TOLD)).decode()
    assert re.search(r"@media screen and \(max-width:52rem\)\{[^@]*\.steps td\{display:block\}", html)
    assert "2026-09-21 14:13:20.005 UTC<br>(2026-09-21 22:13:20 Asia/Hong_Kong)" in html
    assert ".steps td:nth-child(5){white-space:nowrap}" in html


def test_times_are_utc_with_the_desks_beside_them() -> None:
    """To the millisecond, as they are recorded; one of them is enough where both are the same."""
    assert times(1_790_000_000_005, ZoneInfo("Asia/Hong_Kong")) == (
        "2026-09-21 14:13:20.005 UTC (2026-09-21 22:13:20 Asia/Hong_Kong)"
    )
    assert times(1_790_000_000_005, UTC) == "2026-09-21 14:13:20.005 UTC"
    assert times(0, UTC) == ""


def test_the_readers_side_says_whether_anything_went_out() -> None:
    """Delivered; a part of it; taken and lost; permitted and not delivered; nothing; withheld."""
    assert delivered(TOLD, "en") == "你好"
    assert delivered(replace(TOLD, arrived=NOTHING), "en") == "Permitted, not delivered."
    assert delivered(replace(TOLD, arrived=NOTHING, delivered=""), "en") == "Nothing was delivered."
    assert delivered(replace(TOLD, delivered=None), "en") is None
    part, lost = (replace(TOLD, arrived=one) for one in (PART, LOST))
    assert delivered(part, "en") == "A part was delivered, and nobody knows how much of this:\n你好"
    assert delivered(replace(part, delivered=None), "zh-Hans") == f"仅部分送达，送达范围无法确定：\n{BAR}"
    assert "never arrived" in (delivered(lost, "en") or "")


def test_the_quote_that_went_with_it_stands_above_the_words() -> None:
    """In the box of what was delivered; a bar where it is withheld; none where nothing arrived."""
    quoted = replace(TOLD, below="明天见 <b>")
    label = "Delivered below the quote"
    assert (
        f"<blockquote><b>{label}</b> 明天见 &lt;b&gt;</blockquote><p>你好</p>"
        in page(account(quoted)).decode()
    )
    assert f'{label}</b> <span class="bar">{BAR}' in page(account(replace(TOLD, below=None))).decode()
    assert label not in page(account(replace(quoted, arrived=NOTHING), TOLD)).decode()


def test_line_breaks_stay() -> None:
    """Of all controls they alone mean something to a reader."""
    assert clean("one\ntwo\t\u200b") == "one\ntwo[U+0009][U+200B]"

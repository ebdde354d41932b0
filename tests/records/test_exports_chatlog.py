"""The readable transcript: who was there for how long, and every message with all that is known of it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import corpus
import pytest

from bridge.records.exports.chatlog import exact, heading, page, presences, told
from bridge.records.exports.legible import spelled
from bridge.records.transcript import Came


class _Texts(HTMLParser):
    """The texts of messages in a page, by the id of their article."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.tags: set[str] = set()
        self._article, self._inside = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "article":
            self._article = str(given["id"])
        self._inside = tag == "div" and given.get("class") == "text"
        if self._inside:
            self.found[self._article] = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[self._article] += data


def test_stays_are_reckoned_over_all_comings_and_goings() -> None:
    """Somebody who left and came again was there twice; who was there at first counts from the first item."""
    start, bob = corpus.START, corpus.BOB
    items = (
        corpus.line(0, "first"),
        Came(start + 1000, bob, True),
        Came(start + 3000, bob, False),
        Came(start + 6000, bob, True),
        corpus.line(10, "last"),
    )
    stays = {one.party: one for one in presences(replace(corpus.slices()[0], items=items))}
    assert (stays[bob].joined, stays[bob].left, stays[bob].lasted) == (start + 1000, 0, 6000)
    assert (stays[corpus.LI_LEI].joined, stays[corpus.LI_LEI].lasted) == (start, 10_000)
    assert (stays[corpus.LI_LEI].messages, stays[bob].messages) == (2, 0)
    assert stays[corpus.OURS].joined == 0


def test_a_page_has_every_text_and_no_tag_of_a_strangers() -> None:
    """Markup in a text is text."""
    slice_ = corpus.slices()[2]
    reader = _Texts()
    reader.feed(page("t", [told(item).page for item in slice_.items]))
    expected = {f"message-{line.number}": spelled(line.text) for line in slice_.lines}
    assert reader.found == expected
    assert "script" not in reader.tags


@pytest.mark.parametrize("text", corpus.TEXTS)
def test_no_text_can_pass_for_a_line_of_ours(text: str) -> None:
    """In plain text every line of a message is marked as its line."""
    plain = told(corpus.line(1, text, sent="")).plain
    quoted = [line[6:] for line in plain.split("\n") if line.startswith("    > ")]
    assert "\n".join(quoted) == spelled(text).replace("\r\n", "\n").replace("\r", "\n")


def test_later_versions_stand_at_the_first() -> None:
    """A reader of the original learns that it was replaced and taken back."""
    second = next(line for line in corpus.slices()[0].lines if line.number == 2)
    plain = told(second).plain
    assert "Replaced by: message/3" in plain
    assert "Taken back by: message/4" in plain


def test_the_heading_names_people_numbers_and_the_export() -> None:
    """Summary and participants as other exporters have them."""
    plain = heading(corpus.request(), corpus.slices()[0], 2, 3).plain
    for words in ("Users: 4", "Messages: 8", "Mail: 2 of 3", "CASE-7", "李雷 (weixin wmLiLei) | client"):
        assert words in plain


def test_exact_means_nothing_was_spelled_out() -> None:
    """Whoever needs the very signs is told where they are."""
    assert exact(corpus.line(1, "你好\n"))
    assert not exact(corpus.line(1, "ok", quote="\x00"))

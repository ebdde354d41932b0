"""Pages: a reader that is not ours finds every text, and nothing that could do anything."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import corpus
import pytest

from bridge.records.exports.html import HTML
from bridge.records.exports.legible import spelled
from bridge.records.exports.naming import of_slice


class Reader(HTMLParser):
    """Texts as they stand under their classes; links; elements."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.elements: set[str] = set()
        self.refused = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.elements.add(tag)
        self.links += [unquote(told["href"] or "")] if "href" in told else []
        if told.get("http-equiv") == "Content-Security-Policy":
            self.refused = told["content"] or ""
        if tag == "p":
            self._open.append(told.get("class") or "")
            self.texts.setdefault(self._open[-1], []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, exported."""
    memory = corpus.Memory()
    HTML.write(corpus.request(), corpus.slices(), {}, memory)
    return memory


def read(out: corpus.Memory, name: str) -> Reader:
    """A page, read by the standard library."""
    reader = Reader()
    reader.feed(out.files[name].decode())
    reader.close()
    return reader


PAGES = ("2026-09-21/pair-1.html", of_slice(corpus.slices()[1], "html"), "2026-09-22/pair-1.html")


def test_every_text_stands_on_its_page(out: corpus.Memory) -> None:
    """Markup is text, breaks stay, and signs that deceive are spelled out under a warning."""
    for name, one in zip(PAGES, corpus.slices(), strict=True):
        texts = read(out, name).texts["written"]
        assert texts == [spelled(line.text) for line in one.lines]
    warned = {number for code, number, _ in out.warnings if code == "spelled"}
    assert 109 in warned  # text that runs the other way
    assert 102 not in warned


def test_what_the_other_side_saw_stands_beside(out: corpus.Memory) -> None:
    """Masked words as they went out; "nothing" where nothing did."""
    told = read(out, PAGES[0]).texts["delivered"]
    assert told[0] == "卡号 ************1111"
    assert told[3].startswith("nothing")


def test_nothing_on_a_page_can_act(out: corpus.Memory) -> None:
    """No script, no picture, no form, and a policy that forbids the rest."""
    for name in PAGES:
        reader = read(out, name)
        assert not reader.elements & {"script", "img", "iframe", "form", "object", "link", "b<"}
        assert reader.refused.startswith("default-src 'none'")


def test_links_lead_to_what_is_there(out: corpus.Memory) -> None:
    """From the index to the pages and from these to attachments, without a network."""
    assert set(read(out, "index-00001.html").links) == set(PAGES)
    links = read(out, PAGES[0]).links
    assert sum("#" not in link for link in links) == 3
    assert all(link.removeprefix("../").partition("#")[0] in out.files for link in links)
    anchors = {link.partition("#")[2] for link in links} - {""}
    assert anchors == {"m2", "m3", "m4"}
    assert all(f'id="{anchor}"' in out.files[PAGES[0]].decode() for anchor in anchors)


@pytest.mark.parametrize(
    "name",
    ["a.html", "a.SVG", "a.xhtml", "a.hta", "a.js", "a.mht", "a.html ", "a.html.", "page", ".html", "a.url"],
)
def test_no_attachment_runs_where_a_link_leads(name: str) -> None:
    """A page's policy ends at its own edge: what a browser may run is a file of bytes, and that is said."""
    line = corpus.line(1, "x", files=(corpus.enclosure(name, corpus.SMALL, "text/html"),))
    memory = corpus.Memory()
    HTML.write(corpus.request(), [replace(corpus.slices()[1], items=(line,))], {"language": "en"}, memory)
    (link,) = [one for one in read(memory, PAGES[1]).links if "attachments" in one]
    assert link.endswith(".bin")
    assert memory.files[link.removeprefix("../")] == corpus.SMALL
    assert "saved with .bin" in memory.files[PAGES[1]].decode()


def test_what_was_replaced_or_taken_back_says_so_before_its_words(out: corpus.Memory) -> None:
    """By which message and when, on the page of the original."""
    told = read(out, PAGES[0]).texts["became"]
    assert [one.split(" at ")[0] for one in told] == [
        "Replaced by / 已被修改，见 message/3 (w3)",
        "Taken back by / 已被撤回，见 message/4 (w4)",
        "Taken back by / 已被撤回，见 message/4 (w4)",
    ]


@pytest.mark.parametrize("language", ["en", "zh-Hans", "zh-Hant"])
def test_labels_speak_the_language_asked_for(language: str) -> None:
    """English, Simplified and Traditional; people's words stay as they are."""
    memory = corpus.Memory()
    HTML.write(corpus.request(), corpus.slices()[1:2], {"language": language}, memory)
    page = memory.files[PAGES[1]].decode()
    assert f'lang="{language}"' in page
    assert {"en": "Messages", "zh-Hans": "消息", "zh-Hant": "訊息"}[language] in page

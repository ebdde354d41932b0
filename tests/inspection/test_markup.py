"""XML as a stream: local names, nothing fetched, nothing expanded."""

from __future__ import annotations

from io import BytesIO

import pytest

from bridge.inspection.bounds import Unreadable
from bridge.inspection.markup import Handler, local, parse


class Recorder(Handler):
    """Everything that it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[object] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.said.append((name, attributes))

    def words(self, text: str) -> None:
        self.said.append(text)

    def end(self, name: str) -> None:
        self.said.append(name)


def test_names_lose_their_prefix() -> None:
    """Vendors choose prefixes as they like: only local names tell."""
    recorder = Recorder()
    parse(BytesIO(b'<x:a xmlns:x="u" x:b="c">&#20869;</x:a>'), recorder)
    assert recorder.said == [("a", {"x": "u", "b": "c"}), "内", "a"]
    assert (local("w:t"), local("t")) == ("t", "t")


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b"<a><b></a>",
        b"",
        b"\xff\xff\xff",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<a>" * 600,
    ],
)
def test_harmful_and_broken_documents_are_refused(document: bytes) -> None:
    """Each is Unreadable, whatever the parser's own word for it is."""
    with pytest.raises(Unreadable):
        parse(BytesIO(document), Recorder())

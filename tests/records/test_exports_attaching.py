"""Attachments as files: every one with a digest, and no other."""

from __future__ import annotations

import corpus

from bridge.records.exports.attaching import attach


def test_each_attachment_is_a_file_with_its_bytes() -> None:
    """The empty one and the one of 20 MB too; what is missing is no file."""
    memory = corpus.Memory()
    attach(memory, corpus.slices())
    assert sorted(memory.files.values()) == sorted([b"", corpus.SMALL, corpus.LARGE])

r"""Concordance load files, read back by a reader written from the documented delimiters.

The reader knows three signs (þ, \x14, ®), CRLF and the byte order mark; nothing of how they were written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import corpus
import pytest

from bridge.errors import ConfigError
from bridge.records.exports.dat import DAT, PROFILES
from bridge.records.exports.legible import spelled


def _written(options: Mapping[str, object] | None = None, part: int = 1) -> corpus.Memory:
    out = corpus.Memory(part)
    DAT.write(corpus.request(), corpus.slices(), options or {}, out)
    return out


def _read(octets: bytes) -> list[dict[str, str]]:
    text = octets.decode("utf-16" if octets.startswith(b"\xff\xfe") else "utf-8-sig")
    rows = [row.split("\x14") for row in text.split("\r\n")]
    assert rows.pop() == [""]
    for row in rows:
        assert all(value.startswith("þ") and value.endswith("þ") and len(value) > 1 for value in row)
        assert not any("þ" in value[1:-1] or "\n" in value for value in row)
    names, *values = [[value[1:-1].replace("®", "\n") for value in row] for row in rows]
    assert all(len(row) == len(names) for row in values)
    return [dict(zip(names, row, strict=True)) for row in values]


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, written once."""
    return _written()


def _rows(out: corpus.Memory) -> dict[str, dict[str, str]]:
    return {row["DOCID"]: row for row in _read(out.files["data/WB0001.dat"])}


def _path(path: str) -> str:
    return path.removeprefix(".\\").replace("\\", "/")


def _shown(text: str) -> str:
    for sign in "þ\x14®":
        text = text.replace(sign, f"⟦U+{ord(sign):04X}⟧")
    return spelled(text.replace("\r\n", "\n").replace("\r", "\n"))


def test_every_message_is_a_row_as_it_was(out: corpus.Memory) -> None:
    """Text, what was sent, people, links, decisions and deliveries; delimiters inside are spelled out."""
    rows = _rows(out)
    for line in (line for one in corpus.slices() for line in one.lines):
        row = rows[f"WB{line.number:09d}"]
        assert (row["MESSAGE"], row["SENTTEXT"]) == (_shown(line.text), _shown(line.sent))
        assert line.sender.address in row["FROM"]
        assert all(one.address in row["TO"] for one in line.readers)
        earlier = line.edits or line.recalls
        assert row["REFERSTO"] == (f"message/{earlier}" if earlier else "")
        assert row["LATER"].count("message/") == len(line.later)
        assert row["ABOUT"] == (f"message/{line.notice_for}" if line.notice_for else "")
        assert len(row["DECISIONS"].split("\n") if row["DECISIONS"] else []) == len(line.decisions)
        assert len(row["DELIVERIES"].split("\n") if row["DELIVERIES"] else []) == len(line.deliveries)
        assert row["GONE"] == line.gone


def test_natives_have_what_a_row_cannot_hold(out: corpus.Memory) -> None:
    """Every sign of every text, delimiters among them; and the manifest is told."""
    rows = _rows(out)
    lines = [line for one in corpus.slices() for line in one.lines]
    for line in lines:
        native = json.loads(out.files[_path(rows[f"WB{line.number:09d}"]["NATIVEPATH"])])
        assert (native["text"], native["sent"]) == (line.text, line.sent)
    told = [number for code, number, _ in out.warnings if code == "delimiters"]
    assert told == [line.number for line in lines if set("þ\x14®") & set(line.text)]


def test_digests_and_paths_lead_to_files(out: corpus.Memory) -> None:
    """MD5 and SHA-256; attachments are the archived ones; a missing one says why."""
    for row in _rows(out).values():
        assert _path(row["TEXTPATH"]) in out.files
        if row["NATIVEPATH"]:
            octets = out.files[_path(row["NATIVEPATH"])]
            assert row["MD5HASH"] == hashlib.md5(octets, usedforsecurity=False).hexdigest()
            assert row["SHA256HASH"] == hashlib.sha256(octets).hexdigest()
            assert row["FILESIZE"] == str(len(octets))
        else:
            assert row["MISSING"] == "the network did not give it: gone"
    files = next(line.files for line in corpus.slices()[0].lines if line.number == 6)
    digests = [_rows(out)[f"WB000000006.{n:04d}"]["SHA256HASH"] for n in (1, 2, 3, 4)]
    assert digests == [file.digest for file in files]


def test_families_and_presence(out: corpus.Memory) -> None:
    """Ranges, parents and children; rows for whoever came or went, and who was there at first."""
    rows = _rows(out)
    assert rows["WB000000006"]["ATTACHIDS"].split("; ") == [f"WB000000006.000{n}" for n in (1, 2, 3, 4)]
    assert rows["WB000000006.0002"]["PARENTID"] == rows["WB000000006.0002"]["BEGATTACH"] == "WB000000006"
    assert rows["WB000000006.0002"]["ENDATTACH"] == "WB000000006.0004"
    kinds = [row["KIND"] for row in rows.values()]
    assert (kinds.count("join"), kinds.count("leave"), kinds.count("conversation")) == (1, 1, 3)
    group = rows[rows["WB000000001"]["GROUPID"]]
    assert group["PRESENT"].startswith("Alice Wong <alice.wong@bank.example>; 李雷 <")


@pytest.mark.parametrize("prefix", ["A,B", "þ", "", "a/b", "..", "x" * 21, "A\n"])
def test_a_prefix_is_of_signs_that_stand_for_themselves(prefix: str) -> None:
    """In a load file, in a path, in whatever somebody's loader splits."""
    with pytest.raises(ConfigError, match="prefix"):
        _written({"prefix": prefix})


def test_no_texts_are_listed_as_pages(out: corpus.Memory) -> None:
    """An OPT file lists images, and there are none."""
    assert {name.rpartition(".")[2] for name in out.files if name.startswith("data/")} == {"dat"}


def test_utf_16_says_the_same(out: corpus.Memory) -> None:
    """For loaders that take nothing else."""
    assert _read(_written({"encoding": "utf-16"}).files["data/WB0001.dat"]) == list(_rows(out).values())


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_have_the_receivers_columns(name: str) -> None:
    """In their order, none twice; a row for every document, all ids with the chosen prefix."""
    chosen = {"profile": name, "prefix": "BANK-", "company": "Bank"}
    octets = _written(chosen).files["data/BANK-0001.dat"]
    rows = _read(octets)
    columns = [column for column, _ in PROFILES[name]]
    assert list(rows[0]) == columns
    assert len(set(columns)) == len(columns)
    key = next(column for column, source in PROFILES[name] if source == "id")
    assert all(row[key].startswith("BANK-") for row in rows)
    assert all(row.get("COMPANY", "Bank") == "Bank" for row in rows)


def test_regulators_write_dates_their_way() -> None:
    """Month, day, year; time and zone apart, in UTC."""
    rows = {row["DOCID"]: row for row in _read(_written({"profile": "doj"}).files["data/WB0001.dat"])}
    row = rows["WB000000002"]
    assert (row["DOCDATE"], row["TIMESENT"], row["TIMEZONE"]) == ("09/21/2026", "14:13:21", "UTC")
    assert rows["WB000000006"]["FAMLYRNG"] == "WB000000006 - WB000000006.0004"


def test_other_delimiters_are_taken_out_of_values_alike(out: corpus.Memory) -> None:
    """Bar, caret and tilde say the same where they are wanted; each is spelled out inside a value."""
    octets = _written({"delimiters": "pipe"}).files["data/WB0001.dat"]
    rows = [row.split("|") for row in octets.decode("utf-8-sig").split("\r\n")[:-1]]
    assert all(value[0] == value[-1] == "^" for row in rows for value in row)
    ids = [row[0][1:-1] for row in rows[1:]]
    assert ids == list(_rows(out))
    message = rows[0].index("^MESSAGE^")
    assert "þ⟦U+0014⟧®¶" in rows[1 + ids.index("WB000000112")][message]


def test_parts_are_volumes_of_their_own(out: corpus.Memory) -> None:
    """No two parts write one name; the same part has the same bytes."""
    assert not set(out.files) & set(_written(part=2).files)
    assert out.files == _written().files


def test_unknown_choices_are_refused() -> None:
    """With those there are."""
    with pytest.raises(ConfigError, match="weighbridge, doj, ftc, sec"):
        _written({"profile": "cia"})
    with pytest.raises(ConfigError, match="utf-8, utf-16"):
        _written({"encoding": "latin-1"})

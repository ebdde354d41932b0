"""Names, texts, reasons and file names made of nothing but what breaks formats: every format stays valid.

Rules of this file: seeded, so that a failure is the same failure again.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from pathlib import Path

import corpus
import jsonschema
import pytest
import xmlschema

from bridge.records.exports import known, opened
from bridge.records.transcript import Came, Enclosure, Judged, Later, Line, Party, Passed, Slice

SIGNS = (
    "ab \t\r\n\x00\x0b\x1b\x85\u2028\u202e\ufeff\ufffe\ud800\udfffþ®\x14|^~\"'<>&;,:@=?_+-/\\..%*[](){}#長😀"
)
SCHEMAS = Path(__file__).parent / "schemas"
SEEDS = range(12)


class _Chance:
    """Records by chance."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self, most: int = 20) -> str:
        return "".join(self._random.choices(SIGNS, k=self._random.randrange(most)))

    def party(self) -> Party:
        role = self._random.choice(("advisor", "client", "bridge", "other"))
        address = f"p{self._random.randrange(9)}@bank.example"
        return Party(self.text(5) or "n", self.text() or "i", self.text(60), address, role)

    def file(self) -> Enclosure:
        if self._random.random() < 0.5:
            return Enclosure(self.text(), self.text(), -1, missing=self.text())
        size = self._random.choice((-1, len(corpus.SMALL)))
        return replace(corpus.enclosure(self.text(300), corpus.SMALL, self.text()), size=size)

    def item(self, number: int) -> Line | Came:
        at = corpus.START + number * 1000
        if self._random.random() < 0.2:
            return Came(at, self.party(), self._random.random() < 0.5, self.text())
        other = self._random.choice((None, None, 1, number, number + 1))
        return replace(
            corpus.line(
                number, self.text(200), sent=self.text(200), quote=self.text(), source_id=self.text()
            ),
            sender=self.party(),
            readers=tuple(self.party() for _ in range(self._random.randrange(3))),
            files=tuple(self.file() for _ in range(self._random.randrange(3))),
            sent_at=self._random.choice((at, 0, -5, 10**18)),
            decisions=(
                Judged(at, self.text(), self.text(), self.text(), self.text(), ((self.text(), "x"),)),
            ),
            deliveries=(Passed(self.text(), self.text(), at, self.text(), (self.text(), "x")),),
            offered=self.text(),
            taken=self.text(),
            later=tuple(self.later(number + n) for n in range(self._random.randrange(3))),
            edits=other,
            notice_for=self._random.choice((None, 1)),
            gone=self._random.choice(("", self.text())),
        )

    def later(self, number: int) -> Later:
        """Something that replaces a message or takes it back, here or elsewhere."""
        recall, here = self._random.random() < 0.5, self._random.random() < 0.5
        sent_at = self._random.choice((corpus.START, 0, -5, 10**18))
        text = self.text() if here else ""
        return Later(number, corpus.START, sent_at, self.text(), recall, self.party(), here, text)

    def slices(self) -> list[Slice]:
        """Two days, with numbers that no two messages share."""
        return [
            Slice(
                f"{day}{self.text()}",
                self.text(60),
                date(2026, 9, 21 + day),
                tuple(self.party() for _ in range(2)),
                tuple(self.item(10 * day + number) for number in range(1, self._random.randrange(2, 9))),
                tuple(self.party() for _ in range(2)),
            )
            for day in range(2)
        ]


def _written(name: str, seed: int) -> dict[str, bytes]:
    chance, out = _Chance(seed), corpus.Memory()
    request = replace(corpus.request(), person=chance.text(), case=chance.text(), query=chance.text())
    opened(known(name)).write(request, chance.slices(), {}, out)
    return out.files


@pytest.mark.parametrize("name", ["globalrelay", "rsmf"])
def test_mails_stay_mails(name: str) -> None:
    """Parsed without a defect, lines as RFC 5322 wants them, and no header but ours."""
    ours = {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted", "Precedence"}
    for octets in (octets for seed in SEEDS for octets in _written(name, seed).values()):
        mail = message_from_bytes(octets)
        assert not [part.defects for part in mail.walk() if part.defects]
        assert all(key in ours | {"Content-Type"} or key.startswith("X-") for key in set(mail))
        lines = octets.split(b"\r\n")
        assert max(map(len, lines)) <= 998
        assert not any(b"\r" in line or b"\n" in line for line in lines)


def test_manifests_stay_valid() -> None:
    """Whatever stands in them."""
    schema = jsonschema.Draft7Validator(json.loads((SCHEMAS / "rsmf.json").read_text("utf-8")))
    for octets in (octets for seed in SEEDS for octets in _written("rsmf", seed).values()):
        (part,) = [one for one in message_from_bytes(octets).walk() if one.get_filename() == "rsmf.zip"]
        with zipfile.ZipFile(io.BytesIO(part.get_payload(decode=True))) as place:  # type: ignore[arg-type]
            schema.validate(json.loads(place.read("rsmf_manifest.json")))


@pytest.mark.parametrize(("name", "ending"), [("actiance", ".zip"), ("edrm", ".xml")])
def test_xml_stays_valid(name: str, ending: str) -> None:
    """No sign of anybody's becomes markup, or something that no parser takes."""
    schema = xmlschema.XMLSchema(SCHEMAS / f"{name}.xsd")
    for seed in SEEDS:
        (octets,) = [octets for file, octets in _written(name, seed).items() if file.endswith(ending)]
        if ending == ".zip":
            with zipfile.ZipFile(io.BytesIO(octets)) as place:
                assert len(set(place.namelist())) == len(place.namelist())
                octets = place.read("actiance_export.xml")
        schema.validate(octets.decode())


def test_load_files_keep_their_columns() -> None:
    """Every row has as many as the first."""
    for seed in SEEDS:
        rows = _written("dat", seed)["data/WB0001.dat"].decode("utf-8-sig").split("\r\n")
        assert rows.pop() == ""
        assert {row.count("\x14") for row in rows} == {rows[0].count("\x14")}
        assert not any("\n" in row or "\r" in row for row in rows)

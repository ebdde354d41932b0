"""The formats of exports: a table of what each is, how much it takes at once, and what it cannot express.

Rules of this file: a format is imported when it is used, because some need large libraries. Whatever a
format cannot express stands here for people who choose one, and in the manifest of each export for those who
read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from bridge.errors import ConfigError, Missing
from bridge.records.exports.packing import GIGABYTE, MEGABYTE, Limits
from bridge.records.transcript import Format

EVENTS = 10_000
"""Items of one part of an export: what is written between two moments at which it can go on."""

LETTER = 180 * MEGABYTE
"""Attachments of one mail: as base64 with line ends they are 246 MB, and archives take mails up to 250 MB."""


_PART = Limits(part_items=EVENTS, part_bytes=GIGABYTE)


@dataclass(frozen=True, slots=True)
class Known:
    """One format: what it is, its limits; `options` by name with what they mean; `lacks` by code of the
    warning, with what is lost. `needs`: options that have to be given, always ("") or with another one
    ("profile=doj"). `archive`: it is sent to one that knows people by addresses of the firm. It stands in the
    module of its name, under its name in capitals."""

    name: str
    what: str
    limits: Limits = _PART
    options: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    archive: bool = False


_MAIL = Limits(EVENTS, GIGABYTE, EVENTS, LETTER)
_LANGUAGE = {"language": "of the labels: `both`, `en`, `zh-Hans` or `zh-Hant`"}
_MAILED = {"largest": "bytes of a mail at most", "subject": "`title` or `counts`"}
_SPELLED = {"spelled": "signs that steer or deceive (controls, turned text): printed as codes"}
_LARGE = {"too-large": "an attachment that is larger than a mail may be: it lies beside the mail"}

FORMATS: Mapping[str, Known] = {
    one.name: one
    for one in (
        Known("jsonl", "everything, as typed lines of JSON, with attachments"),
        Known(
            "csv",
            "a table for spreadsheets and loaders, attachments beside it",
            lacks={
                "long": "more than 32,767 characters: spreadsheets cut a cell off there, programs do not",
                "control": "control signs, such as NUL: some programs end a cell or the table there",
            },
        ),
        Known(
            "html",
            "pages to read, without a network, with attachments",
            options=_LANGUAGE,
            lacks=_SPELLED,
        ),
        Known(
            "pdf",
            "paper to read, attachments beside it",
            options=_LANGUAGE,
            lacks=_SPELLED | {"signs": "signs that no font of a reader has, such as emoji: printed as codes"},
        ),
        Known("parquet", "columns with types, for analysis (extra `parquet`)"),
        Known(
            "eml",
            "one mail for each conversation and day (RFC 5322), attachments inside",
            _MAIL,
            _MAILED,
            _SPELLED | _LARGE,
        ),
        Known(
            "globalrelay",
            "mails as Global Relay takes them",
            _MAIL,
            {"msgtype": "the type that the vendor assigned at enrolment", **_MAILED},
            _SPELLED | _LARGE,
            {"msgtype": ""},
            archive=True,
        ),
        Known(
            "actiance",
            "XML as Smarsh Vantage (Actiance) takes it, zipped with attachments",
            archive=True,
            options={"unit": "of times: `ms` or `s`", "perspective": "one word for all conversations"},
            lacks=_SPELLED
            | {
                "sent-beside": "what the other side saw, where that is not what was written: in records.jsonl"
            },
        ),
        Known(
            "rsmf",
            "short messages for review platforms (RSMF)",
            _MAIL,
            {"platform": "name of the application", "events": "events of a file at most"},
        ),
        Known(
            "edrm",
            "EDRM XML for review platforms, with natives and texts",
            options={"version": "`1.2` or `1.1`", "prefix": "of document ids"},
            lacks=_SPELLED
            | {"xml": "signs that XML cannot write: printed as codes, the native is unchanged"},
        ),
        Known(
            "dat",
            "Concordance load file (DAT), with natives and texts",
            options={
                "profile": "columns: `weighbridge`, `doj`, `ftc` or `sec`",
                "delimiters": "`concordance` or `pipe`",
                "encoding": "`utf-8` or `utf-16`",
                "prefix": "of document ids",
                "company": "the producing party",
            },
            needs={"company": "profile=doj"},
            lacks=_SPELLED | {"delimiters": "delimiters in texts: printed as codes, the native is unchanged"},
        ),
    )
}


def known(name: str) -> Known:
    """A format by its name. Raises Missing with those there are."""
    if name not in FORMATS:
        raise Missing(f"there is no format {name!r}: one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def demand(one: Known, options: Mapping[str, object]) -> None:
    """Raises ConfigError where an option is empty without which nobody takes the export."""
    for name, when in one.needs.items():
        other, _, value = when.partition("=")
        if (not when or options.get(other) == value) and not str(options.get(name, "")).strip():
            where = f" with {when}" if when else ""
            what = one.options[name]
            raise ConfigError(
                [f"{one.name}{where} needs --option {name}=…: {what}. Nobody takes it without."]
            )


def opened(one: Known) -> Format:
    """The format itself. Raises Missing when what it needs is not installed."""
    found: Format = getattr(import_module(f"{__name__}.{one.name}"), one.name.upper())
    return found

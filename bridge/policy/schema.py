"""The grammar for programs and for reading: JSON Schema 2020-12, and the reference manual's tables.

Rules of this file: the models of `bridge.policy.language` are walked, and nothing is said that they do not
say. Two tables stand beside them, because a model holds functions where a schema wants words: `_WRITTEN` for
what a scalar looks like, `_ACROSS` for what a section demands of several keys together. A model that is in
neither and should be is a `LookupError`, which a test provokes.
The schema judges what an editor sees. Editors read YAML 1.2, in which `0700` is a number and `true` a
boolean, where the loader reads text: wherever a text is wanted, numbers and booleans are allowed as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic.fields import FieldInfo

from bridge.policy import language as lang

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_NAME = "policy.schema.json"
"""What the schema is called beside the policies that name it in their first line."""


class Names(NamedTuple):
    """The names that one file defines, for a schema that knows them."""

    detectors: Sequence[str] = ()
    lists: Sequence[str] = ()
    groups: Sequence[str] = ()
    rules: Sequence[str] = ()
    barriers: Sequence[str] = ()

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Names:
        """The names in `tree`, the plain form of a file that need not be right."""
        detectors, lists, groups = (_keys(tree.get(kind)) for kind in ("detectors", "lists", "groups"))
        return cls(detectors, lists, groups, _ids(tree.get("rules")), _ids(tree.get("barriers")))


def _keys(section: Any) -> list[str]:
    return list(section) if isinstance(section, dict) else []


def _ids(section: Any) -> list[str]:
    found = [one.get("id") for one in section if isinstance(one, dict)] if isinstance(section, list) else []
    return [name for name in found if isinstance(name, str) and name]


class Form(NamedTuple):
    """What may stand behind a key: for a program, and in words."""

    schema: dict[str, Any]
    words: str


# --- scalars --------------------------------------------------------------------------------------------

# An editor's regular expressions are JavaScript's, whose \w knows no Chinese: what cannot be in a name.
_NO_NAME = (
    r"\s!-,/:-@\[-\^`{-~\u2000-\u206f\u3000-\u3004\u3008-\u3020"
    r"\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
_NAME = rf"^[^{_NO_NAME}.\-][^{_NO_NAME}]*$"
_ANY_TEXT = ["string", "number", "boolean"]

Writer = Callable[[Mapping[type, Any]], Form]


def _pattern(words: str, pattern: str, **more: Any) -> Writer:
    return lambda bounds: Form({"type": "string", "pattern": f"^{pattern}$", **more}, words)


def _whole(bounds: Mapping[type, Any]) -> Form:
    low, high = bounds.get(Ge), bounds.get(Le)
    limits = {"minimum": low.ge} if low else {}
    limits |= {"maximum": high.le} if high else {}
    said = f" from {low.ge} to {high.le}" if low and high else ""
    written = {"type": "string", "pattern": "^[0-9]{1,9}$"}
    return Form({"anyOf": [{"type": "integer", **limits}, written]}, f"a whole number{said}")


def _percent(bounds: Mapping[type, Any]) -> Form:
    number = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}
    written = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?$"}
    return Form({"anyOf": [number, written]}, "a number above 0 and up to 100")


def _size(bounds: Mapping[type, Any]) -> Form:
    return Form({"type": "string", "pattern": "^[1-9][0-9]{0,5}(KB|MB|GB)$"}, "a size: 500KB, 20MB, 1GB")


def _switch(*values: bool) -> Writer:
    words = [json.dumps(value) for value in values]
    said = " or ".join(f"`{word}`" for word in words)
    return lambda bounds: Form({"enum": [*values, *words]}, said)


def _reader(scalar: Any) -> Callable[..., Any]:
    """The function that types a scalar of the grammar: what tells one kind of text from another."""
    return next(mark.func for mark in get_args(scalar) if isinstance(mark, BeforeValidator))


_HOUR = "([01][0-9]|2[0-3]):[0-5][0-9]"
_WRITTEN: Mapping[Callable[..., Any], Writer] = {
    _reader(lang.Whole): _whole,
    _reader(lang.Percent): _percent,
    _reader(lang.Size): _size,
    _reader(lang.Yes): _switch(True),
    _reader(lang.YesNo): _switch(True, False),
    _reader(lang.Day): _pattern("a day: 2027-01-31", "[0-9]{4}-[0-9]{2}-[0-9]{2}", format="date"),
    _reader(lang.Moment): _pattern(
        'a day and time in quotes: "2026-11-20 23:10"', f"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}} {_HOUR}"
    ),
    _reader(lang.Duration): _pattern("a length of time: 30m, 24h, 7d", "[1-9][0-9]{0,4}[mhd]"),
    _reader(lang.Period): _pattern("a period: 90d, 18m, 7y", "[1-9][0-9]{0,3}[dmy]"),
    _reader(lang.Hours): _pattern('hours in quotes: "09:00-18:30"', f"{_HOUR}-({_HOUR}|24:00)"),
    _reader(lang.Address): _pattern("an address: s3://bank-records/chat", lang.ADDRESS),
    lang.PolicyFile.model_fields["timezone"].metadata[0].func: _pattern(
        "a time zone: Asia/Hong_Kong", "[A-Za-z0-9_+/-]+"
    ),
    lang.PolicyFile.model_fields["language"].metadata[0].func: lambda bounds: Form(
        {"enum": [lang.LANGUAGE, str(lang.LANGUAGE)]}, f"`{lang.LANGUAGE}`"
    ),
}
_LISTED = _reader(lang.Texts)
_YES_OR_MAPPING = _reader(get_args(lang.Then.model_fields["redact"].annotation)[0])
_EVERYBODY = lang.Keep.model_fields["for_"].metadata[0].func


def _after(annotation: Any) -> Callable[..., Any]:
    """The function that looks at a value once more when it has been typed."""
    members = [annotation, *get_args(annotation)]
    marks = (mark for member in members for mark in _flat(get_args(member)))
    return next(mark.func for mark in marks if isinstance(mark, AfterValidator))


def _flat(marks: Sequence[Any]) -> Iterator[Any]:
    """The marks, and those inside of a `Field` among them."""
    for mark in marks:
        yield mark
        yield from mark.metadata if isinstance(mark, FieldInfo) else ()


_NARROWED: Mapping[Callable[..., Any], dict[str, Any]] = {
    _after(lang.Count.model_fields["within"].annotation): {
        "pattern": "^(([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)m|([1-9]|1[0-9]|2[0-4])h|1d)$"
    },
    _after(lang.Barrier.model_fields["between"].annotation): {"type": "array", "minItems": 2, "maxItems": 2},
}

# --- what a section demands of several keys together ----------------------------------------------------


def _has(*keys: str) -> dict[str, Any]:
    return {"required": list(keys)}


def _has_none(*keys: str) -> dict[str, Any]:
    return {"not": {"anyOf": [_has(key) for key in keys]}}


_DECIDES = ("redact", "hold", "block", "annotate")
_ADDS = ("deliver", "tag", "tell_sender", "notify", "sample", "review")
_CONDITIONS = [key for key in lang.Unless.model_fields if key != "confidence"]
_ACROSS: Mapping[type[lang.Section], dict[str, Any]] = {
    lang.WordList: {
        "oneOf": [
            {**_has("words"), **_has_none("file", "columns", "stale_after", "dates")},
            {**_has("file", "columns"), **_has_none("words")},
        ]
    },
    lang.Dates: {"minProperties": 1},
    lang.Tell: {"minProperties": 1},
    lang.OneOf: {
        "anyOf": [_has(key) for key in _CONDITIONS],
        "if": {"properties": {"count": _has_none("within")}, **_has("count")},
        "then": _has("finds"),
    },
    lang.Hold: {"dependentRequired": {"if_late": ["decide_within"]}},
    lang.Outside: {
        "minProperties": 1,
        "if": {"properties": {"days": {"const": "trading"}}, **_has("days")},
        "then": _has("calendar"),
        "else": _has_none("calendar"),
    },
    lang.Then: {
        "anyOf": [_has(key) for key in (*_DECIDES, *_ADDS)],
        "if": _has("deliver"),
        "then": _has_none(*_DECIDES),
        "dependentSchemas": {
            "show_match": {
                "if": {"properties": {"show_match": {"enum": [True, "true"]}}},
                "then": _has("tell_sender"),
            }
        },
    },
    lang.Rollout: {"oneOf": [_has("groups"), _has("percent")]},
    lang.Rule: {
        "if": {"properties": {"then": _has("redact")}, **_has("then")},
        "then": {"properties": {"when": _has("finds")}},
    },
    lang.Barrier: {
        "oneOf": [
            {**_has("between"), **_has_none("from", "to")},
            {**_has("from", "to"), **_has_none("between")},
        ]
    },
    lang.Keep: {"oneOf": [{**_has("preset"), **_has_none("start")}, _has("keep")]},
    lang.ArchiveTo: {
        "if": _has("object_lock"),
        "then": {"properties": {"to": {"pattern": "^s3://"}}},
    },
}

# Which key names something that is defined elsewhere in the file.
_REFERS: Mapping[str, tuple[str, ...]] = {
    "OneOf.finds": ("detectors",),
    "OneOf.groups": ("groups",),
    "WordsDetector.list": ("lists",),
    "AppliesTo.groups": ("groups",),
    "Rollout.groups": ("groups",),
    "Barrier.between": ("groups",),
    "Barrier.from_": ("groups",),
    "Barrier.to": ("groups",),
    "Barrier.finds": ("detectors",),
    "Consent.from_": ("groups",),
    "Disclaimer.for_": ("groups",),
    "Keep.for_": ("groups",),
    "ArchiveTo.for_": ("groups",),
    "ExceptionFrom.rule": ("rules", "barriers"),
    "Trial.rule": ("rules",),
}

_NEW_RULE = {
    "label": "new rule",
    "description": "a rule with two tests",
    "body": {
        "id": "$1",
        "title": "$2",
        "because": "$3",
        "severity": "${4|low,medium,high,critical|}",
        "when": {"direction": "${5|to_weixin,to_symphony,both|}", "finds": ["$6"]},
        "then": {"hold": {"queue": "review"}},
        "tests": [{"given": "$7", "expect": "hold"}, {"given": "$8", "expect": "deliver"}],
    },
}


# --- the walk -------------------------------------------------------------------------------------------


class _Walk:
    """Turns annotations into forms; remembers the sections it has met."""

    def __init__(self, names: Names | None = None) -> None:
        self.names = names
        self.sections: list[type[lang.Section]] = []

    def form(self, annotation: Any, marks: Sequence[Any] = (), known: Sequence[str] | None = None) -> Form:
        """What may be written for `annotation`; `known` are the only names there are, None if any is."""
        if get_origin(annotation) is Annotated:
            inner, *more = get_args(annotation)
            return self.form(inner, [*more, *marks], known)
        marks = list(_flat(marks))
        form = self._read(annotation, marks, known)
        for mark in marks:
            if isinstance(mark, AfterValidator):
                form = Form({**form.schema, "allOf": [_narrowed(mark.func)]}, form.words)
        return form

    def _read(self, annotation: Any, marks: Sequence[Any], known: Sequence[str] | None) -> Form:
        reader = next((mark.func for mark in marks if isinstance(mark, BeforeValidator)), None)
        if reader is not None:
            return self._typed(annotation, marks, reader, known)
        if isinstance(annotation, type) and issubclass(annotation, lang.Section):
            return self._section(annotation)
        return self._composed(annotation, marks, known)

    def _typed(
        self, annotation: Any, marks: Sequence[Any], reader: Callable[..., Any], known: Sequence[str] | None
    ) -> Form:
        """The form of a value that a function of the grammar reads."""
        if reader in (_LISTED, _EVERYBODY):
            item = self.form(get_args(annotation)[0], (), known)
            several = reader is _EVERYBODY or any(isinstance(mark, MinLen) for mark in marks)
            return _one_or_more(item, {"minItems": 1} if several else {}, everybody=reader is _EVERYBODY)
        if reader is _YES_OR_MAPPING:
            section = self._section(annotation)
            return Form({"anyOf": [{"enum": [True, "true"]}, section.schema]}, f"`true` or {section.words}")
        if reader not in _WRITTEN:
            raise LookupError(f"give {reader.__name__} a row in schema._WRITTEN: what may be written there")
        return _WRITTEN[reader]({type(mark): mark for mark in marks})

    def _composed(self, annotation: Any, marks: Sequence[Any], known: Sequence[str] | None) -> Form:
        """The form of texts, words of the language, lists, dictionaries and choices of these."""
        origin, inner = get_origin(annotation), get_args(annotation)
        if annotation is str:
            return _text(marks, known)
        if origin is Literal:
            return _words(inner)
        if origin in (Union, UnionType):
            return self._choice([one for one in inner if one is not type(None)], known)
        if origin is tuple:
            item = self.form(inner[0], (), known)
            return Form({"type": "array", "items": item.schema}, f"a list of {item.words}")
        if origin is dict:
            return self._dictionary(*inner)
        raise LookupError(f"give {annotation!r} a form in schema._Walk")

    def _choice(self, members: Sequence[Any], known: Sequence[str] | None) -> Form:
        forms = [self.form(member, (), known) for member in members]
        if len(forms) == 1:
            return forms[0]
        sections = all("$ref" in form.schema for form in forms)
        schema = {"oneOf" if sections else "anyOf": [form.schema for form in forms]}
        return Form(schema, " or ".join(form.words for form in forms))

    def _dictionary(self, key: Any, value: Any) -> Form:
        names, values = self.form(key), self.form(value)
        # A key is text for every reader of YAML.
        keys = {**names.schema, "type": "string"} if "enum" not in names.schema else names.schema
        schema = {"type": "object", "propertyNames": keys, "additionalProperties": values.schema}
        return Form(schema, f"for {names.words}: {values.words}")

    def _section(self, section: type[lang.Section]) -> Form:
        if section not in self.sections:
            self.sections.append(section)
        return Form(
            {"$ref": f"#/$defs/{section.__name__}"}, f"[{section.__name__}](#{section.__name__.lower()})"
        )

    def field(self, section: type[lang.Section], name: str, info: FieldInfo) -> Form:
        """What may stand behind one key of `section`."""
        return self.form(info.annotation, info.metadata, self._known(section, name))

    def _known(self, section: type[lang.Section], name: str) -> list[str] | None:
        kinds = next(
            (found for one in section.__mro__ if (found := _REFERS.get(f"{one.__name__}.{name}"))), ()
        )
        if self.names is None or not kinds:
            return None
        return [word for kind in kinds for word in getattr(self.names, kind)]


def _narrowed(check: Callable[..., Any]) -> dict[str, Any]:
    if check not in _NARROWED:
        raise LookupError(f"give {check.__name__} a row in schema._NARROWED: what it leaves over")
    return _NARROWED[check]


def _one_or_more(item: Form, limits: dict[str, Any], *, everybody: bool) -> Form:
    """One value, or a list of them: an editor needs both said."""
    many = {"type": "array", "items": item.schema, **limits}
    if everybody:
        return Form({"anyOf": [{"const": "all"}, item.schema, many]}, f"`all`, {item.words}, or a list")
    return Form({"anyOf": [item.schema, many]}, f"{item.words}, or a list of them")


def _text(marks: Sequence[Any], known: Sequence[str] | None) -> Form:
    if known is not None:
        return Form({"enum": list(known)} if known else {"not": {}}, "a name")
    limits = next((mark for mark in marks if isinstance(mark, StringConstraints)), StringConstraints())
    if limits.pattern == lang.NAME:
        return Form({"type": _ANY_TEXT, "pattern": _NAME}, "a name")
    schema: dict[str, Any] = {"type": _ANY_TEXT}
    schema |= {"minLength": limits.min_length} if limits.min_length else {}
    schema |= {"maxLength": limits.max_length} if limits.max_length else {}
    return Form(schema, "a text")


def _words(values: Sequence[Any]) -> Form:
    return Form({"enum": list(values)}, " · ".join(f"`{value}`" for value in values))


def _fields(section: type[lang.Section]) -> Iterator[tuple[str, str, FieldInfo]]:
    """The keys of a section as they are written, with their names in the model."""
    for name, info in section.model_fields.items():
        yield info.alias or name, name, info


def _doc(section: type[lang.Section]) -> str:
    return " ".join((section.__doc__ or "").split())


# --- the schema -----------------------------------------------------------------------------------------


def json_schema(names: Names | None = None) -> dict[str, Any]:
    """The grammar as JSON Schema 2020-12; with `names`, only these are accepted where one is used."""
    walk = _Walk(names)
    root = _object(walk, lang.PolicyFile)
    defined: dict[str, Any] = {}
    for section in walk.sections:  # grows while it is walked
        defined[section.__name__] = _object(walk, section)
    defined["Rule"]["defaultSnippets"] = [_NEW_RULE]
    return {"$schema": DIALECT, "title": "weighbridge policy", **root, "$defs": defined}


def _object(walk: _Walk, section: type[lang.Section]) -> dict[str, Any]:
    """One closed mapping."""
    properties = {
        key: {**walk.field(section, name, info).schema, **_about(info)}
        for key, name, info in _fields(section)
    }
    required = [key for key, _, info in _fields(section) if info.is_required()]
    shape: dict[str, Any] = {"type": "object", "description": _doc(section), "properties": properties}
    shape |= {"required": required} if required else {}
    shape["additionalProperties"] = False
    across = [_ACROSS[one] for one in section.__mro__ if one in _ACROSS]
    return shape | ({"allOf": across} if across else {})


def _about(info: FieldInfo) -> dict[str, Any]:
    """What an editor shows beside the key."""
    about: dict[str, Any] = {"description": info.description} if info.description else {}
    written = _default(info)
    return about | ({"default": written} if written is not None else {})


def _default(info: FieldInfo) -> Any:
    """What a key means that is not written, if that can be said as a value; None if it cannot."""
    value = None if info.is_required() else info.default
    if isinstance(value, tuple):
        return list(value) or None
    return value if isinstance(value, bool | int | float | str) else None


# --- the reference --------------------------------------------------------------------------------------

_HEAD = """\
# Policy reference

Every section, every key, what it takes, and what is meant when it is not written. This page is made from the
grammar itself by `weighbridge policy schema --reference`; the guide is [Writing a policy](policy.md).
"""


def reference() -> str:
    """The reference manual as Markdown: a table for each section."""
    walk = _Walk()
    pages = [_page(walk, lang.PolicyFile)]
    for section in walk.sections:  # grows while it is walked
        pages.append(_page(walk, section))
    return "\n".join([_HEAD, *pages])


def _page(walk: _Walk, section: type[lang.Section]) -> str:
    rows = [_row(walk.field(section, name, info), key, info) for key, name, info in _fields(section)]
    head = ["| Key | Takes | Without it | Meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {section.__name__}", "", _doc(section), "", *head, *rows, ""])


def _row(form: Form, key: str, info: FieldInfo) -> str:
    without = "must be there" if info.is_required() else _said(_default(info))
    return f"| `{key}` | {form.words} | {without} | {info.description or ''} |".replace("  ", " ")


def _said(value: Any) -> str:
    if value is None:
        return ""
    values = value if isinstance(value, list) else [value]
    return ", ".join(f"`{json.dumps(one) if isinstance(one, bool) else one}`" for one in values)

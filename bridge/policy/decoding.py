"""What the models refuse, said in our words and at a position.

Rules of this file: the models of `bridge.policy.language` decide; nothing is checked here a second time. One
mistake is one diagnostic: a missing key beside a misspelt one is the misspelt one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from rapidfuzz import fuzz, process

from bridge.policy import language as lang
from bridge.policy.diagnostics import Diagnostic, Page, Phrase
from bridge.policy.document import Node, chinese_colon, entries

NEAR = 65  # similarity, of 100, from which another word is suggested

# What people write, and the words of the language for it: the first one that can be used there is meant.
_ALIASES = {
    "allow": "deliver", "pass": "deliver", "release": "deliver", "mask": "redact", "masked": "redact",
    "deny": "block", "reject": "block", "stop": "block", "drop": "block", "quarantine": "hold",
    "review": "hold", "keep": "deliver", "warn": "annotate", "disclaimer": "annotate",
    "outbound": "to_weixin", "outgoing": "to_weixin", "inbound": "to_symphony", "incoming": "to_symphony",
    "any": "both", "either": "both", "everybody": "all", "everyone": "all",
    "enforced": "enforce", "on": "enforce", "true": "enforce", "log": "monitor", "audit": "monitor",
    "disabled": "off", "false": "off",
    "regex": "pattern", "regexp": "pattern", "keywords": "words", "dictionary": "words",
    "credit_card": "payment_card", "bank_card": "payment_card", "card": "payment_card",
    "id_card": "china_resident_id", "cn_id": "china_resident_id", "hk_id": "hkid", "tw_id": "taiwan_id",
    "mail": "email", "telephone": "phone", "mobile": "phone", "wallet": "crypto_wallet", "password": "secret",
    "name": "id", "reason": "because rule", "why": "because", "description": "title", "level": "severity",
    "detects": "finds", "detectors": "finds", "find": "finds", "match": "finds", "matches": "finds",
    "text": "given", "input": "given", "message": "tell_sender given", "result": "becomes",
    "expected": "expect", "outcome": "expect", "output": "becomes", "tags": "tag", "kinds": "kind",
    "except": "unless", "from": "sender", "to": "recipient", "people": "groups for",
    "red_packet": "app", "redpacket": "app", "mini_program": "app", "contact_card": "card",
    "business_card": "card", "namecard": "card", "recalled": "recall", "revoke": "recall",
    "revoked": "recall", "undo": "recall", "audio": "voice", "photo": "image", "picture": "image",
    "emoji": "sticker", "document": "file", "attachment": "file files", "attachments": "files",
    "merged": "record", "forwarded": "record", "url": "link", "map": "location",
    "jpeg": "jpg", "tif": "tiff", "word": "docx", "excel": "xlsx", "powerpoint": "pptx", "htm": "html",
    "monday": "mon", "tuesday": "tue", "wednesday": "wed", "thursday": "thu", "friday": "fri",
    "saturday": "sat", "sunday": "sun", "workdays": "weekdays", "daily": "day", "weekly": "week",
    "always": "message", "hkex": "XHKG", "sse": "XSHG", "szse": "XSHE", "nyse": "XNYS", "lse": "XLON",
    "sgx": "XSES", "zh_cn": "zh-Hans", "zh_hk": "zh-Hant", "zh_tw": "zh-Hant", "chinese": "zh",
    "english": "en", "timeout": "decide_within", "deadline": "decide_within", "until": "expires",
    "approver": "approved_by", "approved": "approved_by", "period": "keep", "years": "keep",
    "spacing": "separators", "confusables": "lookalike", "homophones": "pinyin",
    "abbreviations": "initials", "digits": "numerals", "chinese_numerals": "numerals",
    "length": "keep_last", "max": "max_size", "limit": "max_size", "virus": "virus_scan",
}  # fmt: skip


def guess(word: str, choices: Sequence[str] | Mapping[str, Any]) -> str:
    """The one of `choices` that was probably meant, "" if none is near."""
    known = list(choices)
    lowered = _alike(word.strip().replace("wechat", "weixin"))
    aliases = _ALIASES.get(lowered) or _ALIASES.get(lowered.removesuffix("s"), "")
    for candidate in (lowered, *aliases.split()):
        if candidate in known:
            return candidate
    best = process.extractOne(lowered, known, processor=_alike, scorer=fuzz.ratio, score_cutoff=NEAR)
    return best[0] if best else ""


def _alike(word: str) -> str:
    """`word` without what people mix up: capitals, and the two dashes."""
    return word.casefold().replace("-", "_")


def listing(names: Sequence[str] | Mapping[str, Any]) -> str | Phrase:
    """`names` as a reader gets them, "none" if there are none."""
    return ", ".join(sorted(names)) or Phrase("none")


# pydantic's word for an error → the key of our text.
_KINDS = {
    "string_type": "P013.text",
    "string_too_short": "P013.none",
    "string_too_long": "P013.long",
    "string_pattern_mismatch": "P013.name",
    "too_short": "P013.empty",
    "model_type": "P013.mapping",
    "model_attributes_type": "P013.mapping",
    "dict_type": "P013.mapping",
    "tuple_type": "P013.list",
    "list_type": "P013.list",
    "greater_than_equal": "P013.range",
    "less_than_equal": "P013.range",
}

Location = tuple[str | int, ...]


def decode(page: Page, root: Node) -> tuple[lang.PolicyFile | None, list[Diagnostic]]:
    """The model of a whole file, None if the grammar is not kept, and what is wrong."""
    try:
        return lang.PolicyFile.model_validate(root.plain()), []
    except ValidationError as errors:
        return None, _Explainer(page, root).explain(errors)


class _Explainer:
    """Finds the place and the words for what pydantic found."""

    def __init__(self, page: Page, root: Node) -> None:
        self.page = page
        self.root = root
        self._free: dict[Location, list[str]] = {}

    def explain(self, errors: ValidationError) -> list[Diagnostic]:
        """One diagnostic for each mistake; a missing key next to a misspelt one is one mistake."""
        refused = errors.errors(include_url=False, include_input=False)
        found = [(_without_tags(tuple(e["loc"])), e) for e in refused]
        missing = {loc for loc, e in found if e["type"] == "missing"}
        problems: list[Diagnostic] = []
        for loc, error in found:
            if error["type"] == "extra_forbidden":
                problems.append(self._unknown_key(loc, missing))
        for loc, error in found:
            if error["type"] == "extra_forbidden" or (error["type"] == "missing" and loc not in missing):
                continue
            problems.append(self._explain(loc, error))
        return problems

    def _unknown_key(self, loc: Location, missing: set[Location]) -> Diagnostic:
        """An unknown key; if it is one of `missing` misspelt, that one is taken out of there."""
        parent, key = loc[:-1], str(loc[-1])
        place = self._node(parent).key(key)
        free = self._unwritten(parent)
        near = guess(key, free)
        if (*parent, near) in missing:
            missing.discard((*parent, near))
            return self.page.report("P010.twin", place, key=key, guess=near)
        if near:
            return self.page.report("P010.near", place, key=key, guess=near)
        return self.page.report("P010", place, key=key, choices=listing(free))

    def _unwritten(self, loc: Location) -> list[str]:
        """The keys that the mapping at `loc` could still have; worked out once, however many are unknown."""
        if loc not in self._free:
            written = entries(self._node(loc))
            self._free[loc] = [name for name in _keys(self._section(loc)) if name not in written]
        return self._free[loc]

    def _explain(self, loc: Location, error: Mapping[str, Any]) -> Diagnostic:
        kind, context = error["type"], error.get("ctx") or {}
        node = self._node(loc)
        key = next((step for step in reversed(loc) if isinstance(step, str) and step != "[key]"), "the file")
        if kind == "missing":
            return self.page.report("P012", self._node(loc[:-1]).place, key=key)
        if kind.startswith("union_tag"):
            return self._detector_type(loc, node, kind)
        if loc and loc[-1] == "[key]":
            return self._name(loc[:-1], kind, context)
        if node.value == "":
            return self.page.report("P013.none", node.place, key=key)
        if kind == "literal_error":
            return self._word(node, str(key), context)
        text = (
            context["key"] if "key" in context and kind.startswith("P0") else _KINDS.get(kind, "P013.other")
        )
        if text == "P013.mapping" and (colon := chinese_colon(self.page, node)):
            return colon
        if text == "P013.mapping" and isinstance(loc[-1], int):
            text = "P013.entry"
        values = {**context, "key": key, "value": node.value, "bound": _bound(context)}
        place = node.key(context["at"]) if "at" in context else node.place
        return self.page.report(text, place, **values)

    def _name(self, loc: Location, kind: str, context: Mapping[str, Any]) -> Diagnostic:
        """A key that is a name, or one of some words."""
        written = Node(str(loc[-1]), self._node(loc[:-1]).key(str(loc[-1])))
        if kind == "literal_error":
            return self._word(written, str(loc[-2]), context)
        return self.page.report("P013.name", written.place, value=written.value)

    def _word(self, node: Node, key: str, context: Mapping[str, Any]) -> Diagnostic:
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return self._one_of(node, key, [*words, *_OTHER_WORDS.get(key, ())])

    def _one_of(self, node: Node, key: str, words: Sequence[str]) -> Diagnostic:
        if not isinstance(node.value, str):
            return self.page.report("P013.text", node.place, key=key)
        if node.value in words:  # one of the other way to write it
            return self.page.report("P011.alone", node.place, value=node.value, key=key)
        near = guess(node.value, words)
        values = {"value": node.value, "key": key, "guess": near, "choices": ", ".join(words)}
        return self.page.report("P011.near" if near else "P011", node.place, **values)

    def _detector_type(self, loc: Location, node: Node, kind: str) -> Diagnostic:
        written = node.child("type")
        if written is None:
            return self.page.report("P012", node.place, key="type")
        return self._one_of(written, "type", list(_DETECTORS))

    def _node(self, loc: Location) -> Node:
        """The node at `loc`, or the nearest above it."""
        node = self.root
        for step in loc:
            node = node.child(step) or node
        return node

    def _section(self, loc: Location) -> type[lang.Section]:
        """The model that describes the mapping at `loc`."""
        section: type[lang.Section] = lang.PolicyFile
        for depth, step in enumerate(loc):
            field_ = _keys(section).get(str(step))
            inner = _sections(field_.annotation) if field_ is not None else []
            if len(inner) > 1:
                tag = self._node(loc[: depth + 2]).child("type")
                section = _DETECTORS.get(str(tag.value) if tag else "", inner[0])
            elif inner:
                section = inner[0]
        return section


def _bound(context: Mapping[str, Any]) -> Phrase:
    phrases = {"ge": "bound.least", "le": "bound.most", "max_length": "bound.most"}
    broken = next((bound for bound in phrases if bound in context), "")
    return Phrase(phrases[broken], {"limit": context[broken]}) if broken else Phrase("none")


def _without_tags(loc: Location) -> Location:
    """`loc` without what pydantic adds: a detector's type after its name, the way to write days."""
    if len(loc) > 2 and loc[0] == "detectors" and loc[2] in _DETECTORS:
        loc = loc[:2] + loc[3:]
    ways = (lang.NAMED, lang.LISTED)
    return tuple(step for n, step in enumerate(loc) if not (n and loc[n - 1] == "days" and step in ways))


def _keys(section: type[lang.Section]) -> dict[str, FieldInfo]:
    """The keys that may be written in `section`."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def _sections(annotation: Any) -> list[type[lang.Section]]:
    """The sections inside an annotation, through lists, dictionaries and unions."""
    if isinstance(annotation, type) and issubclass(annotation, lang.Section):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType) or get_args(annotation):
        return [section for inner in get_args(annotation) for section in _sections(inner)]
    return []


_DETECTORS: dict[str, type[lang.Section]] = {
    tag: model
    for model in _sections(lang.Detector)
    for tag in get_args(model.model_fields["type"].annotation)
}

# Keys with two ways to be written: the words of the other way are suggested as well.
_OTHER_WORDS = {"days": (*get_args(lang.Days), *get_args(lang.Weekday))}

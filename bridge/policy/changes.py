"""One change of a policy as a value, and as a sentence in three languages.

Rules of this file: keys are shown as they are written in the file, in every language: they are what staff
will look for. What is long is cut here, so that a list of ten thousand words does not fill a screen.
"""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from bridge.policy import language as lang

SHOWN = 12  # values of a set that are named; the rest is counted
LONGEST = 100  # characters of a value that are shown

Value: TypeAlias = "str | tuple[str, ...]"


class Direction(enum.StrEnum):
    """Which way a change points, in the order in which changes are read."""

    LOOSER = "LOOSER"  # a message may get a weaker outcome, or a record may live shorter
    CHECK = "CHECK"  # cannot be ordered: somebody has to look
    TIGHTER = "TIGHTER"  # only stricter
    NEUTRAL = "NEUTRAL"  # no effect on any verdict


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: in which file and section, of what (`id`), which key, and from what to what.

    Sections are named as one thing of them is called (`rule`, `list`). An empty `key` means that the whole
    thing came or went. Of a set, `before` has only what was taken out and `after` only what came in.
    """

    direction: Direction
    policy: str
    section: str
    id: str
    key: str
    before: Value = ""
    after: Value = ""

    def record(self) -> dict[str, Any]:
        """The change as plain values for JSON: what a proposal keeps."""
        record = asdict(self) | {"direction": self.direction.value}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}

    def sentence(self, language: str = "en") -> str:
        """What changed, in `language` ("en", "zh-Hans", "zh-Hant"; English for any other)."""
        words = _WORDS.get(language, _WORDS["en"])
        name = f"{self.policy}/{self.id}" if self.id else self.policy
        subject = f"{words.get(self.section, self.section)} {name}"
        if not self.key:
            return f"{subject}{words['colon']}{words['added' if self.after else 'removed']}"
        return f"{subject}{words['colon']}{self.key} {self._difference(words)}"

    def _difference(self, words: Mapping[str, str]) -> str:
        if isinstance(self.before, str) and isinstance(self.after, str):
            return f"{_cut(self.before) or words['nothing']} → {_cut(self.after) or words['nothing']}"
        lost, came = _listed(self.before, "−", words), _listed(self.after, "+", words)
        return "  ".join(part for part in (lost, came) if part)


def from_record(record: Mapping[str, Any]) -> Change:
    """The change that `Change.record` wrote down."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    return Change(Direction(values.pop("direction")), **values)


def _listed(value: Value, sign: str, words: Mapping[str, str]) -> str:
    items = (value,) if isinstance(value, str) else value
    shown_items = [f"{sign}{_cut(item)}" for item in items[:SHOWN] if item]
    more = [words["more"].format(count=len(items) - SHOWN)] if len(items) > SHOWN else []
    return " ".join([*shown_items, *more])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def shown(value: Any) -> Value:
    """A value of a policy as it would be written: one text, or the texts of a set; "" for nothing."""
    if isinstance(value, list | tuple):
        return tuple(_text(one) for one in value)
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    if isinstance(value, lang.Section):
        return json.dumps(_plain(value), ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """A section with the keys that were written, as JSON can carry it."""
    if isinstance(value, lang.Section):
        fields = type(value).model_fields
        return {fields[key].alias or key: _plain(getattr(value, key)) for key in _written(value)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value if isinstance(value, bool | int | float) else _text(value)


def _written(section: lang.Section) -> list[str]:
    """The keys of a section that say something else than their default."""
    fields = type(section).model_fields
    return [key for key, field in fields.items() if getattr(section, key) != field.default]


def _duration(value: datetime.timedelta) -> str:
    """A duration as policies write it, in the largest unit that is whole."""
    minutes = int(value.total_seconds()) // 60
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "policy": "policy",
        "legal_hold": "legal hold",
        "added": "added",
        "removed": "removed",
        "nothing": "nothing",
        "more": "and {count} more",
        "colon": ": ",
    },
    "zh-Hans": {
        "policy": "策略",
        "defaults": "默认值",
        "group": "群组",
        "list": "词表",
        "detector": "检测器",
        "barrier": "隔离墙",
        "rule": "规则",
        "attachments": "附件",
        "kinds": "消息类型",
        "disclaimer": "声明",
        "retention": "保存期限",
        "archive": "存档",
        "legal_hold": "法律保全",
        "exception": "例外",
        "added": "新增",
        "removed": "删除",
        "nothing": "无",
        "more": "另有 {count} 项",
        "colon": "：",
    },
    "zh-Hant": {
        "policy": "政策",
        "defaults": "預設值",
        "group": "群組",
        "list": "詞表",
        "detector": "偵測器",
        "barrier": "隔離牆",
        "rule": "規則",
        "attachments": "附件",
        "kinds": "訊息類型",
        "disclaimer": "聲明",
        "retention": "保存期限",
        "archive": "存檔",
        "legal_hold": "法律保全",
        "exception": "例外",
        "added": "新增",
        "removed": "刪除",
        "nothing": "無",
        "more": "另有 {count} 項",
        "colon": "：",
    },
}

"""The bridge's own words to people, in their languages.

Rules of this file: pure; whole sentences keyed by what happened, never assembled from fragments; no word
of what a message said, and never the name of a rule's finding (that would teach evasion). Only staff are
told which rule acted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import regex

from bridge.message import Annotation, Content, Kind, Message, Outcome, Verdict

LANGUAGES = ("en", "zh-Hans", "zh-Hant")

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "hold": {
        "en": "Your message is held for review and has not been delivered yet.",
        "zh-Hans": "您的消息正在等待审核，尚未送达对方。",
        "zh-Hant": "您的訊息正在等待審核，尚未送達對方。",
    },
    "block": {
        "en": "Your message was not delivered: it does not comply with the firm's policy.",
        "zh-Hans": "您的消息未送达：不符合公司的合规规定。",
        "zh-Hant": "您的訊息未送達：不符合公司的合規規定。",
    },
    "unpaired": {
        "en": "Your message was recorded but not delivered: this chat is not connected to anybody yet.",
        "zh-Hans": "您的消息已留存但未送达：此会话尚未与任何人建立连接。",
        "zh-Hant": "您的訊息已留存但未送達：此對話尚未與任何人建立連接。",
    },
    "ended": {
        "en": "This chat is no longer connected: what you wrote and had not been delivered yet will not be.",
        "zh-Hans": "此会话的连接已结束：您尚未送达的消息将不再发送。",
        "zh-Hant": "此對話的連接已結束：您尚未送達的訊息將不再發送。",
    },
    "unreadable": {
        "en": "Your message is held for review: part of it could not be read.",
        "zh-Hans": "您的消息正在等待审核：其中部分内容无法读取。",
        "zh-Hant": "您的訊息正在等待審核：其中部分內容無法讀取。",
    },
    "released": {
        "en": "Your held message was reviewed and is now being delivered.",
        "zh-Hans": "您的消息已通过审核，正在发送给对方。",
        "zh-Hant": "您的訊息已通過審核，正在發送給對方。",
    },
    "rejected": {
        "en": "Your held message was reviewed and will not be delivered.",
        "zh-Hans": "您的消息未通过审核，不会发送给对方。",
        "zh-Hant": "您的訊息未通過審核，不會發送給對方。",
    },
    "window": {
        "en": "Not delivered yet: the other side has not written within 48 hours, so the network lets "
        "nothing through. Your message will go out as soon as they write.",
        "zh-Hans": "尚未送达：对方超过48小时未发言，平台暂不允许发送。对方再次发言后将自动发送。",
        "zh-Hant": "尚未送達：對方超過48小時未發言，平台暫不允許發送。對方再次發言後將自動發送。",
    },
    "quota": {
        "en": "Not delivered yet: the network allows five messages until the other side answers. Your "
        "message will go out as soon as they write.",
        "zh-Hans": "尚未送达：对方回复之前平台最多允许发送五条消息。对方再次发言后将自动发送。",
        "zh-Hant": "尚未送達：對方回覆之前平台最多允許發送五條訊息。對方再次發言後將自動發送。",
    },
    "paused": {
        "en": "This chat is paused: one of the two networks cannot be read at the moment, so what is said "
        "would not be recorded. Nothing is passed on in either direction until it can be.",
        "zh-Hans": "会话已暂停：目前无法读取其中一个平台的消息，内容将无法留存。"
        "恢复之前，双方的消息均不会转发。",
        "zh-Hant": "對話已暫停：目前無法讀取其中一個平台的訊息，內容將無法留存。"
        "恢復之前，雙方的訊息均不會轉發。",
    },
    "resumed": {
        "en": "This chat goes on: both networks are recorded again, and what was waiting is being delivered.",
        "zh-Hans": "会话已恢复：两个平台的消息均可正常留存，等待中的消息正在发送。",
        "zh-Hant": "對話已恢復：兩個平台的訊息均可正常留存，等待中的訊息正在發送。",
    },
    "undelivered": {
        "en": "Your message could not be delivered. The compliance desk has been given the case.",
        "zh-Hans": "您的消息未能送达，已转交合规人员处理。",
        "zh-Hant": "您的訊息未能送達，已轉交合規人員處理。",
    },
    "compliance": {
        "en": "Your message was refused by the other network's own compliance check.",
        "zh-Hans": "您的消息被对方平台的合规检查拒绝。",
        "zh-Hant": "您的訊息被對方平台的合規檢查拒絕。",
    },
    "too-large": {
        "en": "Your message could not be delivered: it is larger than the other network allows.",
        "zh-Hans": "您的消息未能送达：超过对方平台允许的大小。",
        "zh-Hant": "您的訊息未能送達：超過對方平台允許的大小。",
    },
    "too-small": {
        "en": "Your message was not delivered: a file in it is empty or too small for the other network.",
        "zh-Hans": "您的消息未送达：其中的文件为空，或小于对方平台的最低要求。",
        "zh-Hant": "您的訊息未送達：其中的檔案為空，或小於對方平台的最低要求。",
    },
    "empty": {
        "en": "Your message was not delivered: there is nothing in it that the other network could show.",
        "zh-Hans": "您的消息未送达：其中没有对方平台可以显示的内容。",
        "zh-Hant": "您的訊息未送達：其中沒有對方平台可以顯示的內容。",
    },
    "attachment-missing": {
        "en": "Your message arrived only partly: the text was delivered, an attachment was not. "
        "The compliance desk has been given the case.",
        "zh-Hans": "您的消息仅部分送达：文字已送达，附件未能送达。已转交合规人员处理。",
        "zh-Hant": "您的訊息僅部分送達：文字已送達，附件未能送達。已轉交合規人員處理。",
    },
    "rest-missing": {
        "en": "Your message arrived only partly: its beginning was delivered, the rest was not. "
        "The compliance desk has been given the case.",
        "zh-Hans": "您的消息仅部分送达：前面部分已送达，其余部分未能送达。已转交合规人员处理。",
        "zh-Hant": "您的訊息僅部分送達：前面部分已送達，其餘部分未能送達。已轉交合規人員處理。",
    },
    "gap": {
        "en": "[An earlier message is still under review]",
        "zh-Hans": "［前面有一条消息仍在审核中］",
        "zh-Hant": "［前面有一則訊息仍在審核中］",
    },
    "late": {
        "en": "[Sent earlier, delivered after review]",
        "zh-Hans": "［较早前发送，经审核后送达］",
        "zh-Hant": "［較早前發送，經審核後送達］",
    },
    "edited": {
        "en": "[Edited]",
        "zh-Hans": "［已修改］",
        "zh-Hant": "［已修改］",
    },
    "expired": {
        "en": "Your held message was not reviewed in time and will not be delivered.",
        "zh-Hans": "您的消息未能在规定时间内完成审核，不会发送给对方。",
        "zh-Hant": "您的訊息未能在規定時間內完成審核，不會發送給對方。",
    },
    "recalled": {
        "en": "[Recalled a message]",
        "zh-Hans": "［撤回了一条消息］",
        "zh-Hant": "［收回了一則訊息］",
    },
}

_STAFF: Mapping[str, Mapping[str, str]] = {
    "hold": {
        "en": "Message {number} is held in queue {queue} by {rules}. "
        "To look at it: weighbridge review show {number}",
        "zh-Hans": "消息 {number} 被规则 {rules} 拦下，在队列 {queue} 中待审核。"
        "查看：weighbridge review show {number}",
        "zh-Hant": "訊息 {number} 被規則 {rules} 攔下，在佇列 {queue} 中待審核。"
        "查看：weighbridge review show {number}",
    },
    "block": {
        "en": "Message {number} was blocked by {rules}. To look at it: weighbridge audit show {number}",
        "zh-Hans": "消息 {number} 被规则 {rules} 阻止。查看：weighbridge audit show {number}",
        "zh-Hant": "訊息 {number} 被規則 {rules} 阻止。查看：weighbridge audit show {number}",
    },
    "pass": {
        "en": "Message {number} was delivered, and {rules} found something in it. "
        "To look at it: weighbridge audit show {number}",
        "zh-Hans": "消息 {number} 已送达，规则 {rules} 在其中有所发现。查看：weighbridge audit show {number}",
        "zh-Hant": "訊息 {number} 已送達，規則 {rules} 在其中有所發現。查看：weighbridge audit show {number}",
    },
    "late": {
        "en": "Message {number} has waited in queue {queue} longer than the policy allows. "
        "To decide it: weighbridge review show {number}",
        "zh-Hans": "消息 {number} 在队列 {queue} 中等待审核，已超过规定时间。"
        "处理：weighbridge review show {number}",
        "zh-Hant": "訊息 {number} 在佇列 {queue} 中等待審核，已超過規定時間。"
        "處理：weighbridge review show {number}",
    },
}

#: The codes of `Refused` that have a sentence of their own. A code may be spelled like the key of another:
#: what a network "rejected" was reviewed by nobody.
REFUSALS = frozenset({"window", "quota", "compliance", "too-large", "too-small", "empty"})

_SAME = {"zh": "zh-Hans", "zh-CN": "zh-Hans", "zh-SG": "zh-Hans", "zh-TW": "zh-Hant", "zh-HK": "zh-Hant"}


def say(key: str, language: str) -> str:
    """The sentence for `key` in `language`, a BCP 47 tag; English when the language is not spoken here."""
    texts = _TEXTS[key]
    return texts.get(_SAME.get(language, language), texts["en"])


def staff(key: str, language: str, number: int, rules: str = "", queue: str = "") -> str:
    """What staff are told, without a word of what was written: that `rules` held, blocked or passed ("hold",
    "block", "pass") message `number`, or that it has waited in its queue too long ("late")."""
    texts = _STAFF[key]
    sentence = texts.get(_SAME.get(language, language), texts["en"])
    return sentence.format(number=number, rules=rules, queue=queue)


def chosen(texts: Mapping[str, str], language: str) -> str:
    """The text a policy's author wrote for `language`; "zh" serves both scripts, English serves anybody."""
    exact = _SAME.get(language, language)
    for tag in (language, exact, exact.split("-")[0], "en"):
        if tag in texts:
            return texts[tag]
    return next(iter(texts.values()), "")


def notice(message: Message, verdict: Verdict, paired: bool, language: str) -> str:
    """What the sender is told about a verdict; "" when there is nothing to tell.

    The words of the policy's author come before ours."""
    written = chosen(verdict.tell, language)
    if written or verdict.outcome not in (Outcome.HOLD, Outcome.BLOCK):
        return written
    if not paired:
        return say("unpaired", language)
    if verdict.cause.value == "failure":
        return say("unreadable", language)
    return say(verdict.outcome.value, language)


#: Breaks of a line that not every network takes for one (Unicode Standard, 5.8).
_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]")

#: The other controls: C0 without tab and line breaks, DEL, C1.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")

#: What no reader sees and what only moves other characters: embeddings, overrides and isolates of direction
#: (UAX #9), spaces and joins without width, fillers, interlinear marks, and tags. The joiners U+200C and
#: U+200D and the marks U+200E, U+200F and U+061C belong to writing and stay, as do the tags of a flag.
_UNSEEN = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)"
    "|[\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """`text` as a reader may see it: in the order in which it was judged, and nothing hidden in it.

    Controls become U+FFFD, so that one sees that something was there; what is unseen anyway is left out.
    """
    shown = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub("\n", text))
    return _UNSEEN.sub(lambda found: found[1] or "", shown)


QUOTE = 60
"""Graphemes of an earlier message that stand above an answer, an edit or a recall on Weixin, where every
sign of a message counts: enough to recognise it."""


def shortened(quote: str) -> str:
    """Earlier words on one line, cut to QUOTE graphemes, the last of which says that there were more. What is
    shown so is what a permit has, and what the record says of it."""
    signs = regex.findall(r"\X", " ".join(visible(quote).split()))
    return "".join(signs if len(signs) <= QUOTE else [*signs[: QUOTE - 1], "…"])


def compose(
    kind: Kind,
    text: str,
    marks: tuple[str, ...],
    language: str,
    author: str,
    quote: str = "",
    annotations: Sequence[Annotation] = (),
) -> Content:
    """What the reader gets: the allowed text, with the marks that say what the text alone does not, and the
    firm's own texts below it.

    `marks` are of "gap" (an earlier message is held), "late" (this one was), "edited" and "recalled".
    """
    lines = [say(mark, language) for mark in marks]
    if kind is Kind.RECALL:
        lines.append(say("recalled", language))
    elif shown := visible(text):
        lines.append(shown)
    lines += [chosen(one.text, language) for one in annotations]
    return Content("\n".join(lines), visible(author), quote=visible(quote), language=language)

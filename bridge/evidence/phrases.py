"""The words of the reports, in the languages of their readers: labels, and the few sentences around them.

Rules of this file: pure; whole sentences; every key in every language. What people wrote is never translated.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "zh-Hans", "zh-Hant")

_PHRASES: Mapping[str, tuple[str, str, str]] = {
    "title": ("Evidence from the message archive", "消息存档证据", "訊息存檔證據"),
    "intro": (
        "Drawn from the records in this package. This report is its maker's own words; verify.py checks the "
        "records and prints what they say: signatures, tree, content, and that nothing was delivered before "
        "it was archived.",
        "本报告由证据包内的记录生成，文字出自制作者；任何人均可用 verify.py 核验并读取记录："
        "签名、默克尔树、内容，以及先存档、后送达。",
        "本報告由證據包內的記錄產生，文字出自製作者；任何人均可用 verify.py 核驗並讀取記錄："
        "簽名、默克爾樹、內容，以及先存檔、後送達。",
    ),
    "bars": (
        "Black bars stand for what whoever made this package withheld: it is committed to, and can be shown "
        "later.",
        "黑条代表制作者隐去的内容；其承诺值仍在记录中，日后可予披露。",
        "黑條代表製作者隱去的內容；其承諾值仍在記錄中，日後可予披露。",
    ),
    "withheld": ("withheld", "已隐去", "已隱去"),
    "made": ("Made", "制作时间", "製作時間"),
    "by": ("By", "制作人", "製作人"),
    "case": ("Case", "案件", "案件"),
    "query": ("Asked for", "查询条件", "查詢條件"),
    "why": ("Reason", "理由", "理由"),
    "counts": ("Contains", "内容", "內容"),
    "tree": ("Signed tree", "已签名的树", "已簽名的樹"),
    "message": ("Message", "消息", "訊息"),
    "from": ("From", "发送人", "發送人"),
    "to": ("To", "接收人", "接收人"),
    "sent": ("Sent", "发送时间", "發送時間"),
    "archived": ("Archived", "存档时间", "存檔時間"),
    "quote": ("In answer to", "回复", "回覆"),
    "written": ("As written", "原文", "原文"),
    "delivered": ("As delivered", "送达内容", "送達內容"),
    "nothing": ("Nothing was delivered.", "未送达。", "未送達。"),
    "not_sent": ("Permitted, not delivered.", "已获准，未送达。", "已獲准，未送達。"),
    "in_part": (
        "A part was delivered, and nobody knows how much of this:",
        "仅部分送达，送达范围无法确定：",
        "僅部分送達，送達範圍無法確定：",
    ),
    "lost": (
        "The network took it, and said later that it, or a part of it, never arrived:",
        "网络曾接收，其后报告全部或部分未送达：",
        "網絡曾接收，其後報告全部或部分未送達：",
    ),
    "untold": (
        "What became of your own messages is not part of this copy.",
        "您本人所发消息的后续处理不在本副本范围内。",
        "您本人所發訊息的後續處理不在本副本範圍內。",
    ),
    "below": ("Delivered below the quote", "送达时上方的引用", "送達時上方的引用"),
    "elsewhere": (
        "[What it answers, replaces or takes back is not in this package; if that had arrived, its words "
        "stood here.]",
        "［其回复、修改或撤回的消息不在本证据包内；如该消息曾送达，其内容显示于此处。］",
        "［其回覆、修改或撤回的訊息不在本證據包內；如該訊息曾送達，其內容顯示於此處。］",
    ),
    "verdict": ("Verdict", "裁决", "裁決"),
    "rules": ("Rules", "规则", "規則"),
    "policy": ("Policy", "策略版本", "策略版本"),
    "receipts": ("Receipts", "回执", "回執"),
    "files": ("Attachments", "附件", "附件"),
    "life": ("Ledger", "账本", "賬本"),
    "excluded": ("Not in this package", "未包含的内容", "未包含的內容"),
    "page": ("Page", "页", "頁"),
    "causes": (
        'In the ledger, "cause" says why a verdict is what it is: "rule", a rule matched; "default", no rule '
        'matched, or nobody is paired, and the policy says what happens then; "failure", something could not '
        'be read, and is held; "person", a reviewer decided.',
        "账本中的 cause 说明裁决的由来：rule 为规则命中；default 为没有规则命中或双方未配对，按策略处理；"
        "failure 为有内容无法读取，暂缓发送；person 为审核人员决定。",
        "賬本中的 cause 說明裁決的由來：rule 為規則命中；default 為沒有規則命中或雙方未配對，按策略處理；"
        "failure 為有內容無法讀取，暫緩發送；person 為審核人員決定。",
    ),
}

_TERMS: Mapping[str, tuple[str, str]] = {
    # counts
    "messages": ("消息", "訊息"),
    "asked for": ("查询所得", "查詢所得"),
    "entries": ("账本条目", "賬本條目"),
    "attachments": ("附件", "附件"),
    "messages withheld": ("隐去的消息", "隱去的訊息"),
    "fields withheld": ("隐去的字段", "隱去的欄位"),
    # what a message is to the one that was asked for
    "edit of": ("修改自消息", "修改自訊息"),
    "recall of": ("撤回消息", "撤回訊息"),
    "notice about": ("通知，关于消息", "通知，關於訊息"),
    # outcomes
    "deliver": ("放行", "放行"),
    "annotate": ("附上公司文字后放行", "附上公司文字後放行"),
    "redact": ("遮盖", "遮蓋"),
    "hold": ("暂缓发送", "暫緩發送"),
    "block": ("拦截", "攔截"),
    # rules
    "characters": ("字符", "字元"),
    "without effect": ("未生效", "未生效"),
    # the tree
    "lane": ("通道", "通道"),
    # what is not in a package
    "content": ("内容", "內容"),
    "attachment": ("附件", "附件"),
    "withheld by whoever made this": ("由制作者隐去", "由製作者隱去"),
    "the network did not give it": ("网络未提供", "網絡未提供"),
    "disposed of": ("已按规定销毁", "已按規定銷毀"),
    "no longer in the archive, and no entry of the record says why": (
        "已不在存档中，且记录中没有条目说明原因",
        "已不在存檔中，且記錄中沒有條目說明原因",
    ),
    "the record does not commit to its own bytes, only to those of the sealed file": (
        "记录未对附件原文作出承诺，只对加密后的文件作出承诺",
        "記錄未對附件原文作出承諾，只對加密後的檔案作出承諾",
    ),
}
"""Words of manifests and records as reports translate them; in English they are said as they are."""


def phrase(key: str, language: str) -> str:
    """The words for `key` in a language of ours; English for any other. Raises KeyError for an unknown
    key."""
    place = LANGUAGES.index(language) if language in LANGUAGES else 0
    return _PHRASES[key][place]


def term(word: str, language: str) -> str:
    """A word of a manifest or record in a language of ours; the word itself in English, or where it is none
    of ours (an id, a place, a network's own words)."""
    said = _TERMS.get(word)
    if said is None or language not in LANGUAGES[1:]:
        return word
    return said[LANGUAGES.index(language) - 1]


def remark(text: str, language: str) -> str:
    """A remark of a manifest: known as a whole, or by what stands before its colon."""
    if (whole := term(text, language)) != text:
        return whole
    known, colon, rest = text.partition(": ")
    return term(known, language) + colon + rest

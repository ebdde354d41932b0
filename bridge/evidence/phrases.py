"""The words of the reports, in the languages of their readers: labels, and the few sentences around them.

Rules of this file: pure; whole sentences; every key in every language. What people wrote is never translated.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "zh-Hans", "zh-Hant")

_PHRASES: Mapping[str, tuple[str, str, str]] = {
    "title": ("Evidence from the message archive", "消息存档证据", "訊息存檔證據"),
    "intro": (
        "Drawn from the records in this package, which anybody can check with verify.py: signatures, tree, "
        "content, and that nothing was delivered before it was archived.",
        "本报告由证据包内的记录生成；任何人均可用 verify.py 核验签名、默克尔树、内容，以及先存档、后送达。",
        "本報告由證據包內的記錄產生；任何人均可用 verify.py 核驗簽名、默克爾樹、內容，以及先存檔、後送達。",
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
    "verdict": ("Verdict", "裁决", "裁決"),
    "rules": ("Rules", "规则", "規則"),
    "policy": ("Policy", "策略版本", "策略版本"),
    "receipts": ("Receipts", "回执", "回執"),
    "files": ("Attachments", "附件", "附件"),
    "life": ("Ledger", "账本", "賬本"),
    "excluded": ("Not in this package", "未包含的内容", "未包含的內容"),
    "page": ("Page", "页", "頁"),
}


def phrase(key: str, language: str) -> str:
    """The words for `key` in a language of ours; English for any other. Raises KeyError for an unknown
    key."""
    place = LANGUAGES.index(language) if language in LANGUAGES else 0
    return _PHRASES[key][place]

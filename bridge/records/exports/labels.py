"""The words of pages and paper beside what people wrote, in English, in Chinese, or in both at once.

Rules of this file: pure; every label in every language. What people wrote is never translated.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("both", "en", "zh-Hans", "zh-Hant")

_WORDS: Mapping[str, tuple[str, str, str]] = {
    "title": ("Conversations from the message archive", "消息存档中的会话", "訊息存檔中的會話"),
    "conversation": ("Conversation", "会话", "會話"),
    "day": ("Day", "日期", "日期"),
    "asked": ("Asked for", "查询条件", "查詢條件"),
    "case": ("Case", "案件", "案件"),
    "participants": ("Participants", "参与者", "參與者"),
    "present": ("Present when the day began", "当日开始时在场", "當日開始時在場"),
    "messages": ("Messages", "消息", "訊息"),
    "message": ("Message", "消息", "訊息"),
    "joined": ("joined", "加入", "加入"),
    "left": ("left", "离开", "離開"),
    "from": ("From", "发送人", "發送人"),
    "to": ("Could read it", "可见者", "可見者"),
    "sent_at": ("Sent", "发送时间", "發送時間"),
    "at": ("Archived", "存档时间", "存檔時間"),
    "written": ("As written", "原文", "原文"),
    "delivered": ("As the other side saw it", "对方所见", "對方所見"),
    "shown": ("As you were shown it", "您所见", "您所見"),
    "partly": ("in part only", "仅部分送达", "僅部分送達"),
    "unknown": ("not known yet whether this", "尚不确定是否送达", "尚不確定是否送達"),
    "sent_quote": ("The other side saw it below", "对方所见的引用", "對方所見的引用"),
    "same": ("as written", "与原文相同", "與原文相同"),
    "nothing": ("nothing", "未送达", "未送達"),
    "quote": ("In answer to", "引用", "引用"),
    "edits": ("Replaces message", "修改消息", "修改訊息"),
    "recalls": ("Takes back message", "撤回消息", "撤回訊息"),
    "replaced": ("Replaced by", "已被修改，见", "已被修改，見"),
    "versions": ("Later versions in all", "后续修改总数", "後續修改總數"),
    "taken_back": ("Taken back by", "已被撤回，见", "已被撤回，見"),
    "elsewhere": ("not in this export", "不在本次导出中", "不在本次匯出中"),
    "notice_for": ("Notice about message", "关于消息的通知", "關於訊息的通知"),
    "decision": ("Decision", "决定", "決定"),
    "delivery": ("Delivery", "送达", "送達"),
    "attachment": ("Attachment", "附件", "附件"),
    "missing": ("missing", "缺失", "缺失"),
    "renamed": (
        "(not known to be harmless in a browser: saved with .bin at the end of its name)",
        "（不确定在浏览器中打开是否无害：文件名末尾加了 .bin）",
        "（不確定在瀏覽器中開啟是否無害：檔名末尾加了 .bin）",
    ),
    "state": ("State", "状态", "狀態"),
    "network": ("Network", "网络", "網絡"),
    "origin": ("Region", "地区", "地區"),
    "gone": ("No longer there", "已不存在", "已不存在"),
    "defect": ("Could not be read", "无法读取", "無法讀取"),
    "proof": ("Ledger entry", "账本条目", "帳本條目"),
}


def label(key: str, language: str) -> str:
    """A label; in both languages the English one first."""
    english, simplified, traditional = _WORDS[key]
    if language == "both":
        return f"{english} / {simplified}"
    return {"en": english, "zh-Hans": simplified, "zh-Hant": traditional}[language]

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

_TERMS: Mapping[str, tuple[str, str]] = {
    "advisor": ("顾问", "顧問"),
    "client": ("客户", "客戶"),
    "bridge": ("网桥", "網橋"),
    "other": ("其他", "其他"),
    "text": ("文字", "文字"),
    "image": ("图片", "圖片"),
    "voice": ("语音", "語音"),
    "video": ("视频", "影片"),
    "file": ("文件", "檔案"),
    "sticker": ("表情", "貼圖"),
    "location": ("位置", "位置"),
    "link": ("链接", "連結"),
    "card": ("名片", "名片"),
    "app": ("小程序", "小程式"),
    "record": ("聊天记录", "聊天記錄"),
    "recall": ("撤回", "撤回"),
    "note": ("网络提示", "網絡提示"),
    "unknown": ("未知", "未知"),
    "fetching": ("附件获取中", "附件獲取中"),
    "new": ("待判定", "待判定"),
    "passed": ("已放行", "已放行"),
    "held": ("已暂扣", "已暫扣"),
    "blocked": ("已拦截", "已攔截"),
    "released": ("已释放", "已釋放"),
    "rejected": ("已拒绝", "已拒絕"),
    "noted": ("仅存档", "僅存檔"),
    "recalled": ("已撤回", "已撤回"),
    "ready": ("待发送", "待發送"),
    "claimed": ("发送中", "發送中"),
    "waiting": ("等待窗口", "等待視窗"),
    "sent": ("已发送", "已發送"),
    "parked": ("已搁置", "已擱置"),
    "failed": ("未送达", "未送達"),
    "dropped": ("已放弃", "已放棄"),
    "retried": ("已重试", "已重試"),
    "reviewed": ("已抽查", "已抽查"),
    "deliver": ("放行", "放行"),
    "annotate": ("加注后放行", "加註後放行"),
    "redact": ("遮蔽后放行", "遮蔽後放行"),
    "hold": ("暂扣", "暫扣"),
    "block": ("拦截", "攔截"),
    "rule": ("规则", "規則"),
    "default": ("默认", "預設"),
    "failure": ("故障", "故障"),
    "person": ("人工", "人工"),
    "paired": ("建立对话", "建立對話"),
    "pair ended": ("对话结束", "對話結束"),
    "the bridge's own notice": ("网桥自身的通知", "網橋自身的通知"),
    "by": ("决定人", "決定人"),
    "because": ("原因", "原因"),
    "permit": ("许可", "許可"),
    "rules": ("规则", "規則"),
    "policy": ("政策", "政策"),
    "network's ids": ("网络编号", "網絡編號"),
    "in part": ("部分送达", "部分送達"),
    "may have arrived": ("可能已送达", "可能已送達"),
}
"""Our own words for states, causes and roles in Chinese; what is not here is said as it is."""


def term(word: str, language: str) -> str:
    """One of our own words on a page in `language`; in both languages the English one, as in the record."""
    simplified, traditional = _TERMS.get(word, (word, word))
    return {"zh-Hans": simplified, "zh-Hant": traditional}.get(language, word)


def label(key: str, language: str) -> str:
    """A label; in both languages the English one first."""
    english, simplified, traditional = _WORDS[key]
    if language == "both":
        return f"{english} / {simplified}"
    return {"en": english, "zh-Hans": simplified, "zh-Hant": traditional}[language]

"""What is wrong with a policy file, in Traditional Chinese, in the words of Hong Kong compliance staff.

Rules of this file: it translates `en`, key for key; words of the language itself stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.policy.catalogue.text import Text

ZH_HANT: Mapping[str, Text] = {
    "P001.tab": Text("此處是定位字元（Tab），YAML 只接受空格", "定位字元", "改為空格，每級縮排兩個"),
    "P001.star": Text("以 `*` 或 `&` 開頭的值必須加引號", "由此開始", '寫作 "*@example.com"，加上引號'),
    "P001.character": Text("值不能以這個字元開頭", "由此開始", "為整個值加上引號"),
    "P001.colon": Text("此處多了一個 `:`", "不應出現在此", "為值加上引號，或檢查本行的縮排"),
    "P001.no_colon": Text("鍵後面沒有 `:`", "此處之前應有冒號", "寫作 `key: value`，`:` 之後留一個空格"),
    "P001.quote": Text("引號沒有關閉", "由此開始", "用同一種引號關閉"),
    "P001.bracket": Text(
        "括號沒有關閉，或欠缺逗號", "在此發現", "檢查此處之前的逗號和括號；含有 , ? : 或括號的文字要加引號"
    ),
    "P001.indent": Text("本行的縮排與相鄰各行不一致", "在此發現", "同一級的各行用同樣多的空格"),
    "P001.escape": Text(
        "雙引號裡的 `\\` 及其後的字元不是跳脫", "這個跳脫", "把模式寫在單引號裡，`\\` 才會保持原樣：'…'"
    ),
    "P001.control": Text("檔案中有無法顯示的字元", "此處", "刪除這個字元"),
    "P001.deep": Text("檔案的巢狀結構超過 {limit} 級", "太深", "減少層級"),
    "P001.other": Text("這不是有效的 YAML：{problem}", "在此發現", "檢查引號、括號和縮排"),
    "P002": Text("`{key}` 在同一處寫了兩次", "重複", "只保留一個；第一次寫在第 {first} 行"),
    "P003.anchor": Text("規則語言不支援錨點", "`&{name}`", "在用到的地方寫出完整的值"),
    "P003.alias": Text("規則語言不支援別名", "`*{name}`", "寫出完整的值"),
    "P004": Text("規則語言不支援標籤", "`{tag}`", "刪除標籤：每個值的類型由它的鍵決定"),
    "P005": Text("規則語言不支援合併鍵", "`<<`", "在用到的地方寫出各個鍵"),
    "P006.key": Text("鍵裏的 `{mark}` 是中文標點", "中文標點", "寫作 `{ascii} `（後面留一個空格）"),
    "P006.structure": Text("`{mark}` 是中文標點，此處須用 YAML 的英文標點", "中文標點", "寫作 `{ascii} `"),
    "P006.quotes": Text(
        "`{mark}` 在 YAML 中不是引號，會成為文字的一部分",
        "中文標點",
        "寫作 \"…\"；如果引號本來就屬於文字，整段用 '…' 括起來",
    ),
    "P006.comma": Text(
        "`{mark}` 不能分隔清單中的項目", "中文標點", "寫作 `, `；如果標點屬於文字，為該項目加上引號"
    ),
    "P006.space": Text("此處是另一種空格，YAML 只接受普通空格", "不是普通空格", "改為普通空格，每級縮排兩個"),
    "P007.several": Text("一個檔案裏有多份文件", "第二份由此開始", "每份政策用一個獨立的檔案"),
    "P007.empty": Text("檔案是空的", "沒有內容", "以 `policy:`、名稱和 `language: 1` 開頭"),
    "P008.missing": Text("無法讀取檔案 `{path}`", "", "檢查檔案名稱和權限；管道和裝置從不讀取"),
    "P008.encoding": Text("檔案不是 UTF-8 文字", "第一個錯誤的位元組", "另存為 UTF-8"),
    "P008.large": Text("檔案超過 {limit} MB", "", "分成多個檔案"),
    "P010": Text("此處不能使用 `{key}` 這個鍵", "未知的鍵", "此處可用的鍵：{choices}"),
    "P010.near": Text("此處不能使用 `{key}` 這個鍵", "未知的鍵", "是否想寫 `{guess}`？"),
    "P010.twin": Text("此處不能使用 `{key}` 這個鍵，同時欠缺 `{guess}`", "未知的鍵", "是否想寫 `{guess}`？"),
    "P011": Text("`{key}` 不接受 `{value}`", "未知的詞", "可用的詞：{choices}"),
    "P011.near": Text("`{key}` 不接受 `{value}`", "未知的詞", "是否想寫 `{guess}`？"),
    "P011.alone": Text(
        "`{value}` 代表 `{key}` 的全部內容，不能作為列表中的一項",
        "只能單獨寫",
        "寫作 `{key}: {value}`，或從列表中刪除它",
    ),
    "P012": Text("欠缺 `{key}`", "應寫在此處", "加上 `{key}:`"),
    "P013.text": Text("`{key}` 應為一段文字", "不是文字", "寫一個值；有特殊字元時加引號"),
    "P013.none": Text("`{key}` 沒有值", "後面是空的", "寫上值，或刪除這個鍵"),
    "P013.given": Text("`given` 沒有值", "後面是空的", '寫上訊息；沒有文字的訊息（圖片、語音）寫作 ""'),
    "P013.mapping": Text(
        "`{key}` 之下應為鍵和值", "此處沒有鍵", "在下面逐行寫 `key: value`，或寫作 {{ key: value }}"
    ),
    "P013.entry": Text(
        "`{key}` 的每一項應為鍵和值", "這一項沒有鍵", "寫作 `- key: value`，其餘的鍵寫在它下面；或刪除這一項"
    ),
    "P013.root": Text("政策檔案由鍵和值組成", "沒有鍵", "以 `policy:` 和名稱開頭"),
    "P013.list": Text("`{key}` 應為清單", "不是清單", "寫作 [one, two]，或每行以 `- ` 開頭"),
    "P013.number": Text("`{key}` 應為整數", "不是整數", "只寫數字"),
    "P013.range": Text("`{key}` 超出範圍：{bound}", "超出範圍", "寫一個範圍內的數"),
    "P013.long": Text("`{key}` 太長：{bound}", "太長", "縮短"),
    "P013.true": Text("`{key}` 只能是 `true`", "不是 `true`", "寫作 `{key}: true`，或刪除這個鍵"),
    "P013.switch": Text("`{key}` 應為 `true` 或 `false`", "兩者都不是", "寫 `true` 或 `false`"),
    "P013.true_or_mapping": Text(
        "`{key}` 應為 `true` 或鍵和值", "兩者都不是", "寫作 `{key}: true` 或 `{key}: {{ … }}`"
    ),
    "P013.date": Text("`{key}` 應為日期", "不是日期", "寫作 2027-01-31"),
    "P013.time": Text("`{key}` 應為日期和時間", "不是時間", '寫作 "2026-11-20 23:10"'),
    "P013.duration": Text("`{key}` 應為一段時間", "不是一段時間", "寫作 30m、24h 或 7d"),
    "P013.period": Text("`{key}` 應為期限", "不是期限", "寫作 7y（年）、18m（月）或 90d（日）"),
    "P013.size": Text("`{key}` 應為大小", "不是大小", "寫作 500KB 或 20MB"),
    "P013.percent": Text("`{key}` 應為百分比", "不是百分比", "寫一個大於 0、不超過 100 的數，不寫百分號"),
    "P013.hours": Text("`{key}` 應為時段", "不是時段", '寫作 "09:00-18:30"，加上引號'),
    "P013.hours.order": Text("時段在開始之前就結束", "結束早於開始", "先寫較早的時間；時段只限同一日之內"),
    "P013.day": Text("`{key}` 最長為一日", "超過一日", "寫 24h 或更短"),
    "P013.empty": Text("`{key}` 是空的清單", "沒有內容", "至少寫一項，或刪除這個鍵"),
    "P013.two": Text("`{key}` 須正好是兩個組別", "不是兩個", "寫作 [one, other]；單向則用 `from` 和 `to`"),
    "P013.timezone": Text("`{key}` 應為時區", "未知的時區", "寫作 Asia/Hong_Kong"),
    "P013.name": Text("`{value}` 不能用作名稱", "不是名稱", "用字母、數字、`-`、`_` 和 `.`，不要有空格"),
    "P013.address": Text(
        "`{key}` 不是存檔的地址",
        "不是地址",
        "寫作 s3://儲存桶/前綴、smtp://主機:連接埠/郵箱、smtps://… 或 file:///目錄；不含密碼",
    ),
    "P013.key": Text("鍵必須是一段文字", "不是文字", "寫作 `key: value`"),
    "P013.other": Text("`{key}` 不能取這個值", "不可用", "參閱指南中關於 `{key}` 的說明"),
    "P014.list": Text("詞表只能有 `words` 或 `file` 其中之一", "這個詞表", "寫其中一個"),
    "P014.columns": Text("`file` 和 `columns` 必須同時出現", "這個詞表", "寫明哪些欄是詞語"),
    "P014.stale": Text("只有來自檔案的詞表才會過時", "這個詞表", "刪除 `stale_after`，或把詞語放進檔案"),
    "P014.dates": Text("`dates` 沒有寫明欄", "沒有欄", "寫作 {{ from: COLUMN, until: COLUMN }}，或其中之一"),
    "P014.dated": Text("只有來自檔案的詞表才有日期欄", "沒有檔案", "刪除 `dates`，或把詞語放進檔案"),
    "P014.calendar": Text(
        "`days: trading` 和 `calendar` 必須同時出現",
        "只有其中之一",
        "兩者都寫，例如 `days: trading, calendar: XHKG`",
    ),
    "P014.outside": Text(
        "`outside` 既沒有寫時段，也沒有寫日子",
        "永遠不會在外",
        '寫 `hours: "09:00-18:30"`、`days: weekdays`，或兩者都寫',
    ),
    "P014.condition": Text(
        "這個條件什麼也沒有寫，因此對所有訊息都成立", "沒有內容", "寫一個有值的鍵，或刪除它"
    ),
    "P014.count": Text(
        "沒有 `within` 的 `count` 計算找到的次數，但沒有要尋找的內容",
        "沒有可計算的內容",
        "加上 `finds`，或用 `within: 10m` 計算訊息數",
    ),
    "P014.late": Text("`if_late` 需要 `decide_within`", "以甚麼為逾時？", "加上 `decide_within: 30m`"),
    "P014.language": Text("`{key}` 沒有任何語言的文字", "沒有文字", "寫作 {{ en: …, zh: … }}"),
    "P014.rollout": Text("`rollout` 只能有 `groups` 或 `percent` 其中之一", "這個 rollout", "寫其中一個"),
    "P014.barrier": Text(
        "隔離或寫 `between`，或寫 `from` 和 `to`",
        "這個隔離",
        "寫 `between: [one, other]`，或 `from: one` 和 `to: other`",
    ),
    "P014.keep": Text("保存期只能寫 `keep` 或 `preset` 其中之一", "這一項", "寫其中一個"),
    "P014.preset": Text("預設已規定由何時起計", "預設已有規定", "刪除 `start`，或用 `keep` 寫明期限"),
    "P014.lock": Text("只有儲存桶能鎖定其中的內容", "此處無法鎖定", "刪除 `object_lock`，或改用 s3:// 位址"),
    "P014.deliver": Text("規則不能同時 `deliver` 和 `{other}`", "兩者都在此", "只保留一個"),
    "P014.nothing": Text(
        "規則沒有寫明後果", "沒有後果", "加上 redact、hold、block、deliver、tag 或 tell_sender"
    ),
    "P014.redact": Text("規則要遮蓋，卻沒有要尋找的內容", "沒有可遮蓋的內容", "寫明偵測器：`finds: [card]`"),
    "P014.show_match": Text("`show_match` 需要一段文字來顯示", "沒有文字", "加上 `tell_sender`"),
    "P020": Text(
        "{owner} 要尋找 `{name}`，但沒有這個偵測器", "`detectors:` 之下沒有定義", "此處的偵測器：{choices}"
    ),
    "P020.near": Text(
        "{owner} 要尋找 `{name}`，但沒有這個偵測器",
        "`detectors:` 之下沒有定義",
        "是否想寫 `{guess}`？（第 {line} 行）",
    ),
    "P021": Text(
        "偵測器 `{owner}` 用到 `{name}`，但沒有這個詞表", "`lists:` 之下沒有定義", "此處的詞表：{choices}"
    ),
    "P021.near": Text(
        "偵測器 `{owner}` 用到 `{name}`，但沒有這個詞表",
        "`lists:` 之下沒有定義",
        "是否想寫 `{guess}`？（第 {line} 行）",
    ),
    "P022": Text("{owner} 提到 `{name}`，但沒有這個組別", "`groups:` 之下沒有定義", "此處的組別：{choices}"),
    "P022.near": Text(
        "{owner} 提到 `{name}`，但沒有這個組別",
        "`groups:` 之下沒有定義",
        "是否想寫 `{guess}`？（第 {line} 行）",
    ),
    "P023.rule": Text("兩條規則的 id 都是 `{name}`", "重複使用", "換一個 id；第一條在第 {line} 行"),
    "P023.policy": Text("兩個檔案都叫 `{name}`", "重複使用", "換一個名稱；第一個檔案是 {file}"),
    "P023.id": Text("`{name}` 在本檔案中已用作 id", "重複使用", "換一個 id；第一次用在第 {line} 行"),
    "P024.missing": Text("無法讀取詞表檔案 `{path}`", "找不到", "路徑由政策檔案所在的資料夾起計"),
    "P024.outside": Text(
        "詞表檔案 `{path}` 不在政策檔案旁邊", "指向別處", "把詞表放在政策檔案所在的資料夾，路徑中不用 `..`"
    ),
    "P024.column": Text("詞表檔案 `{path}` 沒有 `{name}` 這一欄", "沒有這一欄", "檔案中的欄：{choices}"),
    "P024.column.near": Text("詞表檔案 `{path}` 沒有 `{name}` 這一欄", "沒有這一欄", "是否想寫 `{guess}`？"),
    "P024.empty": Text("詞表 `{name}` 沒有詞語", "沒有詞語", "加上詞語，或刪除這個詞表"),
    "P024.encoding": Text(
        "詞表檔案 `{path}` 不是 UTF-8 文字", "這個檔案", "另存為 UTF-8（在 Excel 中選「CSV UTF-8」）"
    ),
    "P024.csv": Text("詞表檔案 `{path}` 不是 CSV", "這個檔案", "另存為 CSV，第一行寫各欄的名稱"),
    "P024.cells": Text(
        "詞表檔案 `{path}` 第 {line} 行有 {found} 格，首行有 {wanted} 格",
        "這個檔案",
        "含逗號的一格用雙引號括起來，每一欄都要有",
    ),
    "P024.twice": Text("詞表檔案 `{path}` 有兩欄都叫 `{name}`", "這個檔案", "各欄用不同的名稱"),
    "P024.invisible": Text("詞語中沒有可見的字元", "這個詞", "刪除它"),
    "P024.long": Text("詞表檔案 `{path}` 中有超過 {limit} 個字元的詞", "這個檔案", "縮短這個詞"),
    "P024.date": Text(
        "詞表檔案 `{path}` 第 {line} 行的 `{value}` 不是日期", "這一欄應為日期", "日期寫作 2027-01-31"
    ),
    "P024.order": Text(
        "詞表檔案 `{path}` 第 {line} 行在開始之前就結束", "這些欄", "把較早的日期寫在 `from` 的欄裏"
    ),
    "P025": Text(
        "`unless_words` 提到 `{word}`，但它不在這個詞表中",
        "不在詞表中",
        "先寫詞表中的一個詞，後面寫含有它而無須理會的較長詞語",
    ),
    "P025.longer": Text(
        "`{longer}` 不含 `{word}`，不可能使它成為無須理會的詞", "不含這個詞", "寫一個含有 `{word}` 的較長詞語"
    ),
    "P026": Text("例外 `{name}` 已於 {day} 到期", "已過去", "刪除它，或用新的日期重新批准"),
    "P027": Text(
        "{owner} 提到 `{name}`，但本檔案沒有這條規則或隔離", "此處沒有這個 id", "此處的規則和隔離：{choices}"
    ),
    "P027.near": Text(
        "{owner} 提到 `{name}`，但本檔案沒有這條規則或隔離",
        "此處沒有這個 id",
        "是否想寫 `{guess}`？（第 {line} 行）",
    ),
    "P028": Text(
        "沒有名為 `{name}` 的預設",
        "沒有這個預設",
        "從 docs/retention-presets.md 中選一個，或用 `keep: 7y` 寫明期限",
    ),
    "P028.near": Text("沒有名為 `{name}` 的預設", "沒有這個預設", "是否想寫 `{guess}`？"),
    "P030": Text(
        "規則 `{rule}` 已執行，但沒有測試顯示它發揮作用",
        "未見它發揮作用",
        "加一個測試，顯示它遮蓋、暫緩或攔截",
    ),
    "P031.detector": Text("沒有規則用到偵測器 `{name}`", "未使用", "寫進 `finds`，或刪除它"),
    "P031.list": Text("沒有偵測器用到詞表 `{name}`", "未使用", "用在偵測器裏，或刪除它"),
    "P031.group": Text("沒有規則用到組別 `{name}`", "未使用", "用在規則裏，或刪除它"),
    "P032": Text(
        "規則 `{rule}` 改變不了任何結果：規則 `{other}` 已涵蓋它",
        "已被涵蓋",
        "刪除它，或收窄 `{other}`（第 {line} 行）",
    ),
    "P033": Text("規則 `{rule}` 沒有寫明依據", "沒有 `because`", "加上 `because:`，寫明法規或內部備忘"),
    "P034": Text("`{word}` 只有一個漢字，會在許多詞裏出現", "一個字", "用較長的詞"),
    "P035": Text(
        "規則 `{rule}` 暫緩訊息，但沒有時限",
        "沒有時限",
        "加上 `decide_within: 30m` 和 `if_late: escalate`（或 `block`）",
    ),
    "P036.rule": Text("規則 `{name}` 原定在 {day} 前檢討", "應當檢討", "重新檢視，然後寫一個較後的日期"),
    "P036.list": Text("詞表 `{name}` 原定在 {day} 前檢討", "應當檢討", "重新檢視，然後寫一個較後的日期"),
    "P037": Text("例外 `{name}` 將於 {day} 到期", "即將到期", "如仍有需要，重新批准"),
    "P038.group": Text(
        "組別 `{name}` 裏沒有人", "沒有人", "在 `symphony` 之下加地址，或在 `weixin` 之下加標籤"
    ),
    "P038.symphony": Text(
        "`{name}` 在 Symphony 中不會是任何人", "沒有這樣的人", "寫地址、帶 `*` 的地址，或使用者編號"
    ),
    "P038.weixin": Text(
        "`{name}` 在微信中不會是任何人", "沒有這樣的人", '寫標籤（"tag:客戶"）或外部聯絡人編號'
    ),
    "P038.for": Text(
        "沒有名為 `{name}` 的組別，因此當作個人的識別碼",
        "不是組別",
        "是否想寫組別 `{guess}`？（第 {line} 行）",
    ),
    "P038.unless": Text(
        "規則 `{rule}` 的 `unless` 針對另一方向，永遠不適用", "永遠不適用", "刪除它，或寫 `when` 的方向"
    ),
    "P038.rollout": Text(
        "規則 `{rule}` 沒有執行，`rollout` 沒有作用", "沒有作用", "寫 `mode: enforce`，或刪除 `rollout`"
    ),
    "P038.exception": Text("規則 `{rule}` 已停用，例外 `{name}` 沒有作用", "沒有作用", "刪除這個例外"),
    "P038.only": Text("`{rule}` 不尋找詞語，`only` 永遠不成立", "永遠不成立", "刪除 `only`"),
    "P038.count": Text(
        "`{key}` 只看這一則訊息：以前的訊息只按其中找到的內容來計數",
        "以前的訊息不看這一項",
        "計數時去掉 `{key}`；如果要的就是這樣計數，可以保留",
    ),
    "P038.confidence": Text("沒有 `finds`，`confidence` 沒有作用", "沒有作用", "加上 `finds`，或刪除它"),
    "P038.infected": Text("沒有病毒掃描，`infected` 沒有作用", "沒有作用", "加上 `virus_scan: clamav`"),
    "P038.people": Text(
        "`{name}` 會被當作某個人的識別碼，但它是一個組別", "不是人", "寫明每個人：地址或識別碼"
    ),
    "P038.since": Text(
        "訴訟保留 `{name}` 不保留 {day} 之前的記錄，而這一天還沒有到", "在將來", "寫上最早有關係的日期"
    ),
    "P039.calendar": Text(
        "{name} 的休市日只知道到 {year} 年：其後的休市日會算作交易日",
        "只到 {year} 年",
        "更新程式，以取得其後公布的休市日",
    ),
    "P039": Text("詞表檔案 `{path}` 超過 `stale_after` 未更新：訊息會被暫緩", "太舊", "請重新提供這個檔案"),
    "P040": Text("這個模式不能用：{problem}", "不可用的模式", "{advice}"),
    "P041": Text("這個模式也會匹配空白文字", "匹配空白文字", "至少讓其中一部分必須出現"),
    "P042": Text("`\\b` 不能像識別字母那樣識別漢字", "模式裏的 `\\b`", "刪除它，改寫 `boundary: word`"),
    "P043": Text("`{word}` 包含 `{inner}`，後者已經能找到它", "已被涵蓋", "刪除它，或刪除 `{inner}`"),
    "P043.same": Text(
        "`{word}` 和 `{inner}` 是同一個詞", "寫了兩次", "刪除其中之一：全形半形、大小寫和繁簡沒有分別"
    ),
    "P044": Text("`{key}` 沒有{language}的文字", "欠缺一種語言", "加上 `{tag}:` 和文字"),
    "P045.unless": Text(
        "規則 `{rule}` 永遠不會適用：`unless` 排除了所有情況", "全部排除", "令 `unless` 窄於 `when`"
    ),
    "P045.confidence": Text(
        "規則 `{rule}` 永遠不會適用：它的偵測器都達不到這個把握程度",
        "永遠達不到",
        "降低 `confidence`，或提高偵測器的把握程度",
    ),
    "P045.barrier": Text(
        "隔離 `{name}` 永遠不會起作用：兩邊的組別不在兩個網絡上",
        "不在兩個網絡之間",
        "一邊寫 Symphony 的人，另一邊寫微信的人",
    ),
    "P045.excluded": Text(
        "規則 `{rule}` 永遠不會適用：`{key}` 和 `{other}` 互相排斥", "不會同時成立", "刪除其中之一"
    ),
    "P045.pattern": Text(
        "`{name}` 的模式中的 `{part}` 永遠找不到：{why}",
        "永遠不會出現",
        "按比對時的文字來寫：用 `weighbridge policy try --show-folded` 查看",
    ),
    "P046": Text(
        "`{name}`（{rule}）的期限尚未有人確認", "{keep}，未確認", "請法律人員確認，或用 `keep` 寫明期限"
    ),
    "P047": Text(
        "訴訟保留 `{name}` 沒有 `since`：這些人的全部記錄都會保留", "沒有起始日", "加上 `since:` 和起始日"
    ),
    "P048": Text(
        "`{name}` 要求一次寫入的媒體，但本檔案的存檔去處都不鎖定副本",
        "沒有鎖定",
        "為某個存檔去處寫明 `object_lock: governance` 或 `object_lock: compliance`",
    ),
    "P049": Text(
        "沒有一類保留期限適用於全部記錄：不屬於任何一類的記錄會無限期保留",
        "只適用於部分記錄",
        "在沒有 `applies_to` 的檔案裏加上一項不寫 `for`、`direction` 和 `kind` 的期限",
    ),
    "P051": Text("本版本只認得語言版本 1", "另一個語言版本", "寫作 `language: 1`"),
    "P060": Text("規則 `{rule}` 的測試沒有通過：{problem}", "這個測試", "修改規則或測試"),
    # phrases: words that stand inside other texts
    "none": Text("無"),
    "who.rule": Text("規則 `{name}`"),
    "who.barrier": Text("隔離 `{name}`"),
    "who.exception": Text("例外 `{name}`"),
    "who.section": Text("`{name}`"),
    "language.en": Text("英文"),
    "language.zh": Text("中文"),
    "bound.least": Text("至少 {limit}"),
    "bound.most": Text("最多 {limit}"),
    "re2.open": Text("缺少 )：{fragment}"),
    "re2.closed": Text("多餘的 )：{fragment}"),
    "re2.square": Text("缺少 ]：{fragment}"),
    "re2.argument": Text("重複符號前沒有內容：{fragment}"),
    "re2.operator": Text("重複符號無效：{fragment}"),
    "re2.size": Text("重複次數無效：{fragment}"),
    "re2.perl": Text("不支援的 Perl 寫法：{fragment}"),
    "re2.escape": Text("跳脫無效：{fragment}"),
    "re2.range": Text("字元範圍無效：{fragment}"),
    "dead.space": Text("任何空白都按一個空格比對"),
    "dead.capital": Text("文字按小寫字母比對"),
    "dead.character": Text("它會按其他字元比對"),
    "advice.behind": Text("不支援後行斷言（look-behind）；改用 `boundary: digits` 或 `boundary: word`"),
    "advice.ahead": Text("不支援先行斷言（look-ahead）；改用 `boundary` 或 `context`"),
    "advice.size": Text("最多重複 1000 次，較小的數寫在前面"),
    "advice.operator": Text("* + ? {{n}} 每次只用一個；不支援佔有型重複"),
    "advice.argument": Text("在 * + 或 ? 之前要有內容；要表示字元本身，寫作 \\*"),
    "advice.open": Text("補上右圓括號；要表示字元本身，寫作 \\("),
    "advice.closed": Text("刪除這個括號；要表示字元本身，寫作 \\)"),
    "advice.square": Text("補上右方括號；要表示字元本身，寫作 \\["),
    "advice.range": Text("範圍由較小的字元寫到較大的字元"),
    "advice.escape": Text("沒有這種轉義（不支援反向引用）；反斜線本身寫作 \\\\"),
    "advice.large": Text("縮短模式，或減少重複的次數"),
    "advice.guide": Text("參閱指南中關於模式的說明"),
    "nothing": Text("無"),
    "trial.outcome": Text("期望 {expected}，實際 {got}"),
    "trial.text": Text("文字「{got}」≠「{expected}」"),
    "trial.would": Text("期望僅監察的規則會 {expected}，實際 {got}"),
    "trial.tags": Text("期望標籤 {expected}，實際 {got}"),
    "trial.rule": Text("期望由規則 {expected} 決定，實際 {got}"),
}

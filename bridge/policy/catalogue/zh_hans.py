"""What is wrong with a policy file, in Simplified Chinese, in the words of mainland compliance staff.

Rules of this file: it translates `en`, key for key; words of the language itself stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.policy.catalogue.text import Text

ZH_HANS: Mapping[str, Text] = {
    "P001.tab": Text("此处是制表符，YAML 只接受空格", "制表符", "改为空格，每级缩进两个"),
    "P001.star": Text("以 `*` 或 `&` 开头的值必须加引号", "从这里开始", '写作 "*@example.com"，加上引号'),
    "P001.character": Text("值不能以这个字符开头", "从这里开始", "给整个值加上引号"),
    "P001.colon": Text("此处多了一个 `:`", "不应出现在这里", "给值加上引号，或检查本行的缩进"),
    "P001.no_colon": Text("键后面没有 `:`", "这里之前应有冒号", "写作 `key: value`，`:` 之后留一个空格"),
    "P001.quote": Text("引号没有关闭", "从这里开始", "用同一种引号关闭"),
    "P001.bracket": Text(
        "括号没有关闭，或少了逗号", "在这里发现", "检查此处之前的逗号和括号；含有 , ? : 或括号的文字要加引号"
    ),
    "P001.indent": Text("本行的缩进与相邻各行不一致", "在这里发现", "同一级的各行用同样多的空格"),
    "P001.escape": Text(
        "双引号里的 `\\` 及其后的字符不是转义", "这个转义", "把模式写在单引号里，`\\` 才会保持原样：'…'"
    ),
    "P001.control": Text("文件中有无法显示的字符", "这里", "删除这个字符"),
    "P001.deep": Text("文件的嵌套超过 {limit} 级", "太深", "减少层级"),
    "P001.other": Text("这不是有效的 YAML：{problem}", "在这里发现", "检查引号、括号和缩进"),
    "P002": Text("`{key}` 在同一处写了两次", "重复", "只保留一个；第一次写在第 {first} 行"),
    "P003.anchor": Text("规则语言不支持锚点", "`&{name}`", "在用到的地方写出完整的值"),
    "P003.alias": Text("规则语言不支持别名", "`*{name}`", "写出完整的值"),
    "P004": Text("规则语言不支持标签", "`{tag}`", "删除标签：每个值的类型由它的键决定"),
    "P005": Text("规则语言不支持合并键", "`<<`", "在用到的地方写出各个键"),
    "P006.key": Text("键里的 `{mark}` 是中文标点", "中文标点", "写作 `{ascii} `（后面留一个空格）"),
    "P006.structure": Text("`{mark}` 是中文标点，此处须用 YAML 的英文标点", "中文标点", "写作 `{ascii} `"),
    "P006.quotes": Text(
        "`{mark}` 在 YAML 中不是引号，会成为文字的一部分",
        "中文标点",
        "写作 \"…\"；如果引号本来就属于文字，整段用 '…' 括起来",
    ),
    "P006.comma": Text(
        "`{mark}` 不能分隔列表中的项目", "中文标点", "写作 `, `；如果标点属于文字，给该项目加上引号"
    ),
    "P006.space": Text("此处是另一种空格，YAML 只接受普通空格", "不是普通空格", "改为普通空格，每级缩进两个"),
    "P007.several": Text("一个文件里有多份文档", "第二份从这里开始", "每份策略用一个单独的文件"),
    "P007.empty": Text("文件是空的", "没有内容", "以 `policy:`、名称和 `language: 1` 开头"),
    "P008.missing": Text("无法读取文件 `{path}`", "", "检查文件名和权限；管道和设备从不读取"),
    "P008.encoding": Text("文件不是 UTF-8 文本", "第一个错误的字节", "另存为 UTF-8"),
    "P008.large": Text("文件超过 {limit} MB", "", "拆成多个文件"),
    "P010": Text("此处不能使用 `{key}` 这个键", "未知的键", "此处可用的键：{choices}"),
    "P010.near": Text("此处不能使用 `{key}` 这个键", "未知的键", "是不是想写 `{guess}`？"),
    "P010.twin": Text(
        "此处不能使用 `{key}` 这个键，同时缺少 `{guess}`", "未知的键", "是不是想写 `{guess}`？"
    ),
    "P011": Text("`{key}` 不接受 `{value}`", "未知的词", "可用的词：{choices}"),
    "P011.near": Text("`{key}` 不接受 `{value}`", "未知的词", "是不是想写 `{guess}`？"),
    "P011.alone": Text(
        "`{value}` 代表 `{key}` 的全部内容，不能作为列表中的一项",
        "只能单独写",
        "写作 `{key}: {value}`，或从列表中删除它",
    ),
    "P012": Text("缺少 `{key}`", "应写在这里", "加上 `{key}:`"),
    "P013.text": Text("`{key}` 应为一段文字", "不是文字", "写一个值；有特殊字符时加引号"),
    "P013.none": Text("`{key}` 没有值", "后面是空的", "写上值，或删除这个键"),
    "P013.given": Text("`given` 没有值", "后面是空的", '写上消息；没有文字的消息（图片、语音）写作 ""'),
    "P013.mapping": Text(
        "`{key}` 下面应为键和值", "这里没有键", "在下面逐行写 `key: value`，或写作 {{ key: value }}"
    ),
    "P013.entry": Text(
        "`{key}` 的每一项应为键和值", "这一项没有键", "写作 `- key: value`，其余的键写在它下面；或删除这一项"
    ),
    "P013.root": Text("策略文件由键和值组成", "没有键", "以 `policy:` 和名称开头"),
    "P013.list": Text("`{key}` 应为列表", "不是列表", "写作 [one, two]，或每行以 `- ` 开头"),
    "P013.number": Text("`{key}` 应为整数", "不是整数", "只写数字"),
    "P013.range": Text("`{key}` 超出范围：{bound}", "超出范围", "写一个范围内的数"),
    "P013.long": Text("`{key}` 太长：{bound}", "太长", "缩短"),
    "P013.true": Text("`{key}` 只能是 `true`", "不是 `true`", "写作 `{key}: true`，或删除这个键"),
    "P013.switch": Text("`{key}` 应为 `true` 或 `false`", "两者都不是", "写 `true` 或 `false`"),
    "P013.true_or_mapping": Text(
        "`{key}` 应为 `true` 或键和值", "两者都不是", "写作 `{key}: true` 或 `{key}: {{ … }}`"
    ),
    "P013.date": Text("`{key}` 应为日期", "不是日期", "写作 2027-01-31"),
    "P013.time": Text("`{key}` 应为日期和时间", "不是时间", '写作 "2026-11-20 23:10"'),
    "P013.duration": Text("`{key}` 应为一段时间", "不是一段时间", "写作 30m、24h 或 7d"),
    "P013.period": Text("`{key}` 应为期限", "不是期限", "写作 7y（年）、18m（月）或 90d（天）"),
    "P013.size": Text("`{key}` 应为大小", "不是大小", "写作 500KB 或 20MB"),
    "P013.percent": Text("`{key}` 应为百分比", "不是百分比", "写一个大于 0、不超过 100 的数，不写百分号"),
    "P013.hours": Text("`{key}` 应为时段", "不是时段", '写作 "09:00-18:30"，加上引号'),
    "P013.hours.order": Text("时段在开始之前就结束", "结束早于开始", "先写较早的时间；时段只限同一天之内"),
    "P013.day": Text("`{key}` 最长为一天", "超过一天", "写 24h 或更短"),
    "P013.empty": Text("`{key}` 是空的列表", "没有内容", "至少写一项，或删除这个键"),
    "P013.two": Text("`{key}` 须正好是两个组别", "不是两个", "写作 [one, other]；单向则用 `from` 和 `to`"),
    "P013.timezone": Text("`{key}` 应为时区", "未知的时区", "写作 Asia/Hong_Kong"),
    "P013.name": Text("`{value}` 不能用作名称", "不是名称", "用字母、数字、`-`、`_` 和 `.`，不要有空格"),
    "P013.address": Text(
        "`{key}` 不是存档的地址",
        "不是地址",
        "写作 s3://桶/前缀、smtp://主机:端口/邮箱、smtps://… 或 file:///目录；不含密码",
    ),
    "P013.key": Text("键必须是一段文字", "不是文字", "写作 `key: value`"),
    "P013.other": Text("`{key}` 不能取这个值", "不可用", "参阅指南中关于 `{key}` 的说明"),
    "P014.list": Text("词表只能有 `words` 或 `file` 其中之一", "这个词表", "写其中一个"),
    "P014.columns": Text("`file` 和 `columns` 必须同时出现", "这个词表", "写明哪些列是词语"),
    "P014.stale": Text("只有来自文件的词表才会过时", "这个词表", "删除 `stale_after`，或把词语放进文件"),
    "P014.dates": Text("`dates` 没有写明列", "没有列", "写作 {{ from: COLUMN, until: COLUMN }}，或其中之一"),
    "P014.dated": Text("只有来自文件的词表才有日期列", "没有文件", "删除 `dates`，或把词语放进文件"),
    "P014.calendar": Text(
        "`days: trading` 和 `calendar` 必须同时出现",
        "只有其中之一",
        "两者都写，例如 `days: trading, calendar: XHKG`",
    ),
    "P014.outside": Text(
        "`outside` 既没有写时段，也没有写日子",
        "永远不会在外",
        '写 `hours: "09:00-18:30"`、`days: weekdays`，或两者都写',
    ),
    "P014.condition": Text(
        "这个条件什么也没有写，因此对所有消息都成立", "没有内容", "写一个有值的键，或删除它"
    ),
    "P014.count": Text(
        "没有 `within` 的 `count` 计算找到的次数，但没有要查找的内容",
        "没有可计算的内容",
        "加上 `finds`，或用 `within: 10m` 计算消息数",
    ),
    "P014.late": Text("`if_late` 需要 `decide_within`", "以什么为逾时？", "加上 `decide_within: 30m`"),
    "P014.language": Text("`{key}` 没有任何语言的文字", "没有文字", "写作 {{ en: …, zh: … }}"),
    "P014.rollout": Text("`rollout` 只能有 `groups` 或 `percent` 其中之一", "这个 rollout", "写其中一个"),
    "P014.barrier": Text(
        "隔离要么写 `between`，要么写 `from` 和 `to`",
        "这个隔离",
        "写 `between: [one, other]`，或 `from: one` 和 `to: other`",
    ),
    "P014.keep": Text("保存期只能写 `keep` 或 `preset` 其中之一", "这一项", "写其中一个"),
    "P014.preset": Text("预设已规定从何时起算", "预设已有规定", "删除 `start`，或用 `keep` 写明期限"),
    "P014.lock": Text("只有存储桶能锁定其中的内容", "此处无法锁定", "删除 `object_lock`，或改用 s3:// 地址"),
    "P014.deliver": Text("规则不能同时 `deliver` 和 `{other}`", "两者都在这里", "只保留一个"),
    "P014.nothing": Text(
        "规则没有写明后果", "没有后果", "加上 redact、hold、block、deliver、tag 或 tell_sender"
    ),
    "P014.redact": Text("规则要遮盖，却没有要查找的内容", "没有可遮盖的内容", "写明检测器：`finds: [card]`"),
    "P014.show_match": Text("`show_match` 需要一段文字来显示", "没有文字", "加上 `tell_sender`"),
    "P020": Text(
        "{owner} 要查找 `{name}`，但没有这个检测器", "`detectors:` 下没有定义", "此处的检测器：{choices}"
    ),
    "P020.near": Text(
        "{owner} 要查找 `{name}`，但没有这个检测器",
        "`detectors:` 下没有定义",
        "是不是想写 `{guess}`？（第 {line} 行）",
    ),
    "P021": Text(
        "检测器 `{owner}` 用到 `{name}`，但没有这个词表", "`lists:` 下没有定义", "此处的词表：{choices}"
    ),
    "P021.near": Text(
        "检测器 `{owner}` 用到 `{name}`，但没有这个词表",
        "`lists:` 下没有定义",
        "是不是想写 `{guess}`？（第 {line} 行）",
    ),
    "P022": Text("{owner} 提到 `{name}`，但没有这个组别", "`groups:` 下没有定义", "此处的组别：{choices}"),
    "P022.near": Text(
        "{owner} 提到 `{name}`，但没有这个组别",
        "`groups:` 下没有定义",
        "是不是想写 `{guess}`？（第 {line} 行）",
    ),
    "P023.rule": Text("两条规则的 id 都是 `{name}`", "重复使用", "换一个 id；第一条在第 {line} 行"),
    "P023.policy": Text("两个文件都叫 `{name}`", "重复使用", "换一个名称；第一个文件是 {file}"),
    "P023.id": Text("`{name}` 在本文件中已用作 id", "重复使用", "换一个 id；第一次用在第 {line} 行"),
    "P024.missing": Text("无法读取词表文件 `{path}`", "找不到", "路径从策略文件所在的文件夹算起"),
    "P024.outside": Text(
        "词表文件 `{path}` 不在策略文件旁边", "指向别处", "把词表放在策略文件所在的文件夹，路径中不用 `..`"
    ),
    "P024.column": Text("词表文件 `{path}` 没有 `{name}` 这一列", "没有这一列", "文件中的列：{choices}"),
    "P024.column.near": Text(
        "词表文件 `{path}` 没有 `{name}` 这一列", "没有这一列", "是不是想写 `{guess}`？"
    ),
    "P024.empty": Text("词表 `{name}` 没有词语", "没有词语", "加上词语，或删除这个词表"),
    "P024.encoding": Text(
        "词表文件 `{path}` 不是 UTF-8 文本", "这个文件", "另存为 UTF-8（在 Excel 中选“CSV UTF-8”）"
    ),
    "P024.csv": Text("词表文件 `{path}` 不是 CSV", "这个文件", "另存为 CSV，第一行写各列的名称"),
    "P024.cells": Text(
        "词表文件 `{path}` 第 {line} 行有 {found} 格，首行有 {wanted} 格",
        "这个文件",
        "含逗号的一格用双引号括起来，每一列都要有",
    ),
    "P024.twice": Text("词表文件 `{path}` 有两列都叫 `{name}`", "这个文件", "各列用不同的名称"),
    "P024.invisible": Text("词语中没有可见的字符", "这个词", "删除它"),
    "P024.long": Text("词表文件 `{path}` 中有超过 {limit} 个字符的词", "这个文件", "缩短这个词"),
    "P024.date": Text(
        "词表文件 `{path}` 第 {line} 行的 `{value}` 不是日期", "这一列应为日期", "日期写作 2027-01-31"
    ),
    "P024.order": Text(
        "词表文件 `{path}` 第 {line} 行在开始之前就结束", "这些列", "把较早的日期写在 `from` 的列里"
    ),
    "P025": Text(
        "`unless_words` 提到 `{word}`，但它不在这个词表中",
        "不在词表中",
        "先写词表中的一个词，后面写含有它而无须理会的较长词语",
    ),
    "P025.longer": Text(
        "`{longer}` 不含 `{word}`，不可能使它成为无须理会的词", "不含这个词", "写一个含有 `{word}` 的较长词语"
    ),
    "P026": Text("例外 `{name}` 已于 {day} 到期", "已过去", "删除它，或用新的日期重新批准"),
    "P027": Text(
        "{owner} 提到 `{name}`，但本文件没有这条规则或隔离", "这里没有这个 id", "此处的规则和隔离：{choices}"
    ),
    "P027.near": Text(
        "{owner} 提到 `{name}`，但本文件没有这条规则或隔离",
        "这里没有这个 id",
        "是不是想写 `{guess}`？（第 {line} 行）",
    ),
    "P028": Text(
        "没有名为 `{name}` 的预设",
        "没有这个预设",
        "从 docs/retention-presets.md 中选一个，或用 `keep: 7y` 写明期限",
    ),
    "P028.near": Text("没有名为 `{name}` 的预设", "没有这个预设", "是不是想写 `{guess}`？"),
    "P030": Text(
        "规则 `{rule}` 已执行，但没有测试显示它起作用",
        "没有见过它起作用",
        "加一个测试，显示它遮盖、暂缓或拦截",
    ),
    "P031.detector": Text("没有规则用到检测器 `{name}`", "未使用", "写进 `finds`，或删除它"),
    "P031.list": Text("没有检测器用到词表 `{name}`", "未使用", "用在检测器里，或删除它"),
    "P031.group": Text("没有规则用到组别 `{name}`", "未使用", "用在规则里，或删除它"),
    "P032": Text(
        "规则 `{rule}` 改变不了任何结果：规则 `{other}` 已涵盖它",
        "已被涵盖",
        "删除它，或收窄 `{other}`（第 {line} 行）",
    ),
    "P033": Text("规则 `{rule}` 没有写明依据", "没有 `because`", "加上 `because:`，写明法规或内部备忘"),
    "P034": Text("`{word}` 只有一个汉字，会在许多词里出现", "一个字", "用更长的词"),
    "P035": Text(
        "规则 `{rule}` 暂缓消息，但没有时限",
        "没有时限",
        "加上 `decide_within: 30m` 和 `if_late: escalate`（或 `block`）",
    ),
    "P036.rule": Text("规则 `{name}` 原定在 {day} 前复核", "应当复核", "重新检视，然后写一个较晚的日期"),
    "P036.list": Text("词表 `{name}` 原定在 {day} 前复核", "应当复核", "重新检视，然后写一个较晚的日期"),
    "P037": Text("例外 `{name}` 将于 {day} 到期", "即将到期", "如仍有需要，重新批准"),
    "P038.group": Text("组别 `{name}` 里没有人", "没有人", "在 `symphony` 下加地址，或在 `weixin` 下加标签"),
    "P038.symphony": Text(
        "`{name}` 在 Symphony 中不会是任何人", "没有这样的人", "写地址、带 `*` 的地址，或用户编号"
    ),
    "P038.weixin": Text(
        "`{name}` 在微信中不会是任何人", "没有这样的人", '写标签（"tag:客户"）或外部联系人编号'
    ),
    "P038.for": Text(
        "没有名为 `{name}` 的组别，因此当作个人的标识",
        "不是组别",
        "是不是想写组别 `{guess}`？（第 {line} 行）",
    ),
    "P038.unless": Text(
        "规则 `{rule}` 的 `unless` 针对另一方向，永远不适用", "永远不适用", "删除它，或写 `when` 的方向"
    ),
    "P038.rollout": Text(
        "规则 `{rule}` 没有执行，`rollout` 没有作用", "没有作用", "写 `mode: enforce`，或删除 `rollout`"
    ),
    "P038.exception": Text("规则 `{rule}` 已停用，例外 `{name}` 没有作用", "没有作用", "删除这个例外"),
    "P038.only": Text("`{rule}` 不查找词语，`only` 永远不成立", "永远不成立", "删除 `only`"),
    "P038.count": Text(
        "`{key}` 只看这一条消息：以前的消息只按其中找到的内容来计数",
        "以前的消息不看这一项",
        "计数时去掉 `{key}`；如果要的就是这样计数，可以保留",
    ),
    "P038.confidence": Text("没有 `finds`，`confidence` 没有作用", "没有作用", "加上 `finds`，或删除它"),
    "P038.infected": Text("没有病毒扫描，`infected` 没有作用", "没有作用", "加上 `virus_scan: clamav`"),
    "P038.people": Text("`{name}` 会被当作某个人的标识，但它是一个组", "不是人", "写明每个人：地址或标识"),
    "P038.since": Text(
        "诉讼保全 `{name}` 不保留 {day} 之前的记录，而这一天还没有到", "在将来", "写上最早有关系的日期"
    ),
    "P039.calendar": Text(
        "{name} 的休市日只知道到 {year} 年：之后的休市日会算作交易日",
        "只到 {year} 年",
        "更新程序，以取得其后公布的休市日",
    ),
    "P039": Text("词表文件 `{path}` 超过 `stale_after` 未更新：消息会被暂缓", "太旧", "请重新提供这个文件"),
    "P040": Text("这个模式不能用：{problem}", "不可用的模式", "{advice}"),
    "P041": Text("这个模式也会匹配空文字", "匹配空文字", "至少让其中一部分必须出现"),
    "P042": Text("`\\b` 不能像识别字母那样识别汉字", "模式里的 `\\b`", "删除它，改写 `boundary: word`"),
    "P043": Text("`{word}` 包含 `{inner}`，后者已经能找到它", "已被涵盖", "删除它，或删除 `{inner}`"),
    "P043.same": Text(
        "`{word}` 和 `{inner}` 是同一个词", "写了两次", "删除其中之一：全角半角、大小写和繁简没有区别"
    ),
    "P044": Text("`{key}` 没有{language}的文字", "缺少一种语言", "加上 `{tag}:` 和文字"),
    "P045.unless": Text(
        "规则 `{rule}` 永远不会适用：`unless` 排除了所有情况", "全部排除", "使 `unless` 窄于 `when`"
    ),
    "P045.confidence": Text(
        "规则 `{rule}` 永远不会适用：它的检测器都达不到这个把握程度",
        "永远达不到",
        "降低 `confidence`，或提高检测器的把握程度",
    ),
    "P045.barrier": Text(
        "隔离 `{name}` 永远不会起作用：两边的组别不在两个网络上",
        "不在两个网络之间",
        "一边写 Symphony 的人，另一边写微信的人",
    ),
    "P045.excluded": Text(
        "规则 `{rule}` 永远不会适用：`{key}` 和 `{other}` 互相排斥", "不会同时成立", "删除其中之一"
    ),
    "P045.pattern": Text(
        "`{name}` 的模式中的 `{part}` 永远找不到：{why}",
        "永远不会出现",
        "按比对时的文字来写：用 `weighbridge policy try --show-folded` 查看",
    ),
    "P046": Text(
        "`{name}`（{rule}）的期限尚未有人确认", "{keep}，未确认", "请法务人员确认，或用 `keep` 写明期限"
    ),
    "P047": Text(
        "诉讼保全 `{name}` 没有 `since`：这些人的全部记录都会保留", "没有起始日", "加上 `since:` 和起始日"
    ),
    "P048": Text(
        "`{name}` 要求一次写入的介质，但本文件的存档去处都不锁定副本",
        "没有锁定",
        "为某个存档去处写明 `object_lock: governance` 或 `object_lock: compliance`",
    ),
    "P049": Text(
        "没有一类保留期限适用于全部记录：不属于任何一类的记录会无限期保留",
        "只适用于部分记录",
        "在没有 `applies_to` 的文件里加上一项不写 `for`、`direction` 和 `kind` 的期限",
    ),
    "P051": Text("本版本只认得语言版本 1", "另一个语言版本", "写作 `language: 1`"),
    "P060": Text("规则 `{rule}` 的测试没有通过：{problem}", "这个测试", "修改规则或测试"),
    # phrases: words that stand inside other texts
    "none": Text("无"),
    "who.rule": Text("规则 `{name}`"),
    "who.barrier": Text("隔离 `{name}`"),
    "who.exception": Text("例外 `{name}`"),
    "who.section": Text("`{name}`"),
    "language.en": Text("英文"),
    "language.zh": Text("中文"),
    "bound.least": Text("至少 {limit}"),
    "bound.most": Text("最多 {limit}"),
    "re2.open": Text("缺少 )：{fragment}"),
    "re2.closed": Text("多余的 )：{fragment}"),
    "re2.square": Text("缺少 ]：{fragment}"),
    "re2.argument": Text("重复符号前没有内容：{fragment}"),
    "re2.operator": Text("重复符号无效：{fragment}"),
    "re2.size": Text("重复次数无效：{fragment}"),
    "re2.perl": Text("不支持的 Perl 写法：{fragment}"),
    "re2.escape": Text("转义无效：{fragment}"),
    "re2.range": Text("字符范围无效：{fragment}"),
    "dead.space": Text("任何空白都按一个空格比对"),
    "dead.capital": Text("文字按小写字母比对"),
    "dead.character": Text("它会按其他字符比对"),
    "advice.behind": Text("不支持后行断言（look-behind）；改用 `boundary: digits` 或 `boundary: word`"),
    "advice.ahead": Text("不支持先行断言（look-ahead）；改用 `boundary` 或 `context`"),
    "advice.size": Text("最多重复 1000 次，较小的数写在前面"),
    "advice.operator": Text("* + ? {{n}} 每次只用一个；不支持占有型重复"),
    "advice.argument": Text("在 * + 或 ? 之前要有内容；要表示字符本身，写作 \\*"),
    "advice.open": Text("补上右圆括号；要表示字符本身，写作 \\("),
    "advice.closed": Text("删除这个括号；要表示字符本身，写作 \\)"),
    "advice.square": Text("补上右方括号；要表示字符本身，写作 \\["),
    "advice.range": Text("范围从较小的字符写到较大的字符"),
    "advice.escape": Text("没有这种转义（不支持反向引用）；反斜杠本身写作 \\\\"),
    "advice.large": Text("缩短模式，或减少重复的次数"),
    "advice.guide": Text("参阅指南中关于模式的说明"),
    "nothing": Text("无"),
    "trial.outcome": Text("期望 {expected}，实际 {got}"),
    "trial.text": Text("文字“{got}”≠“{expected}”"),
    "trial.would": Text("期望仅监察的规则会 {expected}，实际 {got}"),
    "trial.tags": Text("期望标签 {expected}，实际 {got}"),
    "trial.rule": Text("期望由规则 {expected} 决定，实际 {got}"),
}

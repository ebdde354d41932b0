"""Disguises: how people write a word so that it is not found, and how it is found all the same.

Rules of this file: a disguise is a second form of a folded text, made one character at a time, so that every
character of the form knows the folded character it comes from. A word goes through the same form, and is
looked for there. Each list opts in, because each disguise also meets innocent text: 饲料 sounds like 私聊.
`split` and `initials` are no forms of the text: the word gets more spellings (信 is 亻言, 加微信 is jwx).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice, pairwise, product

from bridge.policy.folding import Span, fold, is_han

PINYIN, SPLIT, SEPARATORS, LOOKALIKE = "pinyin", "split", "separators", "lookalike"
NUMERALS, INITIALS = "numerals", "initials"
KINDS = (PINYIN, SPLIT, SEPARATORS, LOOKALIKE, NUMERALS, INITIALS)
MOST_SPELLINGS = 256  # of one word, split or shortened
FEWEST_INITIALS = 3  # two letters stand for too much

_TONES = frozenset("12345")

# Letters that look like Latin ones, by the shape of their capitals (from Unicode's confusables), and the
# digits and signs that stand for letters. i, l and 1 are one.
_LOOKALIKES = (
    str.maketrans("авсԁеһніјкӏмоԛрѕтуүѵԝх", "abcdehhijkimoqpstyyvwx")
    | str.maketrans("αβεζηικμνορτυχ", "abezhikmnoptyx")
    | str.maketrans("ɑʙᴄᴅᴇꜰɡɢʜıɪɩᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢᴀøđłħŧɵ", "abcdefgghiiijkimnoprstuvwyzaodihto")
    | str.maketrans("0134578l|$@", "oieastbiisa")
    | {0x1F1E6 + place: "abcdefghijkimnopqrstuvwxyz"[place] for place in range(26)}
)

# Numerals that are said one by one (九九八八, 幺三八), plain and as on cheques; folded, so Simplified.
_NUMERALS = {
    ord(sign): str(digit)
    for digit, signs in enumerate(
        ("零〇", "一壹幺弌", "二贰两弍", "三叁弎", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
    )
    for sign in signs
}

# Radicals, and the character that people write for them.
_RADICALS = str.maketrans("亻氵扌讠钅纟忄饣礻衤阝犭刂攵灬艹辶", "人水手言金糸心食示衣耳犬刀文火草走")
# A character and the parts it falls into.
_PARTS = {
    triple[0]: triple[1:]
    for triple in re.findall(
        r"\S+",
        "信亻言 你亻尔 他亻也 们亻门 体亻本 件亻牛 价亻介 任亻壬 何亻可 作亻乍 位亻立 住亻主 低亻氐 但亻旦 "
        "代亻弋 付亻寸 伙亻火 佣亻用 保亻呆 仅亻又 仿亻方 估亻古 伴亻半 使亻吏 "
        "话讠舌 说讠兑 语讠吾 许讠午 评讠平 请讠青 谁讠隹 谈讠炎 记讠己 计讠十 订讠丁 议讠义 训讠川 讲讠井 "
        "诉讠斥 该讠亥 详讠羊 课讠果 诺讠若 诈讠乍 证讠正 讯讠卂 设讠殳 试讠式 谋讠某 认讠人 让讠上 "
        "钱钅戋 银钅艮 铁钅失 钟钅中 针钅十 钉钅丁 铜钅同 销钅肖 错钅昔 "
        "账贝长 财贝才 赌贝者 购贝勾 贿贝有 赂贝各 赚贝兼 败贝攵 则贝刂 贪今贝 货化贝 费弗贝 贷代贝 资次贝 "
        "打扌丁 扣扌口 投扌殳 持扌寺 指扌旨 换扌奂 授扌受 提扌是 护扌户 找扌戈 招扌召 拉扌立 推扌隹 拍扌白 "
        "江氵工 河氵可 法氵去 活氵舌 洗氵先 海氵每 涨氵张 清氵青 池氵也 油氵由 泄氵世 消氵肖 注氵主 流氵㐬 "
        "好女子 妈女马 她女也 姐女且 妹女未 如女口 始女台 姓女生 "
        "林木木 材木才 村木寸 杠木工 极木及 板木反 构木勾 析木斤 标木示 相木目 校木交 样木羊 格木各 机木几 "
        "明日月 时日寸 昨日乍 晚日免 暗日音 吃口乞 听口斤 吧口巴 喝口曷 吗口马 唱口昌 叫口丩 和禾口 知矢口 "
        "红纟工 级纟及 纪纟己 约纟勺 给纟合 结纟吉 绝纟色 统纟充 细纟田 线纟戋 组纟且 终纟冬 续纟卖 综纟宗 "
        "利禾刂 种禾中 秘禾必 租禾且 税禾兑 私禾厶 码石马 破石皮 研石开 矿石广 现王见 玩王元 理王里 球王求 "
        "彩采彡 形开彡 外夕卜 对又寸 双又又 难又隹 欢又欠 观又见 戏又戈 动云力 功工力 助且力 加力口 "
        "期其月 朋月月 肚月土 胜月生 股月殳 政正攵 故古攵 效交攵 放方攵 收丩攵 取耳又 联耳关 职耳只 聊耳卯 "
        "到至刂 删册刂 转车专 软车欠 输车俞 辆车两 较车交 视礻见 社礻土 祝礻兄 神礻申 额客页 领令页 顶丁页 "
        "顺川页 配酉己 酒氵酉 酬酉州 跌足失 跟足艮 跳足兆 路足各 群君羊 鲜鱼羊 除阝余 邮由阝 都者阝 行彳亍 "
        "息自心 忘亡心 急刍心 想相心 票西示 卖十买 男田力 岁山夕 炎火火 灭一火 坏土不 块土夬 地土也 城土成",
    )
}


@functools.cache
def _readings() -> Mapping[int, str]:
    """The usual reading of every Chinese character by its code, as it is typed. Loaded when first wanted."""
    from pypinyin.constants import PINYIN_DICT

    usual = "\n".join(readings.partition(",")[0] for readings in PINYIN_DICT.values())
    return dict(zip(PINYIN_DICT, _typed(usual).split("\n"), strict=True))


def _typed(syllables: str) -> str:
    """Syllables as they are typed without tones: ü is u or v, so all three are u."""
    return re.sub(r"[^\w\n]|[\d_]", "", unicodedata.normalize("NFD", syllables)).replace("v", "u")


@functools.lru_cache(maxsize=1 << 14)  # a file is made ready twice: for its tests, and with the others
def _syllables(word: str) -> tuple[str, ...]:
    """The syllables of a word, read as a word: 行 is xing alone and hang in 银行."""
    from pypinyin import lazy_pinyin

    return tuple(syllable for part in lazy_pinyin(word) if (syllable := _typed(part)))


class Disguise(dict[int, str | None]):
    """One form of a folded text. Maps a character's code to what stands for it, computed when first met.

    What vanishes is None and not "": so Python translates ASCII text ten times as fast.
    """

    def __init__(self, kinds: frozenset[str]) -> None:
        super().__init__()
        self.kinds = kinds
        self._syllables: dict[str, set[frozenset[Span]]] = {}  # where those of a spelling stand in it

    def __missing__(self, code: int) -> str | None:
        self[code] = form = self._form(chr(code)) or None
        return form

    def _form(self, char: str) -> str:
        if PINYIN in self.kinds:
            return _readings().get(ord(char), "") if is_han(char) else _typed(char)
        if NUMERALS in self.kinds:
            return char.translate(_NUMERALS)
        if LOOKALIKE in self.kinds:
            char = char.translate(_LOOKALIKES)
        return char if SEPARATORS not in self.kinds or char.isalnum() else ""

    def of(self, folded: str) -> str:
        """The form of `folded`."""
        return folded.translate(self)

    def origins(self, folded: str) -> list[int]:
        """For each character of `of(folded)`, the index of the character of `folded` it comes from."""
        return [index for index, char in enumerate(folded) for _ in self[ord(char)] or ()]

    def place(self, folded: str, source: Sequence[int], start: int, end: int) -> Span | None:
        """Where in `folded` its form[start:end] stands; None if it is cut out of a character or a number."""
        first, last = source[start], source[end - 1]
        if NUMERALS in self.kinds and self._inside_a_number(folded, start, end):
            return None
        if (start and source[start - 1] == first) or (end < len(source) and source[end] == last):
            return None
        if PINYIN in self.kinds:
            if not self._by_syllables(folded[first : last + 1]):
                return None
            last += folded[last].isascii() and folded[last + 1 : last + 2] in _TONES
        return first, last + 1

    def _by_syllables(self, passage: str) -> bool:
        """Whether every Chinese character in `passage` is one syllable of the word: 先 is not 西安."""
        places, at = set(), 0
        for char in passage:
            length = len(self[ord(char)] or "")
            if is_han(char):
                places.add((at, at + length))
            at += length
        return any(places <= syllables for syllables in self._syllables.get(self.of(passage), ()))

    def _inside_a_number(self, folded: str, start: int, end: int) -> bool:
        """Whether digits go on at either end: 九九八八 in 九九八八七. This form is as long as its text."""
        before = self.of(folded[max(start - 1, 0) : start + 1])
        after = self.of(folded[end - 1 : end + 1])
        return (start > 0 and before.isdigit()) or (len(after) > 1 and after.isdigit())

    def spellings(self, word: str) -> set[str]:
        """The forms under which `word`, folded, is looked for; none if it is too short to be told apart."""
        if PINYIN in self.kinds:
            return self._sounds(word) if sum(map(is_han, word)) > 1 else set()
        if NUMERALS in self.kinds:
            return self._numbers(word)
        return set() if word.isdigit() or not (form := self.of(word)) else {form}

    def _numbers(self, word: str) -> set[str]:
        form = self.of(word)
        return {form} if re.search("[0-9]{2}", form) else set()

    def _sounds(self, word: str) -> set[str]:
        # The text is read by characters, people type words.
        by_character = tuple(syllable for char in word if (syllable := self[ord(char)]))
        readings = [reading for reading in {by_character, _syllables(word)} if len(reading) > 1]
        for reading in readings:
            places = frozenset(pairwise(accumulate(map(len, reading), initial=0)))
            self._syllables.setdefault("".join(reading), set()).add(places)
        return {"".join(reading) for reading in readings}


def forms(kinds: frozenset[str]) -> Iterator[frozenset[str]]:
    """The forms of a text in which a list with these disguises is looked for, besides the plain one."""
    if by_shape := kinds & {SEPARATORS, LOOKALIKE}:
        yield by_shape
    for kind in (PINYIN, NUMERALS):
        if kind in kinds:
            yield frozenset({kind})


def split_spellings(word: str) -> set[str]:
    """`word`, folded, with some or all of its characters written as their parts; not `word` itself."""
    ways = [list(_ways(char)) for char in word]
    written = islice(("".join(way) for way in product(*ways)), MOST_SPELLINGS)
    return set(written) - {word}


def _ways(char: str) -> Iterator[str]:
    yield char
    if parts := _PARTS.get(char):
        yield from dict.fromkeys((fold(parts), fold(parts.translate(_RADICALS))))


def initial_spellings(word: str) -> set[str]:
    """`word`, folded, with some or all of its Chinese characters as the first letters of their syllables.

    All of them only where that leaves enough letters to mean something; never `word` itself.
    """
    readings = [_readings().get(ord(char), "")[:1] if is_han(char) else "" for char in word]
    typed = ((char, initial) if initial else (char,) for char, initial in zip(word, readings, strict=True))
    written = islice(("".join(way) for way in product(*typed)), MOST_SPELLINGS)
    short = "".join(initial or char for char, initial in zip(word, readings, strict=True))
    found = {*written, short} - {word}
    return found if len(short) >= FEWEST_INITIALS else {way for way in found if any(map(is_han, way))}

"""From files to policies: what is read, what is refused, and that nothing ever crashes."""

from __future__ import annotations

import datetime
import json
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_rig import NOW, one_rule, policy_set, weigh, words_rule

from bridge.errors import PolicyError
from bridge.message import Cause, Outcome
from bridge.policy import PolicySet, Source, assemble, check, load, read, render

WITH_LIST = one_rule(
    "w: { type: words, list: ws }",
    "{ direction: both, finds: w }",
    top="lists:\n  ws: { file: lists/ws.csv, columns: [code, name] }\n",
)
CSV = "code,name,note\n700,腾讯,x\n,Tencent,y\n"


def codes(*texts: str | bytes, files: dict[str, bytes] | None = None) -> list[str]:
    """The codes of everything that is said about policies."""
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    _, problems = assemble([Source(f"{n}.yaml", d, files or {}) for n, d in enumerate(data)])
    return [problem.code for problem in problems]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A policy file with a list beside it."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "ws.csv").write_text(CSV, encoding="utf-8-sig")
    path = tmp_path / "desk.yaml"
    path.write_text(WITH_LIST, encoding="utf-8")
    return path


def test_lists_come_from_the_columns_that_are_named(desk: Path) -> None:
    """Words are the cells of the named columns, without empty ones; Excel's byte order mark is no word."""
    policies = load([desk])
    assert weigh(policies, "腾讯").outcome is Outcome.BLOCK
    assert weigh(policies, "buy 700 HK").outcome is Outcome.BLOCK
    assert weigh(policies, "x y code name note").outcome is Outcome.DELIVER


def test_no_link_leads_a_list_out_of_its_folder(desk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What lies elsewhere is not read, so no diagnosis shows it; a link inside the folder is followed."""
    ours = desk.parent / "lists" / "ws.csv"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    elsewhere.write_text("hunter2,x\nhunter2,0\n", encoding="utf-8")
    moved = ours.rename(desk.parent / "moved.csv")
    ours.symlink_to(moved)
    assert weigh(load([desk]), "腾讯").outcome is Outcome.BLOCK
    ours.unlink()
    ours.symlink_to(elsewhere)
    (problem,) = check([desk])
    assert problem.key == "P024.missing" and "hunter2" not in render([problem])


def test_the_hash_covers_the_file_and_its_lists(desk: Path) -> None:
    """One changed character of either changes the hash; nothing else does."""
    first = load([desk]).hashes
    assert load([desk]).hashes == first
    beside = desk.parent / "lists" / "ws.csv"
    beside.write_text(CSV.replace("腾讯", "阿里"), encoding="utf-8-sig")
    second = load([desk]).hashes
    desk.write_text(WITH_LIST.replace("because: b", "because: c"), encoding="utf-8")
    third = load([desk]).hashes
    assert len({first, second, third}) == 3
    assert [name for name, _ in first] == ["p"] and len(first[0][1]) == 64


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    """Loading raises one error with every diagnostic, the missing file among them."""
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(one_rule().replace("severity: high", "severity: hgih"), encoding="utf-8")
    two.write_text(one_rule(name="q").replace("title: t", "titel: t"), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load([one, two, tmp_path / "three.yaml"])
    found = [(Path(p.file).name, p.code) for p in caught.value.problems]
    assert found == [("three.yaml", "P008"), ("one.yaml", "P011"), ("two.yaml", "P010")]
    assert check([one, two, tmp_path / "three.yaml"]) == list(caught.value.problems)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", "缺少 )：(a"),
        ("a**", "重复符号无效：**"),
        ("a{1001}", "重复次数无效：{1001}"),
        ("[z-a]", "字符范围无效：z-a"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said_in_chinese(pattern: str, words: str) -> None:
    """The words of the pattern library are English; those that people meet are translated."""
    text = one_rule(f"card: {{ type: pattern, pattern: '{pattern}' }}")
    (problem,) = assemble([Source("p.yaml", text.encode())])[1]
    assert problem.words("zh-Hans").sentence == f"这个模式不能用：{words}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write into it: it is refused, not read."""
    os.mkfifo(tmp_path / "pipe.yaml")
    os.mkfifo(tmp_path / "list.csv")
    desk = tmp_path / "desk.yaml"
    desk.write_text(WITH_LIST.replace("lists/ws.csv", "list.csv"), encoding="utf-8")
    assert [problem.key for problem in check([tmp_path / "pipe.yaml", desk])] == [
        "P008.missing",
        "P024.missing",
    ]


def test_a_policy_with_a_failing_test_does_not_load(tmp_path: Path) -> None:
    """What a file claims about itself must be true before it decides about others."""
    path = tmp_path / "p.yaml"
    path.write_text(one_rule() + "    tests: [{ given: hello, expect: block }]\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load([path])
    assert [problem.code for problem in caught.value.problems] == ["P060"]


def test_warnings_do_not_stop_a_policy(tmp_path: Path) -> None:
    """A rule without tests loads, and says so."""
    path = tmp_path / "p.yaml"
    path.write_text(one_rule(), encoding="utf-8")
    assert [warning.code for warning in load([path]).warnings] == ["P030"]


def test_two_files_cannot_have_one_name() -> None:
    """A name says which policy decided; it must be one."""
    assert "P023" in codes(one_rule(), one_rule())


def test_what_is_overdue_is_said_to_who_asks(tmp_path: Path) -> None:
    """Loading knows no day; checking is told one, and an exception that has ended is then an error."""
    ended = "exceptions: [{ id: e, rule: rule, for: x, expires: 2026-01-04, approved_by: y, because: z }]\n"
    path = tmp_path / "p.yaml"
    path.write_text(one_rule() + ended, encoding="utf-8")
    assert [problem.code for problem in check([path], NOW)] == ["P030", "P026"]
    assert [warning.code for warning in load([path]).warnings] == ["P030"]


def test_a_barrier_needs_fresh_lists_too() -> None:
    """A wall that looks for words is enforced by itself: its list must not grow old unnoticed."""
    wall = (
        "barriers: [{ id: wall, between: [a, b], finds: w }]\n"
        "groups: { a: { symphony: x@bank.example }, b: { weixin: y } }\n"
    )
    aging = WITH_LIST.replace("columns:", "stale_after: 24h, columns:")
    text = wall + aging.replace("    when:", "    mode: off\n    when:")
    (policy,) = policy_set(text, files={"lists/ws.csv": CSV}).policies
    assert policy.draft.expires == {"ws": None}


def test_a_list_that_is_too_old_holds(desk: Path) -> None:
    """Messages wait from the moment the file is older than allowed; a fresh file lets them pass again."""
    desk.write_text(WITH_LIST.replace("columns:", "stale_after: 24h, columns:"), encoding="utf-8")
    day = datetime.timedelta(days=1)
    for written, late in ((NOW - day, False), (NOW - day - datetime.timedelta(seconds=1), True)):
        os.utime(desk.parent / "lists" / "ws.csv", (written.timestamp(), written.timestamp()))
        verdict = weigh(load([desk]), "hello")
        assert (verdict.outcome is Outcome.HOLD) is late
        assert (verdict.cause is Cause.FAILURE) is late
        assert verdict.reason == ("list p/ws is out of date" if late else "")


@pytest.mark.parametrize(
    ("more", "holds"),
    [("", True), ("    mode: monitor\n", False), ("    mode: off\n", False)],
)
def test_a_list_of_unknown_age_holds_where_it_is_enforced(more: str, holds: bool) -> None:
    """Nobody knows how old it is: that is a failure, but not for a rule that affects nobody."""
    aging = WITH_LIST.replace("columns:", "stale_after: 24h, columns:")
    text = aging.replace("    when:", f"{more}    when:")
    policies = policy_set(text, files={"lists/ws.csv": CSV})
    assert (weigh(policies, "hello").outcome is Outcome.HOLD) is holds
    strict = policy_set("defaults: { on_error: block }\n" + text, files={"lists/ws.csv": CSV})
    assert (weigh(strict, "hello").outcome is Outcome.BLOCK) is holds


def test_the_tests_of_a_policy_do_not_grow_old(desk: Path) -> None:
    """A stale list holds messages; it does not make the policy's own tests fail."""
    tests = "    tests: [{ given: 腾讯, expect: block }]\n"
    desk.write_text(WITH_LIST.replace("columns:", "stale_after: 1m, columns:") + tests, encoding="utf-8")
    os.utime(desk.parent / "lists" / "ws.csv", (0, 0))
    assert check([desk]) == []
    assert weigh(load([desk]), "hello").cause is Cause.FAILURE


def test_upkeep_of_a_list_is_written_down() -> None:
    """Owner, languages and review date are part of a list."""
    upkeep = "owner: o@bank.example, languages: [en, zh-Hans], review_by: 2027-01-31"
    (policy,) = policy_set(words_rule("腾讯").replace("] }", f"], {upkeep} }}")).policies
    written = policy.model.lists["ws"]
    assert (written.owner, written.languages) == ("o@bank.example", ("en", "zh-Hans"))
    assert written.review_by == datetime.date(2027, 1, 31)


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "a/../../b.csv"])
def test_only_files_beside_the_policy_are_read(tmp_path: Path, name: str) -> None:
    """A list that leads out of the folder is refused and its file never opened."""
    path = tmp_path / "in" / "p.yaml"
    path.parent.mkdir()
    (tmp_path / "secret.csv").write_text("name\nx\n")
    path.write_text(WITH_LIST.replace("lists/ws.csv", name), encoding="utf-8")
    sources, problems = read([path])
    assert sources[0].files == {} and not problems
    assert [problem.key for problem in check([path])] == ["P024.outside"]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\xff\xfe", "P024.encoding"),
        ("代码,名称\n".encode("gbk"), "P024.encoding"),
        (b'code,name\n"1,2\n', "P024.csv"),
        (b"code,name\n,\n", "P024.empty"),
        (b"", "P024.column"),
        (b"code,name\n" + b"x" * 101 + b",y\n", "P024.long"),
        ("code,name\n\u200b,y\n".encode(), "P024.invisible"),
    ],
)
def test_unusable_list_files_are_explained(data: bytes, key: str) -> None:
    """Encoding, form, columns and emptiness each have their own sentence."""
    _, problems = assemble([Source("p.yaml", WITH_LIST.encode(), {"lists/ws.csv": data})])
    assert {problem.key for problem in problems} == {key}


@pytest.mark.parametrize(
    ("data", "place"),
    [(one_rule().encode("utf-16"), (1, 1)), (b"policy: p\ntitle: " + "腾讯".encode("gbk"), (2, 8))],
)
def test_other_encodings_are_pointed_at(data: bytes, place: tuple[int, int]) -> None:
    """The first byte that is not UTF-8 is named by line and column."""
    _, problems = assemble([Source("p.yaml", data)])
    assert [(p.key, p.place[:2]) for p in problems] == [("P008.encoding", place)]


def test_a_file_too_large_is_not_read() -> None:
    """Reading a huge file would stall the reload."""
    assert codes(b"#" * (5 << 20)) == ["P008"]


def test_yaml_never_types_a_word() -> None:
    """Every word of a list is what was written, whatever YAML would make of it."""
    words = ["'股0700'", "NO", "ON", "18:30", "1_000", "~", "2026-11-20", "0x1F", "null"]
    text = one_rule(
        "w: { type: words, list: ws }",
        "{ direction: both, finds: w }",
        top=f"lists:\n  ws: {{ words: [{', '.join(words)}] }}\n",
    )
    policies = policy_set(text)
    for word in words:
        assert weigh(policies, f"x {word.strip(chr(39))} x").outcome is Outcome.BLOCK, word
    assert weigh(policies, "x 448 False True 1110 1000 31 x").outcome is Outcome.DELIVER


# --- nothing crashes ------------------------------------------------------------------------------------

VALID = (Path(__file__).parents[2] / "policies" / "firm-wide.yaml").read_text(encoding="utf-8")


def survives(text: str) -> None:
    """`text` becomes policies or diagnostics that can be shown, never an exception."""
    source = Source("p.yaml", text.encode("utf-8", "surrogatepass"), {"lists/ws.csv": CSV.encode()})
    policies, problems = assemble([source], NOW)
    assert isinstance(policies, PolicySet) or problems
    assert all(str(problem) and problem.words().help is not None for problem in problems)


@given(st.text())
def test_no_text_crashes_the_loader(text: str) -> None:
    """Any Unicode at all."""
    survives(text)


KEYS = [
    *("rules", "detectors", "lists", "groups", "when", "then", "unless", "tests", "finds", "direction"),
    *("type", "words", "list", "id", "title", "severity", "redact", "hold", "tell_sender", "given", "expect"),
    *("pattern", "context", "file", "columns", "stale_after", "unless_words", "evasion", "review_by"),
    *("confidence", "within", "countries", "regions", "coins", "brands", "languages"),
]
VALUES = [
    "",
    "x",
    "passport",
    "phone",
    "pinyin",
    "24h",
    "zh",
    "true",
    "both",
    "card",
    "1",
    "腾讯",
    "[",
    "\\b",
    "payment_card",
    "\x85",
]
TREE = st.recursive(
    st.sampled_from(VALUES) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=25,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from(["rules", "detectors", "lists", "groups", "defaults", "title"]), TREE))
def test_no_tree_crashes_the_loader(tree: dict[str, object]) -> None:
    """The language's own keys in any order and nesting, with any values, also JSON's surrogates."""
    survives(json.dumps({"policy": "p", "language": "1", "title": "t", "owner": "o", **tree}))


EVERYTHING = """\
policy: p
language: 1
title: t
owner: o@bank.example
timezone: Asia/Hong_Kong
applies_to: { groups: desk }
defaults: { mode: enforce, unmatched: deliver, unpaired: hold, on_error: hold }
groups: { desk: { symphony: ["*@bank.example"] }, clients: { weixin: ["tag:客户"] } }
lists:
  ws: { file: lists/ws.csv, columns: [code, name], dates: { until: note }, stale_after: 24h }
  own: { words: [内幕消息, 并购], unless_words: { 并购: 合并购买 }, evasion: [pinyin], review_by: 2027-01-31 }
detectors:
  w: { type: words, list: [ws, own], context: { words: [股], within: 9, messages: 2 } }
  x: { type: pattern, pattern: '88[0-9]{8}', boundary: digits, confidence: { alone: low } }
barriers:
  - { id: wall, between: [desk, clients], finds: w, then: hold, because: b }
  - { id: way, from: desk, to: clients }
rules:
  - id: r
    title: t
    because: b
    severity: high
    mode: monitor
    rollout: { percent: 12.5 }
    review_by: 2027-01-31
    when: { direction: to_weixin, finds: [w, x], any: [{ sender: a@bank.example }, { edited: true }] }
    unless:
      outside: { hours: "09:00-18:30", days: trading, calendar: XHKG }
      count: { at_least: 2, within: 1h }
    then:
      redact: { keep_last: 4 }
      tag: t
      notify: b@bank.example
      tell_sender: { en: x, zh: y }
      show_match: true
    tests: [{ given: [a, b], at: "2026-11-20 23:10", kind: text, expect: deliver, tags: [] }]
  - id: s
    title: t
    severity: low
    when: { direction: both, files: { types: [pdf], larger_than: 20MB, name: "*.zip" }, kind: [file, image] }
    then: { hold: { queue: q, decide_within: 15m, if_late: block }, sample: { percent: 10 }, review: all }
attachments: { allow: [pdf], max_size: 20MB, macros: hold, virus_scan: clamav }
kinds: { voice: hold, location: block }
consent: { from: clients, text: { zh: 同意吗 }, until_given: hold, renew_every: 1y }
disclaimers: [{ id: d, direction: both, every: day, for: all, text: { en: x, zh: y } }]
retention: [{ id: house, keep: 7y, for: desk, worm: true, first: 2y }, { preset: hk-sfc-im-order }]
archive: [{ id: a, to: "s3://b/c", object_lock: compliance, region: hk }]
legal_holds: [{ id: h, people: a@bank.example, since: 2026-01-01, approved_by: c@bank.example }]
exceptions:
  - { id: e, rule: r, for: desk, only: [并购], expires: 2026-12-01, approved_by: c@bank.example, because: b }
"""
TOKENS = re.findall(r"\n *|\w+|\s|.", EVERYTHING)


@settings(max_examples=60)
@given(st.data())
def test_no_mixed_up_policy_crashes_the_loader(data: st.DataObject) -> None:
    """A file with every section, whose words are deleted, doubled, exchanged or replaced by one another."""
    tokens = list(TOKENS)
    places = st.integers(0, len(tokens) - 1)
    for _ in range(data.draw(st.integers(1, 3))):
        one, other = data.draw(places), data.draw(places)
        match data.draw(st.sampled_from(["delete", "double", "exchange", "replace"])):
            case "delete":
                tokens[one] = ""
            case "double":
                tokens[one] *= 2
            case "exchange":
                tokens[one], tokens[other] = tokens[other], tokens[one]
            case "replace":
                tokens[one] = tokens[other]
    survives("".join(tokens))


@settings(max_examples=25)
@given(st.one_of(st.binary(max_size=200), st.text().map(str.encode), st.just(VALID.encode())))
def test_loading_raises_one_kind_of_error(data: bytes) -> None:
    """`load` gives policies or raises PolicyError with what `check` says; never anything else."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "p.yaml"
        path.write_bytes(data)
        said = check([path])
        try:
            assert list(load([path]).warnings) == said
        except PolicyError as refused:
            assert list(refused.problems) == said
            assert any(problem.severity == "error" for problem in said)


def test_every_section_at_once_is_without_an_error() -> None:
    """The file that is mixed up is a good one before that."""
    table = {"lists/ws.csv": b"code,name,note\n700,x,2027-01-01\n"}
    policies, problems = assemble([Source("p.yaml", EVERYTHING.encode(), table)])
    assert [problem.key for problem in problems if problem.severity == "error"] == []
    assert policies is not None
    assert policies.policies[0].draft.dates == {
        "ws": {"700": [(None, datetime.date(2027, 1, 1))], "x": [(None, datetime.date(2027, 1, 1))]}
    }


@settings(max_examples=30)
@given(st.data())
def test_no_damaged_policy_crashes_the_loader(data: st.DataObject) -> None:
    """A good file with a piece cut out, doubled or replaced."""
    start = data.draw(st.integers(0, len(VALID)))
    end = data.draw(st.integers(start, min(len(VALID), start + 60)))
    piece = data.draw(
        st.sampled_from(["", VALID[start:end] * 2, "：", "\t", "*x", "&x ", "{", "]", "'", "\n", "\n  "])
    )
    survives(VALID[:start] + piece + VALID[end:])

"""Queries: what they mean for one message, how they are written, and what they say about themselves."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proportion import in_proportion
from specimens import DOCUMENTS, HONG_KONG, LI_LEI, NOW, QUERIES, Specimen, ask, decided, finds, wrote

from bridge.errors import QueryError
from bridge.message import Match, Outcome
from bridge.search.document import Attached, Decided, Held, Span
from bridge.search.query import parse

ALL_SORTS = wrote(
    "騰訊 (0700.HK) 明日有公告。iPhone15手机 don't tell anybody 😀",
    permitted="*** (0700.HK) 明日有公告",
    quote="A股怎么样？",
    files=(Attached("季报 final.pdf", "file", 1_200_000, "ab12cd34" * 8),),
    decisions=(
        decided(
            Outcome.REDACT,
            Match("desk", "mnpi", "", Outcome.REDACT, detectors=("issuer",)),
            Match("desk", "gambling", "", Outcome.BLOCK, enforced=False),
            tags=("ipo",),
        ),
        Decided(9, decided().verdict, "carol@bank.example", "checked with the issuer"),
    ),
    held=Held("released", "compliance", 1, 5, 3),
    state="released",
)


@pytest.mark.parametrize(
    "query",
    [
        "腾讯", "騰訊", "讯", 'text:="騰訊"', "公告 明日", '"明日有公告"', "0700.hk", "0700", "iphone15",
        "IPHONE15手机", "手机", "don't", "don’t", "ＴＥＬＬ", "tel*", "😀", '"tell anybody"',
        "near(tell,anybody,1)", "near(anybody,tell,1)", "near(公告,0700,7)", "orig:tell -sent:tell",
        "quote:A股", "A股", "file:季报", "季报.final", "from:alice", "from:WONG",
        "from:alice.wong@bank.example", "from:@bank.example", "to:李", "with:李雷,nobody", "from:=7001",
        "contact:李雷", "actor:carol", "reviewer:carol@bank.example", "group:research", "in:chat",
        "side:symphony", "dir:to_weixin", "kind:text", "type:pdf", "size:>1MB", "size:1MB..2MB",
        "size:<=1.2MB", "lang:zh-hant", "lang:zh lang:en", "action:masked", "action:redact,block",
        "would:block", "rule:mnpi", "rule:desk/gambling", "detector:issuer", "tag:ipo", "policy:desk",
        "policy:ab12cd34ab12", "is:released", "is:late", "-is:held", "has:attachment", "has:mask",
        "has:note", 'reason:"with the issuer"', "during:today", "during:2026-11-22", "at:2026-11-22T17:30",
        "after:2026-11 before:2026-12", "at:2026-11-20..", "at:>2026-10", "during:this-week",
        "during:2026-W47", "during:2026Q4", "during:last-1h", "hour:9..18", "day:sun", "day:sat..mon",
        "tz:UTC at:2026-11-22T09:30", "at:2026-11-22T09:30Z", "id:12", "id:10..12", "id:msg-1", "seq:40",
        "seq:0/30..", "hash:9f86d081884c", "hash:ab12cd34", "腾讯 OR nothing", "-(nothing OR 内幕)",
        "NOT nothing", "from：alice，bob", "（腾讯 OR 内幕） “明日有”", "「明日有公告」",
        "from:bob OR (to:李 AND 公告)", "",
    ],
)  # fmt: skip
def test_finds(query: str) -> None:
    """What each part of the language finds in one message that has a bit of everything."""
    assert finds(query, ALL_SORTS)


@pytest.mark.parametrize(
    "query",
    [
        "腾讯控股", 'text:="腾讯"', "text:=Tell", "tel", "phone15", "iphone15手表", '"anybody tell"',
        "near(公告,0700,4)", "sent:tell", "quote:公告", "from:ali", "from:bob", "from:=alice", "to:alice",
        "from:@bank", "contact:alice", "side:weixin", "kind:image", "type:docx", "size:>2MB", "size:=1MB",
        "lang:zh-hans", "lang:ja", "would:hold", "rule:mnp", "is:held", "is:notice", "has:quote -has:mask",
        "consent:missing", "during:yesterday", "before:2026-11-22", "at:>2026-11-22", "hour:18..08",
        "day:weekday", "id:13", "id:<12", "seq:41..", "seq:1/40", "hash:00000000", "-公告", "腾讯 -腾讯",
        "in:cha", "inside:公告",
    ],
)  # fmt: skip
def test_does_not_find(query: str) -> None:
    """Words are whole, order and distance count, and what is excluded is out."""
    assert not finds(query, ALL_SORTS)


@settings(max_examples=80, deadline=None)
@given(QUERIES, DOCUMENTS)
def test_the_canonical_text_reads_back_as_the_same_query(text: str, document: Specimen) -> None:
    """`str()` loses nothing, and reading it again changes nothing."""
    query = ask(text)
    again = ask(str(query))
    assert again == query
    assert str(again) == str(query)
    assert again.accepts(document) == query.accepts(document)


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.sampled_from('ab内騰 "“”「」()（）:：,，-*.<>=\\\n near OR'), max_size=30)
    | st.text(max_size=30)
)
def test_whatever_is_written_is_read_or_explained(text: str) -> None:
    """Nothing but `QueryError` comes out, with its places inside of the text."""
    try:
        assert ask(str(ask(text))) == ask(text)
    except QueryError as error:
        assert error.problems
        for problem in error.problems:
            assert 0 <= problem.start <= problem.end <= len(text)
            assert problem.lines()


def test_all_problems_are_told_at_once() -> None:
    """Every mistake, in the order of the text."""
    with pytest.raises(QueryError) as caught:
        ask('form:alice during:yestreday is:helt (内幕 "x')
    assert [one.code for one in caught.value.problems] == ["Q020", "Q030", "Q023", "Q011", "Q010"]


def test_an_unknown_qualifier_is_never_a_text_search() -> None:
    """A misspelt name is an error with the right one; a link is told to go into quotes."""
    with pytest.raises(QueryError) as caught:
        ask("form:alice")
    assert caught.value.problems[0].suggestions[0] == "from:"
    with pytest.raises(QueryError) as caught:
        ask("https://bank.example/x")
    assert '"https://bank.example/x"' in caught.value.problems[0].text.help
    assert finds('"https://bank.example/x"', wrote("see https://bank.example/x"))


@pytest.mark.parametrize("name", ["case", "hold", "export", "region", "event", "py", "desk", "severity"])
def test_what_comes_later_says_so(name: str) -> None:
    """A qualifier of a later version is neither text nor a spelling mistake."""
    with pytest.raises(QueryError) as caught:
        ask(f"{name}:x")
    assert caught.value.problems[0].code == "Q021"
    with pytest.raises(QueryError) as caught:
        ask("is:on-hold")
    assert caught.value.problems[0].code == "Q042"


def test_names_that_nobody_has_are_refused_if_somebody_knows_better() -> None:
    """The directory is asked about names, and not about a name that is marked as exact."""
    asked = []

    def near(name: str, value: str) -> list[str]:
        asked.append((name, value))
        return ["alice"] if value == "alcie" else []

    with pytest.raises(QueryError) as caught:
        parse("from:bob,alcie", NOW, HONG_KONG, near)
    assert caught.value.problems[0].suggestions == ("alice",)
    assert asked == [("from", "bob"), ("from", "alcie")]
    parse("from:=alcie", NOW, HONG_KONG, near)
    assert len(asked) == 2


def test_the_span_is_what_time_and_numbers_allow() -> None:
    """Joined conditions narrow it, alternatives widen it, what is excluded leaves it alone."""
    assert ask("after:2026-11 before:2026-12 a").span == ask("during:2026-11").span
    assert ask("during:2026-10 OR during:2026-11").span == ask("at:2026-10..2026-11").span
    assert ask("id:5..9 id:7..12").span == Span(first=7, last=9)
    assert ask("during:2026-10 OR a").span == Span() == ask("-during:2026-10").span


def test_without_names_each_condition_as_it_was_written() -> None:
    """Advice for a search that found nothing: leave one out."""
    query = ask("from：alice  -(a OR b) 「内幕」 limit:7")
    assert [source for source, _ in query.without()] == ["from：alice", "-(a OR b)", "「内幕」"]
    assert [str(other) for _, other in query.without()] == [
        "-(a OR b) 内幕 limit:7",
        "from:alice 内幕 limit:7",
        "from:alice -(a OR b) limit:7",
    ]


def test_the_shape_of_the_answer() -> None:
    """Order, number and zone are taken from wherever they stand, once."""
    query = ask("a OR b sort:oldest limit:5 tz:UTC")
    assert (query.newest_first, query.limit, str(query)) == (False, 5, "(a OR b) tz:UTC sort:oldest limit:5")
    assert (ask("a").newest_first, ask("a").limit) == (True, 50)
    for wrong, code in (
        ("-limit:5", "Q036"),
        ("limit:5 limit:6", "Q037"),
        ("limit:0", "Q038"),
        ("sort:x", "Q023"),
    ):
        with pytest.raises(QueryError) as caught:
            ask(wrong)
        assert caught.value.problems[0].code == code


def test_what_no_index_can_help_with_is_known() -> None:
    """A search by a beginning alone opens every message of its time; with a word beside it, it does not."""
    assert ask("inform*").needs_scan
    assert ask("hour:18..08 during:today").needs_scan
    assert not ask("inform* 内幕").needs_scan
    assert not ask("").needs_scan
    assert not ask("-a during:today").needs_scan


def test_highlights_are_places_of_the_original() -> None:
    """Characters of the text as it was written, whatever folding did to it."""
    text = "ＴＥＮＣＥＮＴ 騰訊 caf\u0065\u0301 騰訊"
    found = ask("腾讯 tencent café -nothing").highlights(wrote(text, permitted="騰訊"))
    assert [text[start:end] for start, end in found["text"]] == [
        "ＴＥＮＣＥＮＴ",
        "騰訊",
        "cafe\u0301",
        "騰訊",
    ]
    assert found["sent"] == [(0, 2)]
    assert "quote" not in found


def test_highlights_merge_and_leave_out_what_is_excluded() -> None:
    """Overlapping finds are one place; what a query excludes is never shown."""
    assert ask("内幕 幕消 -公告").highlights(wrote("内幕消息 公告", reader=LI_LEI)) == {"text": [(0, 3)]}


@pytest.mark.parametrize(
    ("hostile", "code"),
    [("(" * 4000, "Q002"), ("a " * 2000, "Q003"), ("x" * 5000, "Q001"), ("from:" + "a," * 300 + "a", "Q003")],
)
def test_hostile_queries_are_refused(hostile: str, code: str) -> None:
    """Length, depth and number of terms have limits, and clear words about them."""
    with pytest.raises(QueryError) as caught:
        ask(hostile)
    assert code in {one.code for one in caught.value.problems}


@pytest.mark.parametrize("piece", ['"a" ', "-a ", "a* ", "a,", "\\", "a OR ", "内", "near(a,b) ", '"\\"" '])
def test_reading_takes_time_in_proportion(piece: str) -> None:
    """Up to the longest that is read at all, whatever it is made of."""

    def read(size: int) -> None:
        with contextlib.suppress(QueryError):
            ask((piece * size)[:size])

    in_proportion(read, 4096)


@pytest.mark.parametrize(
    "text", ["a " * 50_000, "a" + " " * 100_000, "-" * 100_000, "内" * 100_000, "😀" * 100_000]
)
@pytest.mark.parametrize("query", ['"a b"', "near(a,b,9)", '"内 幕"', '"😀 a"', "内幕", '"a a a b"'])
def test_long_texts_are_searched_in_proportion(text: str, query: str) -> None:
    """No text makes a search slow: patterns never go back."""
    in_proportion(lambda size: finds(query, wrote(text[:size])), len(text))

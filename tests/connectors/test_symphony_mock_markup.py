"""What the mock agent makes of MessageML: PresentationML, data, refusals; and what a page may show."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.symphony.mock.markup import (
    CLOSING,
    MAX_TEXT_CHARACTERS,
    OPENING,
    MarkupError,
    Person,
    plain_text,
    present,
    safe_html,
    written,
)

ALICE = Person(7, "Alice Wong")


def find(attribute: str, value: str) -> Person | None:
    return ALICE if (attribute, value) in (("uid", "7"), ("email", "alice.wong@bank.example")) else None


def inner(message: str, data: str | None = None) -> str:
    """The presentation of a MessageML text, without the frame."""
    presentation, _ = present(message, data, find)
    return presentation.removeprefix(OPENING).removesuffix(CLOSING)


@pytest.mark.parametrize(
    ("messageml", "presentation"),
    [
        ("<messageML>hello 李雷 😀</messageML>", "hello 李雷 😀"),
        ("<messageML> </messageML>", " "),
        ("<messageML>a &lt; b &amp; c</messageML>", "a &lt; b &amp; c"),
        ("<messageML>&#36;{x} &#35;{y}</messageML>", "${x} #{y}"),
        ("<messageML><b>a</b><br/>c</messageML>", "<b>a</b><br/>c"),
        ("<messageML><a href=\"https://bank.example/?a=1&amp;b=2\">x</a></messageML>",
         '<a href="https://bank.example/?a=1&amp;b=2">x</a>'),
        ("<messageML><table><tr><td>1</td></tr></table></messageML>", "<table><tr><td>1</td></tr></table>"),
        ("<messageML><card><body>x</body></card></messageML>",
         '<div class="card"><div class="cardBody">x</div></div>'),
        ("<messageML><emoji shortcode=\"nosuch\"/></messageML>",
         '<span class="entity" data-entity-id="emoji1">:nosuch:</span>'),
    ],
)  # fmt: skip
def test_messageml_becomes_presentationml(messageml: str, presentation: str) -> None:
    """The subset of tags a bridge meets is rendered; texts stay the texts they were."""
    assert inner(messageml) == presentation


def test_entities_are_spans_whose_details_are_in_the_data() -> None:
    """Mentions, tags and emoji are numbered by kind and described beside the caller's own data."""
    text, data = present(
        '<messageML><mention uid="7"/> <mention email="alice.wong@bank.example"/> <hash tag="fx"/> '
        '<cash tag="UBSG"/> <emoji shortcode="smiley"/></messageML>',
        '{"bridge": {"id": "1"}}',
        find,
    )
    assert plain_text(text) == "@Alice Wong @Alice Wong #fx $UBSG 😃"
    entities = json.loads(data or "")
    assert set(entities) == {"bridge", "mention1", "mention2", "keyword1", "keyword2", "emoji1"}
    assert entities["mention1"]["id"] == [{"type": "com.symphony.user.userId", "value": "7"}]
    assert entities["keyword2"]["id"][0] == {
        "type": "org.symphonyoss.fin.security.id.ticker",
        "value": "UBSG",
    }
    assert entities["emoji1"]["data"]["unicode"] == "😃"


@pytest.mark.parametrize(
    ("messageml", "data", "why"),
    [
        ("hello", None, "Invalid messageML"),
        ("<messageML>a & b</messageML>", None, "Invalid messageML"),
        ("<messageML>\x07</messageML>", None, "Invalid messageML"),
        ("<div>x</div>", None, "root tag"),
        ("<messageML>${user}</messageML>", None, "Freemarker"),
        ("<messageML><b>#{1}</b></messageML>", None, "Freemarker"),
        ("<messageML><script>x</script></messageML>", None, 'element "script"'),
        ('<!DOCTYPE x [<!ENTITY e "e">]><messageML>&e;</messageML>', None, "Invalid messageML"),
        ('<messageML><mention uid="8"/></messageML>', None, "lookup user 8"),
        ('<messageML><hash tag="a b"/></messageML>', None, "attribute"),
        ('<messageML><span data-entity-id="x1">x</span></messageML>', "{}", "no entity data"),
        ("<messageML>x</messageML>", "[1]", "not an object"),
        ("<messageML>x</messageML>", "{", "EntityJSON"),
        ("<messageML></messageML>", None, "empty"),
        ("<messageML><b>" + "x" * (MAX_TEXT_CHARACTERS + 1) + "</b></messageML>", None, "longer"),
        ("<messageML>" + "x" * 1_500_001 + "</messageML>", None, "total-size"),
        ("<messageML>" + '<hash tag="a"/>' * 81 + "</messageML>", None, "entities"),
    ],
)
def test_what_the_agent_would_refuse_is_refused_with_a_reason(
    messageml: str, data: str | None, why: str
) -> None:
    """Broken XML, template expressions, unknown tags, people and entities, and sizes over the limits."""
    with pytest.raises(MarkupError, match=why):
        present(messageml, data, find)


def test_presentationml_is_taken_as_it_is() -> None:
    """A caller may send PresentationML with its data instead of MessageML."""
    sent = OPENING + '<span class="entity" data-entity-id="m">@x</span>' + CLOSING
    text, data = present(sent, '{"m":{"type":"t"}}', find)
    assert (text, json.loads(data or "")) == (sent, {"m": {"type": "t"}})


# What XML can carry, but for the carriage return, which XML itself turns into a line feed.
XML_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t")
)


@given(XML_TEXT)
def test_what_a_person_types_is_what_a_reader_finds(text: str) -> None:
    """Any text survives the way through PresentationML, which is always well-formed."""
    presentation = written(text)
    ElementTree.fromstring(presentation)
    assert plain_text(presentation) == text


@given(XML_TEXT)
def test_fast_and_full_path_agree(text: str) -> None:
    """Plain text gives the same PresentationML through the fast path as through the parser."""
    escaped = text.replace("&", "").replace("<", "").replace(">", "").replace("{", "") or " "
    slow, _ = present(f"<messageML>{escaped}<!-- not plain --></messageML>", None, find)
    assert present(f"<messageML>{escaped}</messageML>", None, find)[0] == slow


@pytest.mark.parametrize(
    ("presentation", "shown"),
    [
        ('<div><p onclick="x()">a</p></div>', "<p>a</p>"),
        ("<div><script>alert(1)</script></div>", "alert(1)"),
        ('<div><a href="javascript:x">a</a></div>', "a"),
        ('<div><img src="https://elsewhere.example/i.png"/></div>', ""),
        ('<div><style>b{}</style><iframe src="x"/></div>', "b{}"),
        ("<div>&lt;img src=x onerror=y&gt;</div>", "&lt;img src=x onerror=y&gt;"),
        ("<div><b>unclosed</div>", "&lt;div&gt;&lt;b&gt;unclosed&lt;/div&gt;"),
    ],
)
def test_nothing_that_runs_or_loads_reaches_the_page(presentation: str, shown: str) -> None:
    """Only harmless tags without attributes are left for the browser; a broken text is shown as source."""
    assert safe_html(presentation) == shown


def test_a_link_in_the_page_opens_elsewhere_and_tells_nothing() -> None:
    """Web links stay links, without a referrer or a handle on the opening page."""
    shown = safe_html('<div><a href="https://bank.example/a" onclick="x">a</a></div>')
    assert shown == '<a href="https://bank.example/a" rel="noreferrer noopener" target="_blank">a</a>'

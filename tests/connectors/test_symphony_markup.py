"""Markup: what is written can be read, and what strangers wrote is read as people see it."""

from __future__ import annotations

import html

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.symphony import markup
from connectors.symphony.markup import Unreadable, escape, to_text

OPEN = '<div data-format="PresentationML" data-version="2.0" class="wysiwyg">'

# every character of XML 1.0, section 2.2
xml_text = st.text(
    st.characters(exclude_categories=["Cs"]).filter(
        lambda c: c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff")
    )
)


def page(inside: str) -> str:
    return f"{OPEN}{inside}</div>"


@given(xml_text)
@example("${7*7} #{x} &amp; <b> ]]> &#36;{ $\n{ \r\n\r \u2028\x85")
@example("\n\n")
@example(" \t ")
def test_text_survives_the_way_there_and_back(text: str) -> None:
    """Any text that XML can carry is the same after escaping and reading."""
    assert to_text(page(escape(text))) == text


@given(xml_text)
def test_text_survives_inside_our_own_wrapping(text: str) -> None:
    """The division that names our entity changes nothing."""
    inside = f'<div class="entity" data-entity-id="weighbridge">{escape(text)}</div>'
    assert to_text(page(inside)) == text


@given(st.text(st.characters()))
def test_what_is_sent_is_harmless_xml_and_no_template(text: str) -> None:
    """No character of a text becomes a tag, a template expression, or a reason to reject the message."""
    safe = escape(text)
    assert "${" not in safe and "#{" not in safe
    assert "<" not in safe.replace("<br/>", "")
    assert not markup._NOT_XML.search(safe)
    safe.encode()


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\ud800"])
def test_what_xml_cannot_carry_is_visibly_replaced(character: str) -> None:
    """Rather a visible mark than a lost message."""
    assert to_text(page(escape(f"a{character}b"))) == "a\ufffdb"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("one<br/>two", "one\ntwo"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<p>one<br/></p><p>two</p>", "one\ntwo"),
        ("\n  <p>one</p>\n  <p>two</p>\n", "one\ntwo"),
        ("<b>bold</b>\n<i>italic</i>", "bold italic"),
        ("two\n   lines", "two\nlines"),
        ("a&nbsp;b &copy; &#x1F600; &unknown; & c", "a\xa0b © 😀 &unknown; & c"),
        ("<h1>Head</h1>text", "Head\ntext"),
        ("a<hr/>b", "a\n———————————\nb"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "• a\n• b\n  • c"),
        ("<ol><li>a</li><li>b</li></ol>after", "1. a\n2. b\nafter"),
        (
            "<table><thead><tr><th>ISIN</th><th>Price</th></tr></thead>"
            "<tbody><tr><td>X1</td><td>2</td></tr></tbody></table>",
            "ISIN | Price\nX1 | 2",
        ),
        ('<a href="https://bank.example/">https://bank.example</a>', "https://bank.example"),
        ('<a href="https://bank.example/a">our page</a>', "our page (https://bank.example/a)"),
        ('<a href="https://bank.example/a"/>', "https://bank.example/a"),
        ('<a href="mailto:bob.li@bank.example">bob.li@bank.example</a>', "bob.li@bank.example"),
        ("<code>a\n  b</code>", "a\n  b"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ('<img alt="chart" src="x.png"/>', "[Image: chart]"),
        ("<chime/>", "[Chime]"),
        ('<emoji shortcode="smiley"/> <emoji shortcode=":nobody_knows:"/>', "😃 :nobody_knows:"),
        ('<mention email="bob.li@bank.example"/>', "@bob.li@bank.example"),
        ('<hash tag="gold"/> <cash tag="ibm"/>', "#gold $ibm"),
        ("<!-- hidden -->shown", "shown"),
        ("<nobody-knows>inside</nobody-knows>", "inside"),
        ("", ""),
    ],
)
def test_markup_is_read_as_people_see_it(inside: str, text: str) -> None:
    """Structure becomes lines, marks and brackets; no word is lost."""
    assert to_text(page(inside)) == text


@pytest.mark.parametrize(
    ("entity", "shown", "text"),
    [
        ({"type": "com.symphony.user.mention"}, "@Alice Wong", "@Alice Wong"),
        ({"type": "com.symphony.user.mention"}, "Alice Wong", "@Alice Wong"),
        ({"type": "org.symphonyoss.taxonomy"}, "#gold", "#gold"),
        ({"type": "org.symphonyoss.fin.security"}, "IBM", "$IBM"),
        ({"type": "com.symphony.emoji", "data": {"unicode": "🎉"}}, ":tada:", "🎉"),
        ({"type": "com.symphony.emoji", "data": {"shortcode": "tada"}}, ":x:", "🎉"),
        ({"type": "com.symphony.emoji", "data": {"annotation": "rare_one"}}, "?", ":rare_one:"),
        ({"type": "com.symphony.emoji", "data": ["odd"]}, ":tada:", ":tada:"),
        ({"type": "com.symphony.emoji", "data": {"shortcode": 5}}, "shown", "shown"),
        ({"type": ["odd"]}, "shown", "shown"),
        ("odd", "shown", "shown"),
        (None, "shown", "shown"),
    ],
)
def test_entities_are_named(entity: object, shown: str, text: str) -> None:
    """Mentions, tags and emoji read as in the client, whether or not their data can be used."""
    inside = f'<span class="entity" data-entity-id="0">{html.escape(shown)}</span>'
    assert to_text(page(inside), {"0": entity}) == text


@pytest.mark.parametrize(
    "bad",
    [
        "<div><b>open</div>",
        "no markup at all <",
        '<!DOCTYPE d [<!ENTITY e "x">]><div>&e;<b/></div>',
        '<!DOCTYPE d SYSTEM "file:///etc/passwd"><div><b/></div>',
        "<x:y>unbound</x:y>",
    ],
)
def test_what_is_not_well_formed_or_defines_entities_is_unreadable(bad: str) -> None:
    """Nothing is guessed and nothing is resolved; the caller holds the message."""
    with pytest.raises(Unreadable) as caught:
        to_text(bad)
    assert "open" not in str(caught.value)


def test_references_to_no_character_are_replaced() -> None:
    """A reference to what Unicode or XML does not have is a replacement character, on either path."""
    for inside in ("&#0;&#x110000;&#xD800;", "<b>&#0;&#x110000;&#xD800;</b>"):
        assert to_text(page(inside)) == "\ufffd\ufffd\ufffd"

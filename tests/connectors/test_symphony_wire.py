"""The wire: Symphony's objects as messages, contents as MessageML, replies as decisions."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proportion import in_proportion

from bridge.errors import NetworkError, Refused, Unreachable
from bridge.message import SYMPHONY, Blob, Content, Echo, Kind, Message
from bridge.ports import WENT
from connectors.symphony import wire
from connectors.symphony.wire import Reply, Unreadable

ME = "900"
AT = 1_700_000_000_000
ALICE = {"userId": 101, "displayName": "Alice Wong", "email": "alice.wong@bank.example", "username": "awong"}
BRIDGE = {"userId": 900, "displayName": "Bridge", "email": "bridge@bank.example"}
BOB = {"userId": 102, "firstName": "Bob", "lastName": "Li", "email": "bob.li@bank.example"}
STREAM = {"streamId": "room/one+==", "streamType": "ROOM", "roomName": "Gold"}


def presentation(text: str) -> str:
    return f'<div data-format="PresentationML" data-version="2.0">{text}</div>'


def v4_message(text: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "messageId": "mess/age+1==",
        "timestamp": AT,
        "message": presentation(text),
        "user": ALICE,
        "stream": STREAM,
    } | more


def event(kind: str, payload: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "ev",
        "messageId": "ev/1",
        "timestamp": AT,
        "type": kind,
        "initiator": {"user": ALICE},
        "payload": payload,
    } | more


def sent(text: str = "hello", **more: Any) -> dict[str, Any]:
    return event("MESSAGESENT", {"messageSent": {"message": v4_message(text, **more)}})


def feed_reply(*events: Any, ack: str = "ack-1") -> bytes:
    return json.dumps({"events": list(events), "ackId": ack}).encode()


def read(*events: Any) -> tuple[Message, ...]:
    reading = wire.read_feed(feed_reply(*events), ME)
    assert not reading.echoes
    return reading.messages


def one(*events: Any) -> Message:
    (message,) = read(*events)
    return message


# --- messages -------------------------------------------------------------------------------------------


def test_a_message_in_our_words() -> None:
    """Every noun is filled, ids have one spelling, and the raw bytes are the ones that came."""
    source = json.dumps(sent("Good &amp; <b>bad</b>"), indent=1).encode()
    body = b'{ "ackId" : "a", "extra": {"events": [1]}, "events" : [ ' + source + b" ] }"
    (message,) = wire.read_feed(body, ME).messages
    assert message == Message(
        network=SYMPHONY,
        id="mess_age-1",
        conversation="room_one-",
        sender="101",
        sent_at=AT,
        text="Good & bad",
        sender_name="Alice Wong",
        address="alice.wong@bank.example",
        raw=source,
    )


def test_history_holds_the_same_messages_as_the_feed() -> None:
    """A message has the same id, words and place, whichever way it came."""
    live = one(sent("hello"))
    (again,) = wire.read_history(json.dumps([v4_message("hello")]).encode(), ME)
    assert isinstance(again, Message)
    assert (again.id, again.text, again.conversation, again.sender) == (
        live.id,
        live.text,
        live.conversation,
        live.sender,
    )
    assert json.loads(again.raw) == v4_message("hello")


def test_attachments_become_files_that_can_be_found_again() -> None:
    """Name, kind and size are told, with or without the fields that the contract requires."""
    message = one(
        sent(
            "",
            attachments=[
                {"id": "f1", "name": "chart.png", "size": 5, "images": []},
                {"id": "f2", "name": "研究.pdf", "size": "big"},
                {"id": "f3"},
            ],
        )
    )
    assert [(f.name, f.kind, f.media_type, f.size) for f in message.files] == [
        ("chart.png", Kind.IMAGE, "image/png", 5),
        ("研究.pdf", Kind.FILE, "application/pdf", -1),
        ("file", Kind.FILE, "", -1),
    ]
    assert wire.file_address(message.files[1].ref) == ("room_one-", "mess_age-1", "f2")
    assert (message.kind, message.text, message.defect) == (Kind.IMAGE, "", "")


def test_text_with_attachments_stays_text() -> None:
    """Words come first: a message with both is text that carries files."""
    message = one(sent("see this", attachments=[{"id": "f1", "name": "a.mp4", "size": 1, "images": []}]))
    assert (message.kind, message.text, message.files[0].kind) == (Kind.TEXT, "see this", Kind.VIDEO)


def test_an_edit_names_what_it_replaces() -> None:
    """An edit is a message of its own that names the first one."""
    message = one(sent("better", replacing="old/1==", initialMessageId="old/1=="))
    assert (message.id, message.replaces, message.text) == ("mess_age-1", "old_1", "better")


QUOTED = "<b>In reply to:</b><br/><b>Bob Li 12/07/22 @ 09:42</b><br/><i>how much?</i><br/>———————————<br/>12"


def test_a_reply_is_parted_into_quote_and_answer() -> None:
    """What clients write above an answer becomes `quote`, and only when there is a parent."""
    reply = one(sent(QUOTED, parentMessageId="parent/1=="))
    assert (reply.text, reply.quote, reply.refers_to) == ("12", "how much?", "parent_1")
    assert one(sent(QUOTED)).text.startswith("In reply to:")
    assert one(sent("plain answer", parentMessageId="p")).text == "plain answer"


def test_forwarded_words_are_part_of_the_text() -> None:
    """Policies see what is forwarded, and by whom it was written."""
    shared = {"message": presentation("the secret"), "user": BOB}
    assert one(sent("look", sharedMessage=shared)).text == "look\n[Forwarded from Bob Li] the secret"
    post = event("SHAREDPOST", {"sharedPost": {"message": v4_message("look"), "sharedMessage": shared}})
    assert one(post).text == "look\n[Forwarded from Bob Li] the secret"


def test_mentions_and_emoji_come_from_the_entity_data() -> None:
    """The data of a message names its entities; data that is no JSON leaves the shown words."""
    inside = '<span class="entity" data-entity-id="e1">:x:</span>'
    data = json.dumps({"e1": {"type": "com.symphony.emoji", "data": {"shortcode": "tada"}}})
    assert one(sent(inside, data=data)).text == "🎉"
    assert one(sent(inside, data="{broken")).text == ":x:"


def test_what_the_agent_could_not_read_is_held_with_what_there_is() -> None:
    """A diagnostic of the agent is a defect: the words may be incomplete."""
    message = one(sent("half", diagnostic="decryption failed"))
    assert message.text == "half" and message.defect and "decryption" not in message.defect
    assert one(sent("x") | {"diagnostic": "bad"}).kind is Kind.UNKNOWN


# --- our own messages -----------------------------------------------------------------------------------


def test_our_own_delivery_comes_back_as_an_echo() -> None:
    """The permit in the data of a message of ours proves its arrival."""
    reading = wire.read_feed(feed_reply(sent(user=BRIDGE, data=wire.permit_data("p" * 20))), ME)
    assert reading.echoes == (Echo("p" * 20, "mess_age-1"),)
    assert reading.messages == ()


def test_our_account_used_by_hand_is_held() -> None:
    """Whoever writes as the bridge, without a permit, is a person at the wrong desk."""
    message = one(sent("typed", user=BRIDGE))
    assert (message.text, message.defect, message.kind) == ("typed", wire.BY_HAND, Kind.TEXT)
    odd = {wire.MARK: {"type": "something.else", "permit": "p"}}
    assert one(sent(user=BRIDGE, data=json.dumps(odd) + wire.MARK_TYPE)).defect == wire.BY_HAND


def test_nobody_else_can_forge_an_echo() -> None:
    """A permit in somebody else's message is just their message."""
    message = one(sent("forged", data=wire.permit_data("p" * 20)))
    assert message.text == "forged" and not message.defect


# --- other events ---------------------------------------------------------------------------------------


def test_a_suppression_is_a_recall() -> None:
    """It names the message that was taken back."""
    message = one(event("MESSAGESUPPRESSED", {"messageSuppressed": {"messageId": "a/b=", "stream": STREAM}}))
    assert (message.kind, message.refers_to, message.conversation) == (Kind.RECALL, "a_b", "room_one-")
    assert (message.sender, message.text, message.defect) == ("101", "[Message recalled]", "")


def test_a_form_is_named_and_kept_raw() -> None:
    """What somebody filled in is not guessed at: the form's name for people, the values in the raw bytes."""
    payload = {"stream": STREAM, "formId": "order", "formMessageId": "f/1", "formValues": {"amount": "7"}}
    message = one(event("SYMPHONYELEMENTSACTION", {"symphonyElementsAction": payload}))
    assert (message.kind, message.text, message.refers_to) == (Kind.APP, "[Form sent: order]", "f_1")
    assert b'"amount"' in message.raw and "7" not in message.text


@pytest.mark.parametrize(
    ("kind", "key", "more", "sentence"),
    [
        ("INSTANTMESSAGECREATED", "instantMessageCreated", {}, "Alice Wong opened a chat."),
        (
            "ROOMCREATED",
            "roomCreated",
            {"roomProperties": {"name": "New"}},
            "Alice Wong created the room “New”.",
        ),
        (
            "ROOMUPDATED",
            "roomUpdated",
            {"newRoomProperties": {"name": "N2"}},
            "Alice Wong changed the room “N2”.",
        ),
        ("ROOMDEACTIVATED", "roomDeactivated", {}, "Alice Wong closed the room “Gold”."),
        ("ROOMREACTIVATED", "roomReactivated", {}, "Alice Wong opened the room “Gold” again."),
        ("USERJOINEDROOM", "userJoinedRoom", {"affectedUser": BOB}, "Bob Li joined the room “Gold”."),
        ("USERLEFTROOM", "userLeftRoom", {"affectedUser": BOB}, "Bob Li left the room “Gold”."),
        (
            "ROOMMEMBERPROMOTEDTOOWNER",
            "roomMemberPromotedToOwner",
            {"affectedUser": BOB},
            "Alice Wong made Bob Li an owner of the room “Gold”.",
        ),
        (
            "ROOMMEMBERDEMOTEDFROMOWNER",
            "roomMemberDemotedFromOwner",
            {"affectedUser": BOB},
            "Alice Wong made Bob Li an ordinary member of the room “Gold”.",
        ),
        (
            "USERREQUESTEDTOJOINROOM",
            "userRequestedToJoinRoom",
            {},
            "Alice Wong asked to join the room “Gold”.",
        ),
        (
            "CONNECTIONREQUESTED",
            "connectionRequested",
            {"toUser": BOB},
            "Alice Wong asked Bob Li to connect.",
        ),
        (
            "CONNECTIONACCEPTED",
            "connectionAccepted",
            {"fromUser": BOB},
            "Alice Wong accepted the connection with Bob Li.",
        ),
        (
            "GENERICSYSTEMEVENT",
            "genericSystemEvent",
            {"sourceSystem": "federation", "eventSubtype": "JOINED"},
            "System: federation JOINED.",
        ),
    ],
)
def test_every_documented_event_is_told(kind: str, key: str, more: dict[str, Any], sentence: str) -> None:
    """An event that is no message is a note in a sentence that people can read."""
    message = one(event(kind, {key: {"stream": STREAM} | more}))
    assert (message.kind, message.text, message.defect) == (Kind.NOTE, sentence, "")
    assert (message.conversation, message.sender_name) == ("room_one-", "Alice Wong")


def test_events_without_a_safe_id_get_a_stable_one() -> None:
    """Delivered twice: one id. Happened twice, or another event with the same event id: two ids."""
    joined = event("USERJOINEDROOM", {"userJoinedRoom": {"stream": STREAM, "affectedUser": BOB}})
    again = joined | {"id": "other", "messageId": "other"}
    later = joined | {"timestamp": AT + 1}
    other = event("USERLEFTROOM", {"userLeftRoom": {"stream": STREAM, "affectedUser": BOB}})
    assert one(joined).id == one(again).id
    assert len({one(joined).id, one(later).id, one(other).id}) == 3


def test_that_the_bridge_itself_left_a_room_shows_in_the_id() -> None:
    """Of nobody else, and not when it comes: what is said while it is away is nothing that it has to have."""
    left, came = (
        event(kind, {key: {"stream": STREAM, "affectedUser": BRIDGE}})
        for kind, key in (("USERLEFTROOM", "userLeftRoom"), ("USERJOINEDROOM", "userJoinedRoom"))
    )
    other = event("USERLEFTROOM", {"userLeftRoom": {"stream": STREAM, "affectedUser": BOB}})
    assert [one(it).id.startswith(WENT) for it in (left, came, other)] == [True, False, False]
    assert one(left).id == one(left | {"id": "other"}).id


def test_an_event_without_initiator_or_stream_is_still_told() -> None:
    """Cross-pod events lack fields; what is there is told."""
    bare = event("CONNECTIONREQUESTED", {"connectionRequested": {"toUser": BOB}})
    del bare["initiator"]
    message = one(bare)
    assert (message.text, message.sender, message.conversation) == (
        "Somebody asked Bob Li to connect.",
        "",
        "",
    )


# --- what cannot be read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        "text",
        [],
        {},
        {"type": "MESSAGESENT"},
        event("MESSAGESENT", {}),
        event("MESSAGESENT", None),
        event("MESSAGESENT", {"messageSent": None}),
        event("MESSAGESENT", {"messageSent": {"message": []}}),
        event("SOMETHINGNEW", {"somethingNew": {"a": 1}}),
        event(["odd"], {"a": 1}),  # type: ignore[arg-type]
        sent(message=7),
        sent("<b>open"),
        sent(stream=None),
        sent(stream={"streamId": 7}),
        sent(user="Alice"),
        sent(attachments=[{"name": "no id"}]),
        sent(attachments=5),
        event("MESSAGESUPPRESSED", {"messageSuppressed": {"stream": STREAM}}),
        event("USERJOINEDROOM", {"somethingElse": {}}),
        event("USERJOINEDROOM", {"userJoinedRoom": {"stream": "odd"}}),
    ],
)
def test_one_bad_event_is_held_and_its_neighbours_are_read(bad: Any) -> None:
    """Garbage becomes one held message with its bytes; the batch is not spoiled."""
    messages = read(sent("first", messageId="m1"), bad, sent("last", messageId="m2", timestamp=AT + 5))
    held = [message for message in messages if message.kind is Kind.UNKNOWN]
    assert [message.text for message in messages if message.kind is Kind.TEXT] == ["first", "last"]
    assert len(held) == 1 and held[0].defect and json.loads(held[0].raw) == bad


def test_a_held_event_keeps_its_place_and_its_defect_says_no_content() -> None:
    """The desk sees in which chat it was said and by whom, and logs see nothing of it."""
    message = one(sent("<b>my secret", messageId="m/1"))
    assert (message.conversation, message.sender, message.sent_at) == ("room_one-", "101", AT)
    assert "secret" not in message.defect + message.text and b"my secret" in message.raw


def test_an_event_without_its_message_names_it() -> None:
    """Some agents leave the payload out; the message can then be asked for."""
    message = one(event("MESSAGESENT", {}))
    assert (message.defect, message.refers_to) == (wire.EMPTY, "ev_1")


def test_a_message_without_sender_is_held() -> None:
    """Nobody can be held to account for it, so a person looks."""
    bare = sent("hello", user=None)
    del bare["initiator"]
    message = one(bare)
    assert (message.kind, message.text, message.defect) == (Kind.TEXT, "hello", "the sender is missing")


def test_string_user_ids_and_missing_fields_are_no_defect() -> None:
    """The contract's required fields are not required of the sender's dignity."""
    message = one(sent("hello", user={"userId": "101"}))
    assert (message.sender, message.sender_name, message.address, message.defect) == ("101", "", "", "")


def test_lone_surrogates_and_bad_bytes_are_mended_and_kept() -> None:
    """Words become storable, the raw bytes stay what they were."""
    body = feed_reply(sent("a\\ud800b")).replace(b"\\\\ud800", b"\\ud800")
    (message,) = wire.read_feed(body, ME).messages
    assert message.text == "a\ufffdb" and b"\\ud800" in message.raw
    body = feed_reply(sent("aQb")).replace(b"aQb", b"a\xffb")
    (message,) = wire.read_feed(body, ME).messages
    assert message.text == "a\ufffdb" and b"a\xffb" in message.raw
    body = feed_reply(sent("\U0001f600"))
    assert b"\\ud83d" in body
    (message,) = wire.read_feed(body, ME).messages
    assert message.text == "\U0001f600"


def test_a_batch_is_put_into_the_order_of_time() -> None:
    """Feeds keep no order; the network's clock does."""
    late, early = (
        sent("2", messageId="m2", timestamp=AT + 2),
        sent("1", messageId="m1", timestamp=AT + 1),
    )
    assert [message.text for message in read(late, early)] == ["1", "2"]


# fmt: off
NAMES = [
    "type", "payload", "messageSent", "message", "messageId", "user", "userId", "stream", "streamId",
    "initiator", "timestamp", "attachments", "data", "roomCreated", "sharedPost", "sharedMessage",
    "messageSuppressed", "displayName",
]
# fmt: on
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["MESSAGESENT", "ROOMCREATED", "SHAREDPOST", "MESSAGESUPPRESSED", "GENERICSYSTEMEVENT"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(NAMES),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


def mutated(value: Any, path: list[int], leaf: Any) -> Any:
    """`value` with the part that `path` leads to replaced by `leaf`."""
    if not path or not isinstance(value, dict | list) or not value:
        return leaf
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = mutated(value[key], path[1:], leaf)
    return copy


def storable(message: Message) -> None:
    """Every field has the type that the archive needs."""
    for value in (message.id, message.conversation, message.sender, message.text, message.sender_name):
        value.encode()
    for value in (message.address, message.replaces, message.refers_to, message.quote, message.defect):
        value.encode()
    for file in message.files:
        (file.name + file.ref).encode()
    assert 0 <= message.sent_at < 1 << 63 and message.id


@given(json_values)
def test_any_json_becomes_an_archivable_message(garbage: Any) -> None:
    """Whatever an event is, it is one message with its raw bytes, and nothing is raised."""
    body = json.dumps({"events": [garbage], "ackId": "a"}).encode()
    reading = wire.read_feed(body, ME)
    (message,) = reading.messages or [None]
    assert message is not None
    storable(message)
    assert message.raw == json.dumps(garbage).encode()


@given(st.lists(st.integers(0, 9), max_size=7), json_values)
def test_any_damage_to_a_real_message_is_read_or_held(path: list[int], leaf: Any) -> None:
    """A message with any part replaced by anything is read with what is left, or held; never an error."""
    whole = sent("hello", attachments=[{"id": "f", "name": "a.png", "size": 1, "images": []}], data="{}")
    damaged = mutated(whole, path, leaf)
    reading = wire.read_feed(json.dumps({"events": [damaged, sent("intact")], "ackId": "a"}).encode(), ME)
    assert len(reading.messages) + len(reading.echoes) == 2
    for message in reading.messages:
        storable(message)
    assert "intact" in [message.text for message in reading.messages]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reading_or_unreadable(body: bytes) -> None:
    """A reply that is no reply is one clear error, which the client answers by reading again."""
    for reader in (wire.read_feed, wire.read_history, wire.read_single):
        try:
            reader(body, ME)
        except Unreadable:
            continue


@given(st.data())
def test_a_cut_reply_is_never_taken_for_a_whole_one(data: st.DataObject) -> None:
    """A truncated body is unreadable at whatever byte it was cut: it is read again, not acknowledged."""
    body = feed_reply(sent("one"), sent("two"))
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(Unreadable):
        wire.read_feed(body[:cut], ME)


def test_deeply_nested_json_is_unreadable_not_a_crash() -> None:
    """Depth is an attack or an accident; either way it is an error we expect."""
    for body in (b'{"ackId":"a","events":[' + b"[" * 100_000, b"[" * 100_000):
        with pytest.raises(Unreadable):
            wire.read_feed(body, ME)


@pytest.mark.parametrize("depth", [50, 400, 900])
def test_a_deep_event_is_held_and_its_neighbours_are_read(depth: int) -> None:
    """What is nested too deeply for us is held, surrogates and all, in markup as in JSON."""
    deep_json = "[" * depth + '"\\ud800"' + "]" * depth
    deep_markup = json.dumps(sent("<b>" * depth + "x" + "</b>" * depth))
    body = f'{{"events":[{deep_json},{deep_markup},{json.dumps(sent("intact"))}],"ackId":"a"}}'.encode()
    found = wire.read_feed(body, ME).messages
    assert len(found) == 3 and "intact" in [message.text for message in found]
    assert deep_json.encode() in [message.raw for message in found]


LONG = 180_000  # a quarter of it, too, is a whole number of each piece below


@pytest.mark.parametrize(
    "text",
    [
        "In reply to:" + "\n" * LONG,
        "In reply to:\nx\n" + "-------a" * (LONG // 8),
        " " * LONG + "\n" + "\t" * LONG,
        "<br/>" * (LONG // 5),
        "&" * LONG,
        "&#" * (LONG // 2),
        "<p> \n</p>" * (LONG // 9),
    ],
)
def test_no_text_makes_the_reader_slow(text: str) -> None:
    """Time grows with length, not with its square: nobody can stop the bridge with a message."""

    def read(size: int) -> None:
        part = text[:size]
        body = feed_reply(sent("<b>x</b>" + part, parentMessageId="p"), sent(part, parentMessageId="p"))
        wire.read_feed(body, ME)

    in_proportion(read, len(text))


def test_a_reply_that_stays_unreadable_is_held_whole() -> None:
    """After some attempts the reply itself is archived, with the id that lets the feed go on."""
    body = b'{"events":[{"a":}],"ackId":"ack-9"}'
    reading = wire.hold_reply(body)
    assert reading.ack_id == "ack-9"
    assert (reading.messages[0].kind, reading.messages[0].raw) == (Kind.UNKNOWN, body)
    with pytest.raises(Unreadable):
        wire.hold_reply(b"<html>")


# --- feeds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feeds", "chosen"),
    [
        ([], ""),
        (None, ""),
        ({"odd": 1}, ""),
        ([{"id": "abc_p_1"}, None, {"id": 5}, {"id": "e3c5_f_59089"}, {"id": "x_f"}], "e3c5_f_59089"),
        ([{"id": "x_f"}], "x_f"),
        ([{"id": "a_b_f_1"}], ""),
    ],
)
def test_only_fan_out_feeds_are_used_again(feeds: object, chosen: str) -> None:
    """Datahose feeds and strange ids are left alone."""
    assert wire.reusable_feed(feeds) == chosen


# --- composing ------------------------------------------------------------------------------------------


def shown(content: Content) -> str:
    """What a reader of Symphony sees of a content, by way of the markup."""
    inside = wire.compose(content).removeprefix("<messageML>").removesuffix("</messageML>")
    return wire.markup.to_text(f"<div>{inside}</div>")


def test_the_author_is_shown_before_the_words() -> None:
    """The bridge speaks for somebody, in bold; its own notices are in italics and nobody's."""
    assert shown(Content("你好", author="李雷")) == "李雷: 你好"
    assert "<b>李雷:</b>" in wire.compose(Content("你好", author="李雷"))
    notice = wire.compose(Content("held", author="Bridge", notice=True))
    assert "<i>held</i>" in notice and "Bridge" not in notice


def test_a_quote_stands_above_the_answer() -> None:
    """Each quoted line is marked, then comes who answers and what."""
    assert shown(Content("yes", author="李雷", quote="one\ntwo")) == "│ one\n│ two\n李雷: yes"


def test_nothing_in_a_content_can_break_out_of_its_place() -> None:
    """Author, quote and text are escaped for XML and for the template engine."""
    evil = "</div><b>${x}#{y}&"
    composed = wire.compose(Content(evil, author=evil, quote=evil))
    assert "${" not in composed and "#{" not in composed
    assert shown(Content(evil, author=evil, quote=evil)) == f"│ {evil}\n{evil}: {evil}"


def test_a_message_of_files_alone_has_the_space_that_the_platform_wants() -> None:
    """An empty message is rejected; a space is not."""
    assert shown(Content("")) == " "


@given(st.text(st.characters()), st.text(st.characters()), st.booleans())
def test_any_content_can_be_composed_and_read(text: str, author: str, notice: bool) -> None:
    """No content makes markup that cannot be parsed."""
    shown(Content(text, author=author, notice=notice))


def test_the_permit_comes_back_out_of_the_data() -> None:
    """What we put in is found again; other data holds no permit."""
    assert wire.permit_in(wire.permit_data("abc")) == "abc"
    for data in ("", None, 5, "{}", '{"weighbridge":1}', "org.weighbridge.permit", "[org.weighbridge.permit"):
        assert wire.permit_in(data) == ""


@pytest.mark.parametrize(
    "content",
    [
        Content("x" * 60_001),
        Content("x", quote="y" * 60_000),
        Content("x", files=tuple(Blob(f"{n:064}", 1, "a") for n in range(26))),
        Content("x", files=(Blob("a" * 64, 20_000_000, "a"), Blob("b" * 64, 10_000_001, "b"))),
        Content("\n" * 400_000),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_sent(content: Content) -> None:
    """Limits of the platform are known beforehand."""
    with pytest.raises(Refused) as caught:
        wire.check_limits(content, wire.compose(content))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("text", ["hello", "", "{note}more\n", "hello\n{note}", "{note}<b>"])
def test_nobodys_words_go_out_as_a_note(text: str) -> None:
    """A signed note may be posted without a permit, and nothing else: not one with words around it."""
    note = (
        f"weighbridge/5b1c4e1a0c77d2e9/0\n278\n{'A' * 43}=\n\n— weighbridge/5b1c4e1a0c77d2e9/0 {'A' * 91}=\n"
    )
    assert note.splitlines()[0] in wire.compose_note(note)
    with pytest.raises(ValueError, match="nothing else may be posted without a permit"):
        wire.compose_note(text.format(note=note))


def test_what_just_fits_is_not_refused() -> None:
    """The limits are limits, not fears."""
    content = Content("汉" * 60_000, files=(Blob("a" * 64, 30_000_000, "a"),))
    wire.check_limits(content, wire.compose(content))


# --- replies --------------------------------------------------------------------------------------------

REFUSED = "refused"
CERTAIN = "unreachable, nothing was sent"
UNCERTAIN = "unreachable, nobody knows"


def kind_of(error: NetworkError) -> str:
    if isinstance(error, Refused):
        return f"{REFUSED} {error.code}"
    assert isinstance(error, Unreachable)
    return CERTAIN if error.certain else UNCERTAIN


V2 = b'{"code":400,"message":"the secret text was bad"}'
LIMIT = (
    b'{"message":"Limit reached","status":"PAYLOAD_TOO_LARGE",'
    b'"code":"LIMIT_MESSAGE_CONTENT_MAX_TOTAL_SIZE_REACHED"}'
)
HTML = b"<html><body>Bad gateway</body></html>"


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (Reply(400, V2), f"{REFUSED} rejected"),
        (Reply(400, LIMIT), f"{REFUSED} too-large"),
        (Reply(400, V2, 3.0), CERTAIN),
        (Reply(400, HTML, media_type="text/html"), CERTAIN),
        (Reply(401, V2), CERTAIN),
        (Reply(403, V2), f"{REFUSED} not-member"),
        (Reply(403, HTML, media_type="text/html"), CERTAIN),
        (Reply(404, V2), CERTAIN),
        (Reply(413, HTML, media_type="text/html"), f"{REFUSED} too-large"),
        (Reply(429, V2, 7.0), CERTAIN),
        (Reply(429, b""), CERTAIN),
        (Reply(451, V2), f"{REFUSED} compliance"),
        (Reply(302, b""), CERTAIN),
        (Reply(500, V2), UNCERTAIN),
        (Reply(502, HTML, media_type="text/html"), UNCERTAIN),
        (Reply(503, b"", 9.0), UNCERTAIN),
        (Reply(200, HTML, media_type="text/html"), UNCERTAIN),
    ],
)
def test_what_each_reply_means(reply: Reply, meaning: str) -> None:
    """A 4xx did nothing, anything else may have; 451 is final; waits are passed on; no content leaks."""
    error = wire.failure(reply, "sending")
    assert kind_of(error) == meaning
    assert "secret" not in str(error) and str(reply.status) in str(error)
    if isinstance(error, Unreachable):
        assert error.retry_after == reply.retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("5", 5.0),
        ("0", 0.0),
        ("999999", 3600.0),
        ("soon", None),
        ("-5", None),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
    ],
)
def test_retry_after_in_both_forms(header: str | None, seconds: float | None) -> None:
    """Seconds or a date, never negative, never longer than an hour."""
    assert wire.retry_after(header, AT) == seconds


# --- attachments ----------------------------------------------------------------------------------------


@given(st.binary(max_size=2000), st.integers(1, 77), st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_base64_text_decodes_in_pieces_of_any_length(content: bytes, width: int, sizes: list[int]) -> None:
    """Line breaks and cuts at any byte do not matter."""
    text = base64.b64encode(content)
    text = b"\r\n".join(text[i : i + width] for i in range(0, len(text), width))
    decoder, out, at, turn = wire.Base64Text(), b"", 0, 0
    while at < len(text):
        out += decoder.feed(text[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    decoder.close()
    assert out == content


def test_url_safe_letters_are_understood() -> None:
    """Symphony spells ids that way; some gateways spell bodies so."""
    assert wire.Base64Text().feed(base64.urlsafe_b64encode(b"\xfb\xff\xfe")) == b"\xfb\xff\xfe"


@pytest.mark.parametrize("text", [b'{"code":400}', b"<html>", b"QQ==QUJD", b"=QQQ", b"Q===", "汉".encode()])
def test_what_is_not_base64_is_unreadable(text: bytes) -> None:
    """An error page is no attachment."""
    with pytest.raises(Unreadable):
        wire.Base64Text().feed(text)


def test_a_cut_attachment_is_noticed() -> None:
    """Text that ends in the middle of a group was cut off."""
    decoder = wire.Base64Text()
    assert decoder.feed(b"QUJDRA") == b"ABC"
    with pytest.raises(Unreadable):
        decoder.close()


def test_only_our_own_handles_are_followed() -> None:
    """Anything else can never be fetched."""
    for ref in ("", "{}", "[]", "5", orjson.dumps({"stream": "s"}).decode()):
        with pytest.raises(Refused):
            wire.file_address(ref)

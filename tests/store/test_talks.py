"""Who talks with whom: pairs that share a chat are one conversation, and stays are told once."""

from __future__ import annotations

from rig import CONTACT, STREAM, Hands
from sqlalchemy import Connection

from bridge.message import SYMPHONY, WEIXIN
from bridge.records.transcript import ADVISOR, CLIENT, Party
from bridge.search.document import Person
from bridge.store.talks import Member, Naming, Talk, Talks, talk_of

ALICE = Party("symphony", "7001", "Alice Wong", "alice.wong@bank.example", ADVISOR)
BOB = Party("symphony", "7002", "Bob Li", "bob.li@bank.example", ADVISOR)
CLIENT_ = Party("weixin", "wmLiLei", "李雷", "x@w.example", CLIENT)

TALK = Talk(
    "pair/1",
    "Alice Wong, Bob Li ↔ 李雷",
    (
        Member(ALICE, 100, 500, 1),
        Member(CLIENT_, 100, 500, 1),
        Member(BOB, 300, 900, 4),
        Member(CLIENT_, 300, 900, 4),
    ),
)


def test_two_advisors_of_one_client_are_one_conversation() -> None:
    """The client joins once and leaves with the last of them."""
    told = [(one.at, one.party.name, one.joined) for one in TALK.came(0, 1000)]
    assert told == [
        (100, "Alice Wong", True),
        (100, "李雷", True),
        (300, "Bob Li", True),
        (500, "Alice Wong", False),
        (900, "Bob Li", False),
        (900, "李雷", False),
    ]


def test_who_is_there_is_who_may_see() -> None:
    """From the very moment of joining, until the moment of leaving."""
    assert TALK.present(99) == ()
    assert set(TALK.present(100)) == {ALICE, CLIENT_}
    assert set(TALK.present(500)) == {BOB, CLIENT_}


def test_a_span_has_its_own_comings_and_goings() -> None:
    """Days share no event, and lose none between them."""
    both = [*TALK.came(0, 300), *TALK.came(300, 1000)]
    assert both == TALK.came(0, 1000)


def test_whoever_has_no_address_gets_one() -> None:
    """A person of the firm keeps the address of the directory."""
    naming = Naming("w.example")
    assert naming.party(Person("symphony", "7001", "Alice Wong", ALICE.address)).address == ALICE.address
    assert naming.party(Person("weixin", "wmX")).address.endswith("@w.example")
    for odd in ("alice\n@bank.example", ".@.", "a@b c", "李雷@bank.example"):
        assert naming.party(Person("weixin", "wmX", "", odd)) == naming.party(Person("weixin", "wmX"))
    assert naming.ours("symphony").address == "weighbridge-symphony@w.example"
    assert naming.ours("weixin").address != naming.ours("symphony").address


async def test_one_conversation_is_found_without_the_others(hands: Hands) -> None:
    """By its pair, or by the chat where there is none; as all of them together give it."""
    asked: list[tuple[int | None, str, str]] = [
        (1, SYMPHONY, STREAM),
        (None, SYMPHONY, STREAM),
        (None, WEIXIN, CONTACT),
        (None, WEIXIN, "wkDesk/nobody"),
        (77, SYMPHONY, "elsewhere"),
    ]
    naming = Naming("w.example", ("weixin=CN",))

    def found(db: Connection) -> list[tuple[Talk, Talk]]:
        talks = Talks(db, naming)
        return [(talk_of(db, naming, *one), talks.find(*one)) for one in asked]

    both = await hands.store.read(found)
    assert [one for one, _ in both] == [other for _, other in both]
    assert [one.key for one, _ in both[:3]] == ["pair/1"] * 3

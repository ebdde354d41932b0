"""What is shown of the store: complete, in order, in names for people, and cheap where it is asked often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Connection, event, text
from story import CHAT, ENTRIES, REVIEWER, START, STREAM, Story, copy_of_the_story, held

from bridge.store import views
from bridge.store.database import open_engine


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    """A reading connection to a copy of the story."""
    engine = open_engine(f"sqlite:///{copy_of_the_story(tmp_path)}")
    with engine.connect() as db, db.begin():
        yield db
    engine.dispose()


def number_of(db: Connection, words: str) -> int:
    """The message that says exactly this."""
    (found,) = (row["message"] for row in views.archive(db, views.Filter(), 999) if row["text"] == words)
    return found


# --- depths ---------------------------------------------------------------------------------------------


def test_depths_count_what_waits(db: Connection) -> None:
    """Every room's count, and since when its oldest waits; what is finished is not counted."""
    depths = views.depths(db)
    assert (depths.unjudged, depths.fetching, depths.held) == (1, 1, 3)
    assert START < depths.held_since < depths.fetching_since < depths.unjudged_since
    weixin = depths.networks["weixin"]
    assert (weixin.ready, weixin.claimed, weixin.waiting, weixin.open) == (1, 1, 0, 2)
    assert (weixin.parked, weixin.failed) == (1, 1)
    assert depths.networks["symphony"] == views.Outbox()


def test_what_is_parked_is_not_to_be_sent(db: Connection) -> None:
    """Where nothing is to be sent, nothing has been waiting for it: not even what a person has to look at."""
    assert views.depths(db).networks["weixin"].oldest_at > 0
    db.execute(text("UPDATE deliveries SET state = 'parked' WHERE state IN ('ready', 'claimed')"))
    weixin = views.depths(db).networks["weixin"]
    assert (weixin.parked, weixin.oldest_at) == (3, 0)


async def test_an_empty_store_has_no_depth(tmp_path: Path) -> None:
    """Nothing waits: every count and every time is 0."""
    story = Story(tmp_path)
    depths = await story.store.read(views.depths)
    assert (depths.unjudged, depths.unjudged_since, depths.held, depths.held_since) == (0, 0, 0, 0)
    assert set(depths.networks.values()) == {views.Outbox()}
    story.store.close()


def test_depths_read_only_what_is_open(db: Connection) -> None:
    """However long the history, only the indexes of what is open are searched; no table is scanned."""
    plans = []

    @event.listens_for(db, "before_cursor_execute")
    def explain(connection: object, cursor: object, statement: str, parameters: tuple, *_: object) -> None:
        plan = db.connection.dbapi_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(line[3] for line in plan)

    views.depths(db)
    assert plans
    for line in plans:
        if line.startswith(("SCAN", "SEARCH")):
            assert any(word in line for word in ("_new", "_fetching", "_open", "_stuck", "PRIMARY KEY")), line


def test_lanes_and_policies(db: Connection) -> None:
    """Who works the lane under which epoch, and the policy files that decide."""
    (lane,) = views.lanes(db)
    assert all(type(key) is str for key in lane)
    assert (lane["lane"], lane["owner"], lane["epoch"], lane["size"]) == (0, "daemon", 1, ENTRIES)
    assert views.policies(db) == [("cards", "a" * 64)]


# --- people ---------------------------------------------------------------------------------------------


def test_pairs_say_who_made_them_and_why(db: Connection) -> None:
    """A pair with names, ids, and the act behind it; ended ones only when asked for."""
    (pair,) = views.pairs(db)
    assert (pair["advisor_name"], pair["contact_name"], pair["stream"]) == ("Alice Wong", "李雷", STREAM)
    assert (pair["contact"], pair["person"], pair["reason"]) == (CHAT, REVIEWER, "known client")
    assert [one["state"] for one in views.pairs(db, ended=True)] == ["active", "ended"]


# --- the archive ----------------------------------------------------------------------------------------


def test_the_archive_lists_everything_newest_first(db: Connection) -> None:
    """Without a filter every message is there once, notices too, and each can be printed as JSON."""
    rows = views.archive(db, views.Filter(), 999)
    numbers = [row["message"] for row in rows]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) == db.execute(text("SELECT count(*) FROM messages")).scalar()
    assert orjson.loads(orjson.dumps(rows)) == rows


def test_pages_follow_each_other(db: Connection) -> None:
    """`before` continues a listing without a gap and without showing anything twice."""
    whole = [row["message"] for row in views.archive(db, views.Filter(), 999)]
    paged: list[int] = []
    while rows := views.archive(db, views.Filter(before=paged[-1] if paged else 0), 7):
        paged += [row["message"] for row in rows]
    assert paged == whole


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        (views.Filter(network="weixin"), lambda row: row["network"] == "weixin"),
        (views.Filter(outcome="hold"), lambda row: row["outcome"] == "hold"),
        (views.Filter(outcome="redact"), lambda row: row["outcome"] == "redact"),
        (views.Filter(state="noted"), lambda row: row["state"] == "noted"),
        (views.Filter(pair=1), lambda row: row["pair"] == 1),
        (views.Filter(since=START + 100), lambda row: row["at"] >= START + 100),
        (views.Filter(until=START + 100), lambda row: row["at"] < START + 100),
        (views.Filter(person="STRANGER"), lambda row: row["sender_id"] == "wmStranger"),
    ],
    ids=["network", "hold", "redact", "state", "pair", "since", "until", "person"],
)
def test_a_filter_gives_all_that_it_describes(db: Connection, wanted: views.Filter, holds) -> None:
    """A filter lists exactly the messages of which its condition is true."""
    everything = views.archive(db, views.Filter(), 999)
    expected = [row["message"] for row in everything if holds(row)]
    assert 0 < len(expected) < len(everything)
    assert [row["message"] for row in views.archive(db, wanted, 999)] == expected


@pytest.mark.parametrize("part", ["alice.wong@", "ALICE", "7001", "李雷", "wmLiLei"])
def test_a_person_is_found_by_any_name_on_either_side(db: Connection, part: str) -> None:
    """Address, name and id, in any case, of writer or reader."""
    rows = views.archive(db, views.Filter(person=part), 999)
    assert {row["network"] for row in rows} == {"symphony", "weixin"}


def test_a_filter_looks_past_many_others(tmp_path: Path) -> None:
    """A message that lies behind more than a chunk of others is found all the same."""
    path = copy_of_the_story(tmp_path)
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as db, pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "_CHUNK", 3)
        assert [row["text"] for row in views.archive(db, views.Filter(person="stranger"), 9)] == ["在吗？"]
    engine.dispose()


# --- one message ----------------------------------------------------------------------------------------


def test_a_message_shows_its_whole_life(db: Connection) -> None:
    """Written, held, released, delivered: verdicts, review, delivery with receipt, notices, and entries
    of the ledger in order, with the person and reason of the act."""
    life = views.message(db, number_of(db, "one 4111111111111111"))
    assert (life["sender"], life["recipient"], life["state"]) == ("Alice Wong", "李雷", "released")
    assert [(one["outcome"], one["cause"]) for one in life["verdicts"]] == [
        ("hold", "rule"),
        ("deliver", "person"),
    ]
    assert life["verdicts"][0]["matches"][0]["spans"] == [[4, 20]]
    assert life["verdicts"][1]["text"] == "one ****"
    assert life["review"]["state"] == "released"
    (delivery,) = life["deliveries"]
    assert (delivery["state"], delivery["marks"], len(delivery["receipts"])) == ("sent", ["late"], 1)
    assert "one ****" in delivery["text"] and delivery["text"] != "one ****", (
        "the reader is told that it is late"
    )
    assert len(life["notices"]) == 2
    kinds = [entry["kind"] for entry in life["entries"]]
    assert kinds == [
        "message:archived",
        "message:judged",
        "hold:released",
        "message:judged",
        "delivery:permitted",
        "delivery:sent",
    ]
    act = life["entries"][2]
    assert (act["person"], act["reason"], len(act["leaf"])) == (REVIEWER, "his own card", 64)


def test_a_message_names_what_it_edits_and_its_files(db: Connection) -> None:
    """Edits point to the message they change; attachments come with digest and size, or as missing."""
    edit = views.message(db, number_of(db, "Good morning, 李雷"))
    assert edit["replaces"] == number_of(db, "Good morning 李雷")
    (kept,) = views.message(db, number_of(db, "The report"))["files"]
    assert (kept["name"], kept["state"], kept["size"], len(kept["digest"])) == (
        "report.pdf",
        "archived",
        17,
        64,
    )
    (lost,) = views.message(db, number_of(db, "And this"))["files"]
    assert (lost["state"], lost["digest"], lost["size"]) == ("missing", "", -1)


def test_an_answer_names_the_message_it_answers(db: Connection) -> None:
    """What a network's id of our own delivery refers to is found through the receipt."""
    answer = views.message(db, number_of(db, "卡号 4111111111111111"))
    assert answer["quote"] == "Good morning"


def test_the_original_bytes_can_be_had(db: Connection) -> None:
    """The raw bytes of a message as they came; None for a number that is none."""
    number = number_of(db, "你好！")
    assert views.raw(db, number) == b'{"msgtype":"text"}'
    assert views.message(db, number)["raw_bytes"] == 18
    assert views.raw(db, 9999) is None
    assert views.message(db, 9999) is None


def test_every_life_can_be_printed(db: Connection) -> None:
    """No message's life holds anything that JSON cannot carry."""
    for row in views.archive(db, views.Filter(), 999):
        life = views.message(db, row["message"])
        assert orjson.loads(orjson.dumps(life)) == life
        assert life["entries"]


# --- what waits for a person ----------------------------------------------------------------------------


def test_held_messages_stand_with_their_rules(db: Connection) -> None:
    """The longest waiting first, each with cause and rules, and who is on the other side, if anybody."""
    first, second, third = views.held(db)
    assert (first.cause, first.files) == ("failure", ("lost.png",))
    assert (second.text, second.rules) == ("odd 4111111111111111", ("Payment card numbers",))
    assert (third.sender, third.recipient, third.pair) == ("wmStranger", "", None)


def test_the_outbox_lists_by_state(db: Connection) -> None:
    """Each state's deliveries are there when asked for, all together every delivery once."""
    states = ("ready", "claimed", "waiting", "sent", "parked", "failed", "dropped")
    together = [row["permit"] for row in views.outbox(db, states, 999)]
    apart = [row["permit"] for state in states for row in views.outbox(db, [state], 999)]
    assert sorted(together) == sorted(apart)
    assert len(together) == db.execute(text("SELECT count(*) FROM deliveries")).scalar()
    assert Counter(row["state"] for row in views.outbox(db)) == {
        "ready": 1,
        "claimed": 1,
        "parked": 1,
        "failed": 1,
    }


# --- the feed -------------------------------------------------------------------------------------------


def whole_feed(db: Connection, limit: int) -> list[dict]:
    """Everything the feed has, asked for in pieces."""
    position, items = views.FEED_START, []
    while True:
        after, more = views.feed(db, position, limit=limit)
        items += more
        if after == position:
            return items
        position = after


def test_the_feed_shows_each_thing_once_in_order(db: Connection) -> None:
    """However it is asked for in pieces, the feed is the same: in the ledger's order, nothing twice."""
    items = whole_feed(db, 1000)
    assert whole_feed(db, 1) == whole_feed(db, 7) == items
    places = [item["seq"] for item in items]
    assert places == sorted(set(places))
    assert Counter(item["outcome"] for item in items)["redacted"] == 1


def test_the_feed_shows_every_delivery_and_every_stop(db: Connection) -> None:
    """Each sent delivery and each hold, block, refusal and act of a person is in the feed."""
    counts = Counter(item["outcome"] for item in whole_feed(db, 50))
    sent = db.execute(
        text(
            "SELECT count(*) FROM ledger WHERE CAST(entry AS TEXT) LIKE '%\"delivery:sent\"%'"
            " OR CAST(entry AS TEXT) LIKE '%\"delivery:found\"%'"
        )
    ).scalar()
    assert counts["delivered"] + counts["redacted"] == sent
    assert (counts["held"], counts["blocked"], counts["recalled"]) == (10, 1, 1)
    assert (counts["released"], counts["rejected"]) == (3, 1)
    assert (counts["late"], counts["expired"]) == (1, 1)
    assert (counts["waiting"], counts["parked"], counts["failed"], counts["retried"]) == (1, 3, 2, 2)


def test_the_feed_shows_what_the_reader_got(db: Connection) -> None:
    """Text as delivered: masked, with the marks in the reader's language; names; the time since archived."""
    items = {item["text"]: item for item in whole_feed(db, 50)}
    masked = items["卡号 ************1111"]
    assert (masked["sender"], masked["recipient"], masked["outcome"]) == ("李雷", "Alice Wong", "redacted")
    assert "［已修改］\nGood morning, 李雷" in items
    assert "［较早前发送，经审核后送达］\none ****" in items
    assert "idea 0\n不构成建议。" in items
    told = next(item for text, item in items.items() if text.startswith("Message ") and "late" not in text)
    assert (told["sender"], told["recipient"]) == ("weighbridge", REVIEWER)
    asked = items["您同意吗？"]
    assert (asked["network"], asked["recipient"]) == ("weixin", "李雷")
    notice = items["Your held message was reviewed and is now being delivered."]
    assert (notice["sender"], notice["recipient"], notice["notice"]) == ("weighbridge", "Alice Wong", True)
    assert all(item["ms"] > 0 for item in items.values())


def test_the_feed_can_begin_now(db: Connection) -> None:
    """From its end on, the feed shows nothing that happened before."""
    assert views.feed(db, views.feed_end(db)) == (views.feed_end(db), [])


async def test_a_poller_sees_what_happens_meanwhile(tmp_path: Path) -> None:
    """Between two looks something is held and something delivered: the second look has just these two."""
    story = Story(tmp_path)
    await story.begin()
    position = await story.store.read(views.feed_end)
    await story.archive(story.says("held one"), story.answers("passing"))
    await story.judge(held("held ***", (0, 4)))
    await story.deliver()
    position, items = await story.store.read(lambda db: views.feed(db, position))
    assert [(item["text"], item["outcome"]) for item in items] == [
        ("held one", "held"),
        ("passing", "delivered"),
    ]
    assert await story.store.read(lambda db: views.feed(db, position)) == (position, [])
    story.store.close()


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        ("", 2),
        ("desk", 2),
        ("control-room", 1),
        ("control", 0),
        ("control-room, desk", 1),
        ("d%", 0),
        ("d_sk", 0),
    ],
)
async def test_a_queue_lists_all_that_waits_in_it(tmp_path: Path, queue: str, found: int) -> None:
    """Also what waits in other queues as well; a name is the whole name."""
    story = Story(tmp_path)
    await story.begin()
    await story.archive(story.says("for both"), story.says("for one"))
    both, one = held("for both", (0, 3)), held("for one", (0, 3))
    await story.judge(replace(both, queue="control-room, desk"), replace(one, queue="desk"))
    assert len(await story.store.read(lambda db: views.held(db, queue))) == found
    story.store.close()


def test_a_life_names_later_versions_and_recalls(db: Connection) -> None:
    """With time, place and hash of their entries; and who was shown it, which is nobody here."""
    first = views.message(db, number_of(db, "Good morning 李雷"))
    (edit,) = first["edits"]
    assert edit["message"] == number_of(db, "Good morning, 李雷")
    assert edit["lane"] == 0 and len(edit["leaf"]) == 64 and edit["at"] > first["at"]
    assert first["looks"] == []
    recalled = views.message(db, number_of(db, "ten 4111111111111111"))
    assert [one["message"] for one in recalled["recalls"]] == [number_of(db, "[Recalled]")]


def test_labels_of_everybody_who_is_or_was_paired(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """For suggestions: the directory's, of both ends, each once."""
    assert views.labels(db) == []
    paired = [{"advisor_tags": ["research", "desk"], "contact_tags": ["vip"]}]
    more = [{"advisor_tags": ["desk"], "contact_tags": []}]
    monkeypatch.setattr(views, "pairs", lambda _, *, ended: paired + more if ended else paired)
    assert views.labels(db) == ["desk", "research", "vip"]


def test_names_of_everybody_who_is_or_was_paired(db: Connection) -> None:
    """For suggestions: names and addresses, each once."""
    assert views.names(db) == ["Alice Wong", "alice.wong@bank.example", "李雷", "韩梅梅"]

"""The daemon as a process: what it says, when it leaves, what it refuses, and what never gets out of it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from daemon_rig import DEADLINE, Place, Running, place, settings_folder, within
from sqlalchemy import Connection, select

from bridge.cli.output import Exit
from bridge.ledger.entry import decode
from bridge.store import schema as s
from bridge.store import views

WORDS = (
    "早上好",
    "Alice",
    "李雷",
    "Wong",
    "bank.example",
    "4111 1111",
    "Quarterly",
    "騰訊",
    "私人微信",
    "mock-app-secret",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `weighbridge init` writes."""
    return settings_folder(tmp_path_factory.mktemp("init") / "bank")


@pytest.fixture
async def here(template: Path, tmp_path: Path) -> AsyncIterator[Place]:
    """Both networks up, people introduced, settings in a folder of their own."""
    async with place(template, tmp_path / "bank") as made:
        yield made


async def opened(daemon: Running) -> None:
    """Wait until the daemon is ready and both networks are open."""
    await daemon.heard("READY=1")
    await daemon.heard("STATUS=both networks open")


def delivery_states(db: Connection) -> list[str]:
    """The state of every delivery."""
    return list(db.scalars(select(s.deliveries.c.state)))


def ledger_kinds(db: Connection) -> list[str]:
    """What the ledger testifies to, in order."""
    return [decode(data).kind for data in db.scalars(select(s.ledger.c.entry).order_by(s.ledger.c.seq))]


def lane(db: Connection) -> tuple[str, int, int]:
    """Owner, epoch and end of the lease of the one lane."""
    c = s.lanes.c
    return tuple(db.execute(select(c.owner, c.epoch, c.lease_until)).one())


# --- what it says ---------------------------------------------------------------------------------------


async def test_systemd_is_told_when_it_is_ready_lives_and_leaves(here: Place) -> None:
    """READY=1 once the store is ours, WATCHDOG=1 at half the interval asked for, STOPPING=1, and exit 0."""
    async with here.daemon(anew=True, WATCHDOG_USEC="200000") as daemon:
        await opened(daemon)
        seen = daemon.told.count("WATCHDOG=1")
        await within(DEADLINE, lambda: daemon.told.count("WATCHDOG=1") >= seen + 3)
        assert "STOPPING=1" not in daemon.told
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == Exit.DONE
        await daemon.heard("STOPPING=1")
    assert daemon.told.index("READY=1") < daemon.told.index("STOPPING=1")
    assert [line["event"] for line in daemon.lines][-1] == "daemon:left"


async def test_the_pages_answer_machines(here: Place) -> None:
    """/healthz and /readyz are 200 for a daemon that works; /status says how it is; /metrics count."""
    async with here.daemon() as daemon:
        await opened(daemon)
        here.alice_writes("Good morning")
        await here.li_lei_sees("Good morning")
        assert await daemon.page("/healthz") == (200, "alive\n")
        assert await daemon.page("/readyz") == (200, "ready\n")
        status = json.loads((await daemon.page("/status"))[1])
        assert status["state"] == "running"
        assert status["pid"] == daemon.process.pid
        assert {network: state["open"] for network, state in status["networks"].items()} == {
            "symphony": True,
            "weixin": True,
        }
        assert [name for name, _ in status["policies"]] == ["firm-wide", "hk-equities"]
        code, metrics = await daemon.page("/metrics")
        assert code == 200
        assert 'weighbridge_messages_archived_total{network="symphony"} 1.0' in metrics
        assert 'weighbridge_signed_in{network="weixin"} 1.0' in metrics


async def test_nothing_people_write_leaves_by_the_log_or_the_pages(here: Place) -> None:
    """With every line logged and every page read, no text, name, address or secret is in any of it."""
    async with here.daemon(WEIGHBRIDGE_DAEMON_LOG_LEVEL="debug") as daemon:
        await opened(daemon)
        here.li_lei_writes("早上好")
        await here.alice_sees("早上好")
        here.alice_writes("Quarterly figures, card 4111 1111 1111 1111")
        await here.li_lei_sees("Quarterly figures")
        here.alice_writes("騰訊 (0700) 明日有公告")
        await here.alice_sees("waits for a reviewer")
        here.li_lei_writes("你加我私人微信吧")
        await here.li_lei_sees("业务沟通须使用留痕渠道")
        pages = [(await daemon.page(path))[1] for path in ("/metrics", "/status", "/readyz", "/healthz")]
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == Exit.DONE
    everything = "".join([*daemon.raw, *pages, *daemon.told])
    assert len(daemon.named("message:judged")) >= 4
    assert not [word for word in WORDS if word in everything]
    assert all(line.startswith("{") for line in daemon.raw), "every line is one JSON object"
    assert "weighbridge_log_values_dropped_total 0.0" in pages[0]


# --- leaving and coming back ----------------------------------------------------------------------------


async def test_sigterm_finishes_what_is_being_sent(here: Place) -> None:
    """A send under way is finished and recorded, what waits behind it stays, and the lane is given up."""
    here.platform.faults.arm("slow", route="send_msg", count=1, seconds=1.5)
    async with here.daemon() as daemon:
        await opened(daemon)
        await within(DEADLINE, here.alice_saw)  # 李雷 had written before
        here.alice_writes("being sent")
        await within(DEADLINE, lambda: any("send_msg" in one.route for one in here.platform.requests))
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == Exit.DONE
    assert here.li_lei_saw() == ["being sent"]
    assert await here.ask(delivery_states) == ["sent", "sent"]
    assert (await here.ask(lane))[::2] == ("", 0)


async def test_after_sigkill_the_next_daemon_takes_over_at_once(here: Place) -> None:
    """A killed daemon's lease is not waited for, and what came meanwhile is delivered once, in order."""
    async with here.daemon() as first:
        await opened(first)
        here.alice_writes("before")
        await here.li_lei_sees("before")
        _, epoch, lease_until = await here.ask(lane)
        first.signal(signal.SIGKILL)
        await first.ended()
    here.alice_writes("meanwhile")
    async with here.daemon() as second:
        await opened(second)
        assert time.time() * 1000 < lease_until, "taken over before the lease ran out"
        assert (await here.ask(lane))[1] == epoch + 1
        await here.li_lei_sees("meanwhile")
        here.alice_writes("after")
        await here.li_lei_sees("after")
    assert here.li_lei_saw() == ["before", "meanwhile", "after"]


async def test_a_second_daemon_is_refused(here: Place) -> None:
    """Two daemons on one store: the second says so and leaves; the first is not disturbed."""
    async with here.daemon() as first:
        await opened(first)
        async with here.daemon() as second:
            assert await second.ended() == Exit.NO
        assert "another daemon works this store" in "".join(second.raw)
        here.alice_writes("Good morning")
        await here.li_lei_sees("Good morning")


# --- policies -------------------------------------------------------------------------------------------


async def test_sighup_puts_a_changed_policy_in_force(here: Place) -> None:
    """The daemon decides by the changed files from then on, and the ledger says since when."""
    path = here.folder / "policies/firm-wide.yaml"
    async with here.daemon() as daemon:
        await opened(daemon)
        before = await here.ask(views.policies)
        path.write_text(path.read_text() + "\n# read again\n")
        daemon.signal(signal.SIGHUP)
        await daemon.logged("policy:activated")
        after = await here.ask(views.policies)
        assert (await here.ask(ledger_kinds)).count("policy:activated") == 2
    assert [name for name, _ in after] == [name for name, _ in before]
    assert after != before


@pytest.mark.parametrize("damage", ["policy: [", None], ids=["broken", "gone"])
async def test_sighup_keeps_the_old_policy_when_the_new_one_is_bad(here: Place, damage: str | None) -> None:
    """A policy that cannot be read, or is no longer there, changes nothing: the old one goes on masking."""
    async with here.daemon() as daemon:
        await opened(daemon)
        before = await here.ask(views.policies)
        for path in (here.folder / "policies").glob("*.yaml"):
            path.unlink() if damage is None else path.write_text(damage)
        daemon.signal(signal.SIGHUP)
        assert (await daemon.logged("policy:refused"))["count"] >= 1
        here.alice_writes("Your card 4111 1111 1111 1111")
        await here.li_lei_sees("**** 1111")
        assert await here.ask(views.policies) == before
        assert not daemon.named("policy:activated")


# --- networks that refuse us ----------------------------------------------------------------------------


async def test_a_network_that_refuses_us_closes_only_its_own_rooms(here: Place) -> None:
    """With a wrong Weixin secret, Symphony goes on and deliveries wait; mended and told, all is delivered."""
    secret = here.folder / "secrets/weixin-secret"
    right = secret.read_text()
    secret.write_text("hush-not-this-one\n")
    async with here.daemon() as daemon:
        refused = await daemon.logged("network:signed-out")
        assert refused["network"] == "weixin"
        code, said = await daemon.page("/readyz")
        assert code == 503
        assert said.startswith("weixin is closed: ") and "secret" in said
        assert (await daemon.page("/healthz"))[0] == 200
        await daemon.heard(f"STATUS={said.strip()}")
        here.alice_writes("while it is closed")
        await within(DEADLINE, lambda: here.ask(delivery_states))
        secret.write_text(right)
        daemon.signal(signal.SIGHUP)
        await here.li_lei_sees("while it is closed")
        assert await daemon.page("/readyz") == (200, "ready\n")
        assert "hush" not in "".join([*daemon.raw, *daemon.told, said])


async def test_settings_that_are_broken_while_a_network_is_closed_change_nothing(here: Place) -> None:
    """SIGHUP with an empty secret file: the daemon says that it cannot use it, and lives on."""
    secret = here.folder / "secrets/weixin-secret"
    right = secret.read_text()
    secret.write_text("wrong\n")
    async with here.daemon() as daemon:
        await daemon.logged("network:signed-out")
        secret.write_text("")
        daemon.signal(signal.SIGHUP)
        await daemon.logged("settings:refused")
        await daemon.logged("network:signed-out", times=2)
        secret.write_text(right)
        daemon.signal(signal.SIGHUP)
        await here.alice_sees("你好")


async def test_a_taken_callback_address_closes_weixin_and_says_which(here: Place) -> None:
    """Somebody else listens where Weixin is to call us: /readyz names the address, Symphony goes on."""
    taken = here.platform.url.removeprefix("http://")
    async with here.daemon(WEIGHBRIDGE_WEIXIN_LISTEN=taken) as daemon:
        await daemon.heard("READY=1")

        async def told() -> str:
            code, said = await daemon.page("/readyz")
            return said if code == 503 and "in use" in said else ""  # before, it says that it is being opened

        said = await within(DEADLINE, told)
        assert taken in said and "weixin.listen" in said


async def test_a_malformed_callback_key_closes_weixin_and_says_so(here: Place) -> None:
    """An EncodingAESKey that is none is a matter of settings, not a bug; the key is not repeated."""
    (here.folder / "secrets/weixin-aes-key").write_text("hush-too-short")
    async with here.daemon() as daemon:
        await daemon.logged("network:signed-out")
        _, said = await daemon.page("/readyz")
        assert "EncodingAESKey" in said
        assert "hush" not in "".join([said, *daemon.raw])


async def test_the_callback_is_where_the_settings_say(here: Place) -> None:
    """The platform verifies the written path, and a message comes by callback long before the next poll."""
    settings = {"WEIGHBRIDGE_WEIXIN_PATH": "/called/here", "WEIGHBRIDGE_WEIXIN_POLL_SECONDS": "3600"}
    async with here.daemon(**settings) as daemon:
        await opened(daemon)
        await here.alice_sees("你好")
        port = (await daemon.logged("callback:listening"))["port"]
        token, key = (
            (here.folder / f"secrets/weixin-{name}").read_text().strip() for name in ("token", "aes-key")
        )
        here.platform.set_callback(f"http://127.0.0.1:{port}/called/here", token, key)
        await here.platform.verify_callback()
        here.li_lei_writes("在吗")
        await here.alice_sees("在吗")


# --- bugs -----------------------------------------------------------------------------------------------

SPOILED_SEND = """\
from connectors.weixin.kf import WeixinConnector
async def send(self, permit, traffic):
    raise RuntimeError('hush: ' + permit.content.text)
WeixinConnector.send = send
"""
SPOILED_WRITER = """\
from bridge.store import database
def take_over(*_, **__):
    raise AttributeError('hush: what people wrote')
database.intake.archive = take_over
"""


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [(SPOILED_SEND, "RuntimeError"), (SPOILED_WRITER, "AttributeError")],
    ids=["send", "writer"],
)
async def test_a_bug_ends_the_process_and_keeps_its_words(here: Place, spoiled: str, code: str) -> None:
    """Exit 1 for the supervisor; the log has the error's class and its way through the code, not its text."""
    async with here.daemon(spoiled) as daemon:
        await daemon.heard("READY=1")
        here.alice_writes("what Alice wrote")
        assert await daemon.ended() == 1
    died = await daemon.logged("daemon:died")
    assert died["code"] == code
    assert daemon.named("daemon:stack")[-1]["where"] == died["where"]
    assert not [word for word in ("hush", "Alice", "Traceback") if word in "".join(daemon.raw)]

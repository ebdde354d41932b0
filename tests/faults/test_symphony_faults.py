"""Every switch of the mock pod, through the whole bridge: the conversation completes, or somebody is told.

Rules of this file: one line for each switch and place. What a line does not say is that every message
arrives, once and in order, on the other side, and that nobody is told anything.
"""

from __future__ import annotations

import pytest
from fault_rig import BOT, Case, case, everywhere, fault, on_stage, play, tried

from bridge.message import SYMPHONY
from connectors.symphony.client import SymphonyConnector
from connectors.symphony.mock.faults import FAULTS

READ, CREATE, FILE, HISTORY = "datafeed.read", "message.create", "attachment.get", "message.history"
LOST = fault("drop", CREATE, after=True)  # a send that arrives and whose answer is lost: it is looked up
LEFT = fault("feed_expired", READ)
OUT = fault("session_expired", READ)

CASES = (
    # answers
    case(fault("status", READ)),
    case(fault("status", READ, status=429, retry_after=20)),
    case(fault("status", READ, status=400, retry_after=20)),
    case(fault("status", READ, status=400)),
    case(fault("status", READ, status=403)),
    case(fault("status", CREATE)),
    case(fault("status", CREATE, after=True)),
    case(fault("status", CREATE, status=429, retry_after=20)),
    case(fault("status", CREATE, status=400, retry_after=20)),
    *(
        case(
            fault("status", CREATE, status=status), becomes={"L1": f"parked: {code}"}, told={"李雷": (told,)}
        )
        for status, code, told in (
            (400, "rejected", "undelivered"),
            (403, "not-member", "undelivered"),
            (413, "too-large", "too-large"),
            (451, "compliance", "compliance"),
        )
    ),
    case(
        fault("status", CREATE, times=12),
        becomes={"L1": "parked: unreachable"},
        told={"李雷": ("undelivered",)},
        step=20.0,
    ),
    case(fault("status", FILE)),
    case(
        fault("status", FILE, status=404),
        becomes={"A2": "held: 1 attachment(s) could not be read"},
        told={"alice": ("unreadable",)},
    ),
    case(fault("status", "datafeed.create"), LEFT),
    case(fault("status", "datafeed.delete"), LEFT),
    case(fault("status", HISTORY), LOST),
    case(fault("status", HISTORY, status=403), LOST),
    case(fault("status", "login.session"), OUT),
    case(fault("status", "login.keymanager"), OUT),
    *(
        one
        for name, how in (
            ("drop", {}),
            ("delay", {"seconds": 0.1}),
            ("timeout", {}),
            ("truncate", {}),
            ("html", {}),
            ("html", {"status": 200}),
        )
        for one in (
            *everywhere(
                fault(name, READ, **how),
                fault(name, READ, after=True, **how),
                fault(name, CREATE, **how),
                fault(name, CREATE, after=True, **how),
                fault(name, FILE, **how),
            ),
            case(fault(name, HISTORY, **how), LOST),
        )
    ),
    case(fault("drop", "datafeed.create"), LEFT),
    case(fault("drop", "login.session"), OUT),
    # the feed
    case(fault("slow_poll", READ)),
    case(fault("duplicate_delivery", READ)),
    case(fault("out_of_order", READ)),
    case(fault("same_event_id", READ)),
    case(fault("attachment_without_images", READ)),
    case(fault("user_id_as_string", READ, times=None)),
    case(fault("null_event", READ)),
    case(fault("empty_payload", READ)),
    case(
        fault("empty_payload", READ, times=3),
        fault("status", "message.get", times=None),
        told=None,  # the third such reply is held; it may be Alice's, or hold echoes of ours
    ),
    case(fault("unknown_event_type", READ)),
    case(fault("no_initiator", READ)),
    case(fault("feed_expired", READ)),
    case(fault("feed_vanished", READ)),
    case(fault("feed_cap", "datafeed.create"), LEFT),
    case(fault("create_feed_status", "datafeed.create"), LEFT),
    case(fault("delete_feed_status", "datafeed.delete"), LEFT, strikes=False),
    # sessions
    *everywhere(*(fault("session_expired", route) for route in (READ, CREATE, FILE))),
    *everywhere(*(fault("key_manager_expired", route) for route in (READ, CREATE, FILE))),
    case(fault("login_refused", "login.session"), OUT),
    case(fault("login_refused", "login.keymanager"), OUT),
    case(fault("key_revoked", CREATE), closed=SYMPHONY),
    case(fault("key_revoked", READ), closed=SYMPHONY),
    # what the bridge does not ask for
    case(fault("other_json_types", "message.status"), strikes=False),
    case(fault("health_down", "health.extended"), strikes=False),
)


def test_every_switch_has_a_case() -> None:
    """A new switch of the mock needs its line here."""
    assert {one.switch for one in CASES} == set(FAULTS)


@pytest.mark.parametrize("one", tried(CASES), ids=str)
async def test_the_conversation_completes_or_somebody_is_told(one: Case) -> None:
    """Whatever Symphony does, no message is lost, doubled, disordered or kept in silence."""
    async with on_stage(one.poll) as scene:
        pod = scene.stage.pod
        armed = [pod.faults.add(each.name, **each.how) for each in reversed(one.faults)]

        def mend() -> None:
            pod.faults.clear()
            pod.restore_key(BOT)

        await play(scene, one, mend)
        in_question = armed[-one.places :]
        assert [bool(each.struck) for each in in_question] == [one.strikes] * one.places


async def test_the_matrix_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its look-up, the bridge would send a message twice whose answer was lost: it is noticed."""

    async def nothing_found(*_: object) -> str:
        return ""

    monkeypatch.setattr(SymphonyConnector, "_look_up", nothing_found)
    async with on_stage() as scene:
        scene.stage.pod.faults.add("drop", route=CREATE, after=True)
        with pytest.raises(AssertionError):
            await play(scene, case(LOST), scene.stage.pod.faults.clear)
        assert list(scene.seen(SYMPHONY)).count("L1") == 2

"""What the daemon says about itself, and what it must never say."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from bridge import telemetry
from bridge.telemetry import Metrics, WordingError

TEXT = "騰訊明日有公告"


@pytest.fixture
def written() -> io.StringIO:
    """Where log lines land, as in production: JSON, not strict."""
    sink = io.StringIO()
    telemetry.configure(level="info", to=sink)
    return sink


def lines(sink: io.StringIO) -> list[dict[str, Any]]:
    """The JSON objects that were written."""
    return [json.loads(line) for line in sink.getvalue().splitlines()]


# --- log lines ------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object(written: io.StringIO) -> None:
    """Name, level, time in UTC, and the values that were handed over."""
    telemetry.log().info("delivery:sent", permit="0a1b2c", ms=12.5, network="weixin")
    (line,) = lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "delivery:sent",
        "level": "info",
        "permit": "0a1b2c",
        "ms": 12.5,
        "network": "weixin",
    }


@pytest.mark.parametrize(
    "values",
    [
        {"text": "hello"},
        {"name": "alice"},
        {"reason": "x"},
        {"code": TEXT},
        {"code": "two words"},
        {"permit": "a\nb"},
        {"permit": "x" * 201},
        {"seq": [1]},
        {"digest": b"raw"},
    ],
)
def test_what_may_carry_text_is_dropped_and_counted(values: dict[str, Any], written: io.StringIO) -> None:
    """A key or a value outside the vocabulary never reaches the log; the rest of the line does."""
    before = telemetry.metrics.misworded._value.get()
    telemetry.log().info("delivery:sent", ms=1, **values)
    (line,) = lines(written)
    assert not set(values) & set(line)
    assert line["ms"] == 1
    assert telemetry.metrics.misworded._value.get() == before + 1


@pytest.mark.parametrize("event", ["Sent it", TEXT, "delivery", "delivery:sent it", ""])
def test_a_name_that_is_no_noun_verb_is_replaced(event: str, written: io.StringIO) -> None:
    """Free text in the place of a name is not written either."""
    telemetry.log().info(event)
    assert [line["event"] for line in lines(written)] == ["line:misworded"]


@pytest.mark.parametrize("values", [{"text": "hello"}, {"code": TEXT}])
def test_strict_telemetry_raises(values: dict[str, str]) -> None:
    """Under test a misworded line is an error, and says why without repeating the value."""
    telemetry.configure(strict=True, to=io.StringIO())
    with pytest.raises(WordingError) as caught:
        telemetry.log().info("delivery:sent", **values)
    assert not any(value in str(caught.value) for value in values.values())


def test_lines_below_the_level_are_not_written(written: io.StringIO) -> None:
    """`daemon.log_level` is the least serious line that is written."""
    telemetry.log().debug("delivery:sent")
    assert lines(written) == []


def test_libraries_are_heard_but_not_quoted(written: io.StringIO) -> None:
    """A library's warning names library, place and exception class; its words could hold a message."""
    try:
        raise ValueError(TEXT)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("could not handle %s", TEXT)
    (line,) = lines(written)
    assert line["event"] == "library:said"
    assert (line["logger"], line["code"]) == ("aiohttp.server", "ValueError")
    assert line["where"].partition(":")[0] == __name__
    assert TEXT not in written.getvalue()


def test_libraries_that_chat_are_not_heard(written: io.StringIO) -> None:
    """Access logs and SQL echoes stay out, whatever our own level is."""
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    assert lines(written) == []


def test_lines_for_people_say_the_same() -> None:
    """`log_format = "console"` drops what JSON drops."""
    sink = io.StringIO()
    telemetry.configure(form="console", to=sink)
    telemetry.log().warning("delivery:parked", code="window", text=TEXT)
    assert "delivery:parked" in sink.getvalue()
    assert "window" in sink.getvalue()
    assert TEXT not in sink.getvalue()


def test_the_place_of_an_error_is_its_innermost_line() -> None:
    """What may be logged of an exception beside its class, also when it was never raised."""
    try:
        json.loads("{")
    except ValueError as error:
        assert telemetry.place(error).startswith("json.decoder:")
    assert telemetry.place(ValueError(TEXT)) == "nowhere"


# --- metrics --------------------------------------------------------------------------------------------


def test_metrics_are_rendered_for_prometheus() -> None:
    """Counts by network, outcome, cause and result; latency in seconds."""
    metrics = Metrics()
    metrics.archived.labels("weixin").inc(3)
    metrics.verdicts.labels("hold", "rule").inc()
    metrics.deliveries.labels("symphony", "sent").inc()
    metrics.outbox_depth.labels("weixin").set(4)
    metrics.latency.labels("weixin").observe(0.03)
    text = metrics.render().decode()
    for line in (
        'weighbridge_messages_archived_total{network="weixin"} 3.0',
        'weighbridge_verdicts_total{cause="rule",outcome="hold"} 1.0',
        'weighbridge_deliveries_total{network="symphony",result="sent"} 1.0',
        'weighbridge_outbox_depth{network="weixin"} 4.0',
        'weighbridge_delivery_seconds_bucket{le="0.05",network="weixin"} 1.0',
    ):
        assert line in text


def test_metrics_have_no_label_for_people_or_conversations() -> None:
    """Metrics leave the house unencrypted: their labels have few values, none of them personal."""
    labels = {label for metric in vars(Metrics()).values() for label in getattr(metric, "_labelnames", ())}
    assert labels == {"network", "outcome", "cause", "result", "lane", "scanned", "anchor", "destination"}


def test_this_process_renders_its_own_metrics() -> None:
    """`render` is what /metrics answers."""
    telemetry.metrics.held.set(2)
    assert b"weighbridge_held 2.0" in telemetry.render()


# --- systemd --------------------------------------------------------------------------------------------


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A socket as systemd opens it: in the file system, or abstract."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        name = str(tmp_path / "notify") if request.param == "path" else f"@weighbridge-{os.getpid()}"
        door.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        door.settimeout(20)
        yield name, door


def test_systemd_is_told(systemd: tuple[str, socket.socket]) -> None:
    """One datagram with all lines reaches the socket that systemd names."""
    name, door = systemd
    assert telemetry.sd_notify("READY=1", "STATUS=bridge open", environ={"NOTIFY_SOCKET": name})
    assert door.recv(1000) == b"READY=1\nSTATUS=bridge open"


def test_without_systemd_nobody_is_told(tmp_path: Path) -> None:
    """Outside systemd, or while it restarts, telling is no error."""
    assert not telemetry.sd_notify("READY=1", environ={})
    assert not telemetry.sd_notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not telemetry.sd_notify("READY=1", environ={"NOTIFY_SOCKET": "vsock:2:1"})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(
    environ: dict[str, str], seconds: float | None
) -> None:
    """Half of WATCHDOG_USEC, and only when the watchdog is ours."""
    assert telemetry.watchdog_seconds(environ) == seconds

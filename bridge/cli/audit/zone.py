"""The desk's time zone: from the option, from the settings, from the machine.

Rules of this file: a zone has a name that can be shown beside a time; where the machine only has an offset,
that is its name.
"""

from __future__ import annotations

import os
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click


class _Zone(click.ParamType):
    """An option that takes the name of a time zone."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tzinfo:
        """The zone of this name."""
        try:
            return ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"{value!r} is no time zone: write a name like Asia/Hong_Kong or UTC", param, ctx)


zone_option = click.option(
    "--tz",
    "zone",
    type=_Zone(),
    metavar="ZONE",
    help="Times are read and shown in this zone. Default: the desk's in the settings, else this machine's.",
)


def desk_zone(chosen: tzinfo | None, configured: str) -> tzinfo:
    """The zone that was chosen, else the one of the settings, else this machine's."""
    if chosen is not None:
        return chosen
    return ZoneInfo(configured) if configured else _machines()


def name_of(zone: tzinfo) -> str:
    """What a zone is called: "Asia/Hong_Kong", or "UTC+08:00"."""
    return getattr(zone, "key", None) or str(zone)


def moment(milliseconds: int, zone: tzinfo) -> datetime:
    """A time of ours in this zone."""
    return datetime.fromtimestamp(milliseconds / 1000, zone)


def _machines() -> tzinfo:
    """This machine's zone, by its name where it has one: an offset alone would know no summer time."""
    linked = Path(os.path.realpath("/etc/localtime")).as_posix().partition("/zoneinfo/")[2]
    for name in filter(None, (os.environ.get("TZ"), linked)):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return datetime.now().astimezone().tzinfo or ZoneInfo("UTC")

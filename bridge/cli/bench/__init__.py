"""`weighbridge bench`: what the relay carries, and what verdicts, records and searches cost here.

Rules of this package: everybody who is compared does the same work in the same run, and no figure is given
where their answers differ. Loopback alone, and nothing is left behind that was not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from bridge.cli.lazy import LazyGroup

_PLACE = "bridge.cli.bench.commands"
COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (module:attribute, help)
    "relay": (f"{_PLACE}:relay", "Compare with a relay that keeps nothing, and the bare database."),
    "policy": (f"{_PLACE}:policy", "Compare verdicts with those of other engines."),
    "audit": (f"{_PLACE}:audit", "Compare keeping and verifying records with other ways to do so."),
    "search": (f"{_PLACE}:search", "Compare searches with those of other engines."),
    "records": (f"{_PLACE}:records", "Hand records over: copies outside, exports, and plain copies."),
    "certify": (f"{_PLACE}:certify", "Reconcile a tenth of an archive, and all of it."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def bench() -> None:
    """Measure on this machine, over loopback alone."""

"""`weighbridge bench records`: what it costs to hand records over: copies outside, and exports.

Rules of this file: it only runs the two, one after the other; each says how many times as long it takes as
copying the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def run(copies: int, exported: int, report: Callable[[Mapping[str, Any]], None], folder: Path) -> None:
    """Bring `copies` records outside in each form, and export `exported` messages in each format."""
    from bridge.cli.bench import exports, sinks

    sinks.run(copies, report, folder)
    exports.run(exported, report, folder)

"""What an attachment is, by its bytes: type, size, password, macros, text inside, viruses.

`inspect` looks into one file; the daemon keeps an `Inspector`. What reads hostile bytes runs in a limited
child process (`child`), everything else here only asks it.

    inspector ──► child ──► contents ──► kinds · plain · office · compound · pdf · archives
        └───────► clamav                 bounds: how much of it
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.inspection.inspector import Inspector
    from bridge.message import Inspection


def inspect(path: Path, name: str = "", inspector: Inspector | None = None) -> Inspection:
    """What the file at `path` is, called `name` (else by its own name). For commands: it runs a loop.

    Raises OSError when the file cannot be opened.
    """
    # Imported here: every child process imports this package, and none of it needs these.
    import asyncio

    from bridge.inspection.inspector import Inspector

    return asyncio.run((inspector or Inspector()).look(path, name or path.name))

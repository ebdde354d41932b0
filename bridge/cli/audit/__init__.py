"""`weighbridge audit`: the archive and its ledger, for whoever has to know what happened; a module a command.

Rules of this package: no logic, and no heavy import outside of a function: the command must start at once.
Nothing is changed; only who was shown what people wrote is written down. Text that people wrote is made
harmless for the terminal before it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from bridge.cli.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (module:attribute, help)
    "search": ("bridge.cli.audit.search:search", "Messages that fulfil a query; without one, all."),
    "show": ("bridge.cli.audit.show:show", "One message's whole life, with what proves it."),
    "tail": ("bridge.cli.audit.tail:tail", "Messages that fulfil a query, as they are decided."),
    "stats": ("bridge.cli.audit.stats:stats", "How many, when, of whom; how long things took."),
    "searches": ("bridge.cli.audit.searches:searches", "Who looked at what people wrote, when and why."),
    "timeline": ("bridge.cli.audit.timeline:timeline", "What happened to a message, or in a conversation."),
    "verify": ("bridge.cli.audit.verify:verify", "Read everything again: was any byte changed?"),
    "checkpoint": ("bridge.cli.audit.proof:checkpoint", "The newest signed checkpoint of each lane."),
    "proof": ("bridge.cli.audit.proof:proof", "That something is in the ledger, for somebody outside."),
    "evidence": (
        "bridge.cli.audit.evidence:evidence",
        "A package of evidence that an outsider checks alone.",
    ),
    "export": ("bridge.cli.audit.export:export", "What a query finds, in the format that somebody reads."),
    "exports": ("bridge.cli.audit.exports:exports", "What was exported: when, by whom, why, how much."),
    "formats": ("bridge.cli.audit.formats:formats", "The formats of exports and the profiles, with limits."),
    "reindex": ("bridge.cli.audit.reindex:reindex", "Make the search index again from the archive."),
    "replay": ("bridge.cli.audit.replay:replay", "Decide again from what was recorded."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def audit() -> None:
    """The archive: search messages, show a message's whole life, verify that nothing was changed, and decide
    again from what was recorded.

    \b
    weighbridge audit search 内幕消息 with:alice.wong during:last-30d
    weighbridge audit show 17
    weighbridge audit verify
    weighbridge audit checkpoint
    weighbridge audit proof 17
    weighbridge audit replay --since 7d
    """

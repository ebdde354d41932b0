"""weighbridge: everything is weighed and written down before it may pass.

The map of the house::

    message, errors     the nouns, and everything that may go wrong
    flow, config        states as tables; settings as one table
    policy/             pure: what may pass                     ledger/   pure: what cannot be undone
    ports               what a connector and a clock must keep
    store/              the only place that knows SQL           pipeline  intake, judgement, delivery
    desk, people        what a person may do; who may talk to whom
    daemon, telemetry   one process that runs the rooms; what it says about itself
    cli/                the commands, and the only door to `connectors`

`docs/architecture.md` tells the same at length.
"""

__version__ = "0.1.0"

"""Disk: the archive, the ledger and the outbox. The only place that knows SQL, and the only one that makes
`Archived` and `Permit`.

    database    the store, opened: what the rooms and the commands hold
    schema      the tables                      writer    one thread writes, many jobs to a transaction
    intake      messages in                     judging   verdicts, permits, holds, notices
    sending     claims, and what became of them acts      what persons and daemons do
    directory   pairs, as routes                rows      what these share
    codec       messages and verdicts as bytes  blobs     attachments, by digest
    views       what the commands list          verify    everything read again, through another door
    reread      that door: an auditor's reader  testimony rows against the entries that testify to them
    vault       what is sealed, and its keys     rotation  the life of the keys
    migrations  Alembic, from the first table on
"""

"""Disk: the archive, the ledger and the outbox. The only place that knows SQL, and the only one that makes
`Archived` and `Permit`.

    schema      the tables            writer   one thread that writes, many jobs to a transaction
    records     what the rooms do     blobs    attachments, by digest
    desk_rows   what a person does    verify   reading everything again, through another door
    migrations  Alembic, from the first table on
"""

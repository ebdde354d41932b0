"""Archives outside that keep copies of records: `bridge.ports.Sink`, a module for each kind.

Rules of this package: a name says the SHA-256 of what lies under it, so that what is put twice lies there
once; nothing is called kept before it was flushed, acknowledged or read back; nothing is left out because it
is large. Nothing here decides what is copied, when, or for how long: that comes from the policy, by the
archivist.

    bucket   objects in S3, locked for as long as each record lives (Object Lock)
    mail     an archive's mailbox, by SMTP
    drop     a folder, be it mounted from elsewhere, with a manifest for each batch
"""

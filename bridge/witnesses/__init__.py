"""Places outside the database where checkpoints are left: `bridge.ports.Witness`, a module for each kind.

Rules of this package: nobody waits for a place longer than the notary's patience, nothing is changed that was
left there once, and what a library says goes to a person only after what could be secret was taken out.

    shelf       a folder, or a bucket: keeps files, can be asked what it has
    bucket      an S3 bucket whose objects nobody can delete for years (Object Lock)
    authority   somebody who signs when a checkpoint existed (RFC 3161)
    room        a chat room whose members and archive have it from then on
"""

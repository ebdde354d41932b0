"""The tables, as SQLAlchemy Core sees them. `migrations/` makes them; a test keeps the two alike.

Rules of this file: columns say what is needed to find and to move things. What people wrote stands in
`content` alone, sealed, beside the random salt of its digest; the ledger has the digest, and `data_keys` the
key. (`blobs/` has attachments, sealed as well.) No column holds a name, an address or a text in clear.

    messages ◄── verdicts ◄── deliveries     nothing can be sent that was not judged, nothing judged that
       ▲             │                        was not archived: foreign keys say so (invariant 1)
       └── files     └── reviews              every row names the ledger entry that testifies to it
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    text,
)

from bridge.sealing import BODY, PAIR, RAW
from bridge.store.vault import Sealed

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


#: A number that we count ourselves, so that no engine leaves a gap; in SQLite it is the row's own.
Number = BigInteger().with_variant(Integer, "sqlite")

#: Text that is compared byte by byte on both engines: no order of words depends on a server's locale, and no
#: index on its libraries.
Word = String().with_variant(String(collation="C"), "postgresql")


def _partial(name: str, *columns: Column, where: str) -> Index:
    # An index over the few rows that are open: it stays small however long the history grows. A query
    # uses it only when its WHERE repeats these very words, with literals.
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


#: What `init` fixed for good: number of lanes, id of this installation.
meta = Table(
    "meta",
    metadata,
    Column("key", Word, primary_key=True),
    Column("value", Word, nullable=False),
)

#: One row a lane: who works it, and the right edge of its Merkle tree.
lanes = Table(
    "lanes",
    metadata,
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("owner", Word, nullable=False, server_default=""),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("frontier", LargeBinary, nullable=False),
)

#: Facts, in order. `subject` repeats what the entry says, to find an entry by it.
ledger = Table(
    "ledger",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("subject", Word, nullable=False, index=True),
    Column("entry", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "seq"),
    postgresql_partition_by="LIST (lane)",
)

#: The tree's root after each transaction: what narrows a break down to a few entries.
heads = Table(
    "heads",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "size"),
)

#: Roots of complete subtrees, at every fourth level: number `n` of those of 2**level leaves. They follow from
#: the leaves; because of them a proof reads a few rows, however large the tree is.
nodes = Table(
    "nodes",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "level", "n"),
)

#: Signed checkpoints of the tree: what was said to others about it, as it was said (C2SP signed notes).
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "size"),
)

#: What places outside answered to a checkpoint, where they cannot be asked again: time stamps, ids of posts.
#: Of folders and buckets the first one that was left there, with an empty answer: they are never begun anew.
witnessed = Table(
    "witnessed",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("witness", Word, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "size", "witness"),
)

#: What was written by people, beside the entry that has its digest.
content = Table(
    "content",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("body", Sealed(BODY), nullable=False),
    Column("raw", Sealed(RAW), nullable=False),
    PrimaryKeyConstraint("lane", "seq"),
    postgresql_partition_by="LIST (lane)",
)

#: The key of each record's content, wrapped by a store key. Without it the content is gone for good.
data_keys = Table(
    "data_keys",
    metadata,
    Column("lane", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lane", "seq"),
    postgresql_partition_by="LIST (lane)",
)

#: The key of each attachment, by the digest of its sealed file.
file_keys = Table(
    "file_keys",
    metadata,
    Column("digest", Word, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

#: What wraps those keys: itself wrapped by the master key `master`, which is not in the database.
store_keys = Table(
    "store_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("purpose", Word, nullable=False),  # records, tokens
    Column("master", Word, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("network", Word, nullable=False),
    Column("source_id", Word, nullable=False),
    Column("conversation", Word, nullable=False),
    Column("sender", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("archived_at", BigInteger, nullable=False),
    Column("state", Word, nullable=False),
    Column("pair", Integer, nullable=True),
    Column("notice_for", BigInteger, nullable=True),
    UniqueConstraint("network", "source_id"),
)
_partial("ix_messages_new", messages.c.lane, messages.c.id, where="state = 'new'")
_partial(
    "ix_messages_fetching",
    messages.c.network,
    messages.c.conversation,
    messages.c.id,
    where="state = 'fetching'",
)
_partial("ix_messages_failed", messages.c.network, messages.c.archived_at, where="kind = 'failed'")
#: The bridge's own words about a message: they share its fate.
_partial("ix_messages_notices", messages.c.notice_for, where="notice_for IS NOT NULL")
#: What a search for blocked messages goes by.
_partial("ix_messages_blocked", messages.c.state, messages.c.id, where="state = 'blocked'")
#: What was said before in a conversation.
Index("ix_messages_conversation", messages.c.conversation, messages.c.id)

files = Table(
    "files",
    metadata,
    Column("message", ForeignKey("messages.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("network", Word, nullable=False),
    Column("state", Word, nullable=False),  # wanted, archived, missing
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger, nullable=False, server_default="0"),
    Column("digest", Word, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False, server_default="-1"),
    Column("entry", BigInteger, nullable=False, server_default="-1"),  # with the inspection
    PrimaryKeyConstraint("message", "n"),
)
_partial("ix_files_wanted", files.c.network, files.c.next_at, where="state = 'wanted'")

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("message", ForeignKey("messages.id"), nullable=False, index=True),
    Column("entry", BigInteger, nullable=False),
    Column("outcome", Word, nullable=False),
    Column("cause", Word, nullable=False),
    Column("at", BigInteger, nullable=False),
)

#: The outbox. `id` is the order of delivery within a conversation.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("permit", Word, nullable=False, unique=True),
    Column("message", ForeignKey("messages.id"), nullable=False, index=True),
    Column("verdict", ForeignKey("verdicts.id"), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("network", Word, nullable=False),
    Column("conversation", Word, nullable=False),
    Column("marks", Word, nullable=False, server_default=""),
    Column("state", Word, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("uncertain", Integer, nullable=False, server_default="0"),
    Column("first_try_at", BigInteger, nullable=False, server_default="0"),
    Column("above", Word),  # the permit whose words every try is shown below, "" for none; NULL: never tried
    Column("done_at", BigInteger, nullable=False, server_default="0"),
    Column("reason", Word, nullable=False, server_default=""),
)
_partial(
    "ix_deliveries_open",
    deliveries.c.network,
    deliveries.c.conversation,
    deliveries.c.id,
    where="state IN ('ready', 'claimed', 'waiting')",
)
_partial("ix_deliveries_stuck", deliveries.c.network, deliveries.c.id, where="state IN ('parked', 'failed')")

#: The networks' own ids of what we sent: what a recall, a reply or a late failure names.
receipts = Table(
    "receipts",
    metadata,
    Column("network", Word, nullable=False),
    Column("id", Word, nullable=False),
    Column("permit", Word, nullable=False, index=True),
    PrimaryKeyConstraint("network", "id"),
)

#: Held messages. `waits`: later messages of the conversation wait behind this one. `marked`: the other
#: side was shown that something is missing here. `gated`: nothing but the client's consent is missing.
#: `due_at`: when it was to be decided (0: no limit), `if_late` what happens then, `late_at` when it did.
reviews = Table(
    "reviews",
    metadata,
    Column("message", ForeignKey("messages.id"), primary_key=True),
    Column("verdict", ForeignKey("verdicts.id"), nullable=False),
    Column("network", Word, nullable=False),
    Column("conversation", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("waits", Integer, nullable=False, server_default="0"),
    Column("marked", Integer, nullable=False, server_default="0"),
    Column("opened_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger, nullable=False, server_default="0"),
    Column("entry", BigInteger, nullable=False, server_default="-1"),
    Column("queue", Word, nullable=False, server_default=""),
    Column("due_at", BigInteger, nullable=False, server_default="0"),
    Column("if_late", Word, nullable=False, server_default=""),
    Column("late_at", BigInteger, nullable=False, server_default="0"),
    Column("gated", Integer, nullable=False, server_default="0"),
)
_partial("ix_reviews_open", reviews.c.network, reviews.c.conversation, where="state = 'open'")
_partial("ix_reviews_due", reviews.c.due_at, where="state = 'open' AND late_at = 0 AND due_at > 0")

#: Positions in the networks' streams that are ours to keep.
cursors = Table(
    "cursors",
    metadata,
    Column("network", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("value", Word, nullable=False),
    PrimaryKeyConstraint("network", "name"),
)

#: One row a chat that we write into: what counts against its reply window, and when its next delivery is
#: due. `due_at` is a hint that saves searching the outbox; the deliveries themselves say what may be sent.
chats = Table(
    "chats",
    metadata,
    Column("network", Word, nullable=False),
    Column("conversation", Word, nullable=False),
    Column("lane", Integer, nullable=False, server_default="0"),
    Column("last_inbound_at", BigInteger, nullable=False, server_default="0"),
    Column("inbound", BigInteger, nullable=False, server_default="0"),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("network", "conversation"),
    Index("ix_chats_due", "network", "lane", "due_at"),
)

#: Who may talk to whom: one advisor and one contact. Several advisors may share a stream with one contact.
pairs = Table(
    "pairs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", Word, nullable=False),  # active, ended
    Column("advisor", Word, nullable=False),
    Column("stream", Word, nullable=False, index=True),
    Column("contact", Word, nullable=False, index=True),  # open_kfid/external_userid
    Column("body", Sealed(PAIR, "entry"), nullable=False),  # names, address, languages, tags: JSON
    Column("made_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False, server_default="0"),
)

#: What clients were asked and agreed to: one row a gate and contact. `entry` testifies to what was last.
consents = Table(
    "consents",
    metadata,
    Column("gate", Word, nullable=False),  # "policy/id"
    Column("contact", Word, nullable=False),  # open_kfid/external_userid
    Column("lane", Integer, nullable=False),
    Column("asked_at", BigInteger, nullable=False, server_default="0"),
    Column("given_at", BigInteger, nullable=False, server_default="0"),
    Column("entry", BigInteger, nullable=False),
    PrimaryKeyConstraint("contact", "gate"),
)

#: When something was last said in a conversation: an annotation to its reader ("policy/id"), or to staff
#: that a rule acted ("to ADDRESS: rules"). A hint: what each verdict knew of it stands in its record.
said = Table(
    "said",
    metadata,
    Column("network", Word, nullable=False),
    Column("conversation", Word, nullable=False),
    Column("key", Word, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("network", "conversation", "key"),
)

#: Delivered messages that may be reviewed afterwards, by the rule that says so. `day` is that of the
#: verdict, UTC; `entry` testifies to the last thing that happened to it.
samples = Table(
    "samples",
    metadata,
    Column("message", ForeignKey("messages.id"), nullable=False),
    Column("key", Word, nullable=False),  # "policy/rule"
    Column("verdict", ForeignKey("verdicts.id"), nullable=False),
    Column("day", Word, nullable=False),
    Column("queue", Word, nullable=False),
    Column("percent", Word, nullable=False),
    Column("state", Word, nullable=False),  # eligible, drawn, spared, closed
    Column("entry", BigInteger, nullable=False, server_default="-1"),
    PrimaryKeyConstraint("message", "key"),
)
Index("ix_samples_day", samples.c.day, samples.c.key)
_partial("ix_samples_drawn", samples.c.message, samples.c.key, where="state = 'drawn'")

#: Copies outside: one row for each archive that must have a record, and each revision of it there (1: as it
#: was judged, 2: with all that became of it). `sha256` is that of the bytes that are there; `entry` testifies
#: to the last thing that happened; `upto`: the entries about the message before this number are in it.
#: `closed`: of revision 1, that revision 2 was asked for. `held` and `until` are what the archive was last
#: told: a legal hold, and until when (milliseconds) it locks.
copies = Table(
    "copies",
    metadata,
    Column("message", ForeignKey("messages.id"), nullable=False),
    Column("destination", Word, nullable=False),  # "policy/id"
    Column("revision", Integer, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", Word, nullable=False),  # wanted, kept, parked
    Column("since", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger, nullable=False, server_default="0"),
    Column("sha256", Word, nullable=False, server_default=""),
    Column("entry", BigInteger, nullable=False, server_default="-1"),
    Column("reason", Word, nullable=False, server_default=""),
    Column("closed", Integer, nullable=False, server_default="0"),
    Column("held", Integer, nullable=False, server_default="0"),
    Column("until", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("message", "destination", "revision"),
)
_partial("ix_copies_wanted", copies.c.destination, copies.c.message, where="state = 'wanted'")
_partial("ix_copies_parked", copies.c.destination, copies.c.reason, where="state = 'parked'")
_partial("ix_copies_open", copies.c.message, where="revision = 1 AND closed = 0")

#: Policy files that decided or were proposed: each once, by its hash. Their bytes are content.
policies = Table(
    "policies",
    metadata,
    Column("hash", Word, primary_key=True),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
)

#: Proposed sets of policy files, from proposal to the end. `due_at`: when an approved one comes into force.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("state", Word, nullable=False),
    Column("due_at", BigInteger, nullable=False, server_default="0"),
)

#: Plans of disposal, from the plan to its certificate. `digest` is of the list in `disposal_list`; a plan
#: that nobody ran by `expires_at` is stale. `erasure` is the request that it answers, 0 for none.
disposals = Table(
    "disposals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("state", Word, nullable=False),  # planned, running, done, withdrawn
    Column("digest", Word, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("erasure", Integer, nullable=False, server_default="0"),
)

#: The records of each plan, with what they were kept by and until when.
disposal_list = Table(
    "disposal_list",
    metadata,
    Column("disposal", ForeignKey("disposals.id"), nullable=False),
    Column("message", ForeignKey("messages.id"), nullable=False),
    Column("class", Word, nullable=False),
    Column("until", BigInteger, nullable=False),
    PrimaryKeyConstraint("disposal", "message"),
)

#: Records whose keys and content were destroyed. `entry` testifies to it.
disposed = Table(
    "disposed",
    metadata,
    Column("message", ForeignKey("messages.id"), primary_key=True, autoincrement=False),
    Column("disposal", ForeignKey("disposals.id"), nullable=False, index=True),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
)

#: Requests of people to be forgotten. Who asked, and what was answered, is content of their entries.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("answer", BigInteger, nullable=False, server_default="-1"),
    Column("due_at", BigInteger, nullable=False),
)

#: How long a message's record lives: the class that governs, what its period runs from, and when it is over
#: (NULL while that has not happened). `entry` testifies to it. Notices have none: they go with their message.
terms = Table(
    "terms",
    metadata,
    Column("message", ForeignKey("messages.id"), primary_key=True),
    Column("entry", BigInteger, nullable=False),
    Column("key", Word, nullable=False),  # "policy/id"
    Column("start", Word, nullable=False),  # creation, or an event
    Column("until", BigInteger, nullable=True, index=True),
)

#: Legal holds, standing or lifted. What each covers stands in the content of its entry.
holds = Table(
    "holds",
    metadata,
    Column("name", Word, primary_key=True),
    Column("lane", Integer, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("state", Word, nullable=False),  # standing, proposed (to be lifted), lifted
    Column("placed_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False, server_default="0"),
)

"""The ledger's tables, for SQLite and PostgreSQL alike; a change needs a step in ``migrations``.

``lines`` is the index by order: one line per data row that names an order, in the order of the
key, so that looking an order up and adding a sorted drop both stay cheap. Acceptance is a property
of the chunk plus exceptions (``verdicts``): no update per row.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

metadata = sa.MetaData()

_ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")
"""Compared byte by byte, as SQLite does: faster than by a language's rules, and the same order."""

version = sa.Table("schema_version", metadata, sa.Column("number", sa.Integer, nullable=False))

drops = sa.Table(
    "drops",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("drop_id", sa.String, nullable=False, unique=True),
    sa.Column("folder", sa.String, nullable=False),
    sa.Column("source_file", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False, index=True),
    sa.Column("received_at", sa.String, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False, default=0),
    sa.Column("sha256", sa.String, nullable=False, default="", index=True),
    sa.Column("courier", sa.String, nullable=False, default=""),
    sa.Column("parent", sa.String),
    sa.Column("same_as", sa.String),
    sa.Column("started_at", sa.String),
    sa.Column("finished_at", sa.String),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("request", sa.String, nullable=False, default="", index=True),
    sa.Column("facts", sa.JSON, nullable=False, default=dict),
    sa.Column("root", sa.String, nullable=False, default="", server_default=""),
    sa.Column("closing", sa.Integer, nullable=False, default=0, server_default="0", index=True),
    sa.Column("need", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Column("to_do", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Column("rows", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Index(
        "ix_drops_list",
        *("to_do", "received_at", "courier", "state", "source_file", "drop_id", "parent"),
        *("need", "rows", "sha256"),
    ),
    sa.Index("ix_drops_parent", "parent"),
    sqlite_autoincrement=True,
)
"""``closing``: drops are numbered in the order of the commits that close them; 0: not closed since
there are such numbers. Notices go by it, not by ``finished_at``: that is the moment before the
report was written, which takes long for some.

``need``, ``to_do``, ``rows``: sums of ``facts``, for lists of many drops: rows that need a person,
1 while something is left to do, all data rows. ``ix_drops_list`` holds the columns that a list
filters and sorts by: facts may be large, and are read only for the drops that are shown."""

chunks = sa.Table(
    "chunks",
    metadata,
    sa.Column("drop_seq", sa.Integer, primary_key=True),
    sa.Column("no", sa.Integer, primary_key=True),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("outcome", sa.String),
    sa.Column("http_status", sa.Integer),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("code", sa.String, nullable=False, default=""),
    sa.Column("message", sa.String, nullable=False, default=""),
    sa.Column("sent_at", sa.String, nullable=False, default=""),
    sqlite_with_rowid=False,
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("drop_seq", sa.Integer, primary_key=True),
    sa.Column("chunk_no", sa.Integer, primary_key=True),
    sa.Column("pos", sa.Integer, primary_key=True),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("code", sa.String, nullable=False),
    sa.Column("message", sa.String, nullable=False),
    sa.Column("http_status", sa.Integer),
    sqlite_with_rowid=False,
)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("drop_seq", sa.Integer, nullable=False),
    sa.Column("chunk_no", sa.Integer, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("http_status", sa.Integer),
    sa.Column("note", sa.String, nullable=False),
    sa.Column("positions", sa.String, nullable=False),
    sa.Index("receipts_by_chunk", "drop_seq", "chunk_no"),
)

WENT_BACK = sa.text("(said = 2 OR said = 4 AND status = 3)")
"""Rows that say that a parcel goes back to the seller (``Said.ON_ITS_WAY_BACK``) or came there."""

lines = sa.Table(
    "lines",
    metadata,
    sa.Column("order_id", _ID, primary_key=True),
    sa.Column("drop_seq", sa.Integer, primary_key=True),
    sa.Column("idx", sa.Integer, primary_key=True),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("sheet", sa.SmallInteger, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("chunk", sa.Integer),
    sa.Column("pos", sa.SmallInteger, nullable=False),
    sa.Column("said", sa.SmallInteger, nullable=False, default=0, server_default=sa.text("0")),
    sa.Column("awb", sa.String, nullable=False, default="", server_default=""),
    sa.Column("event_ms", sa.BigInteger),
    sqlite_with_rowid=False,
)
"""``said``: what the row says of its parcel (``schemas.parcels.Said``), ``awb`` as it stands in the
file and ``event_ms``: empty where it says nothing that a later file is held against.

The index ``ix_lines_went_back`` over the AWBs of the lines of ``WENT_BACK`` is made as text: told
of an index over some lines, SQLAlchemy loads the dialects of both databases."""


#: Several workers on one ledger (``pipeline.cluster``). Moments are seconds since the epoch by the
#: database's own clock. A worker's line is its right to act: with it goes all it had taken up.
workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("root", sa.String, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),
    sa.Column("draining", sa.Boolean, nullable=False, default=False),
    sa.Column("wants", sa.Integer, nullable=False, default=0),
    sa.Column("calls", sa.Integer, nullable=False, default=0),
    sa.Column("rate", sa.Float, nullable=False, default=0.0),
)

posts = sa.Table(
    "posts",
    metadata,
    sa.Column("key", _ID, primary_key=True),
    sa.Column("owner", sa.ForeignKey("workers.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("since", sa.Float, nullable=False),
)

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("drop_seq", sa.Integer, primary_key=True),
    sa.Column("wave", sa.Integer, primary_key=True),
    sa.Column("no", sa.Integer, primary_key=True),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False, default=False),
    sa.Column("since", sa.Float, nullable=False, default=0.0),
    sqlite_with_rowid=False,
)

signals = sa.Table(
    "signals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("quiet_until", sa.Float, nullable=False, default=0.0),
    sa.Column("shut_until", sa.Float, nullable=False, default=0.0),
    sa.Column("held", sa.Boolean, nullable=False, default=False),
    sa.Column("reason", sa.String, nullable=False, default=""),
    sa.Column("hint", sa.String, nullable=False, default=""),
)

#: What stays of the rows of an old drop: which statuses of which orders were accepted. When is kept
#: by the drop's own end: a line per order is many lines, so there is nothing in it but numbers. The
#: drop may be gone (``retention.drops_days``); the order's line stays.
accepted = sa.Table(
    "accepted",
    metadata,
    sa.Column("order_id", _ID, primary_key=True),
    sa.Column("status", sa.SmallInteger, primary_key=True),
    sa.Column("drop_seq", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: The drops whose rows are given up. ``done``: nothing of them but ``accepted`` is left.
compacted = sa.Table(
    "compacted",
    metadata,
    sa.Column("drop_seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False, index=True),
)


#: Drops whose lines were written ahead, and whose chunks were not yet: what a freeze left that did
#: not end. Its lines are removed when such a drop is frozen, forgotten or closed.
unfrozen = sa.Table(
    "unfrozen",
    metadata,
    sa.Column("drop_seq", sa.Integer, primary_key=True, autoincrement=False),
)


#: Roots whose ledger was begun anew on purpose, though their folders show a past.
beginnings = sa.Table(
    "beginnings",
    metadata,
    sa.Column("root", sa.String, primary_key=True),
    sa.Column("at", sa.String, nullable=False),
)


Columns = Mapping[str, Sequence[object]]
Names = Sequence[str]
Run = tuple[int, int, int, tuple[object, ...]]
"""Chunks of a drop from a first to a last one, and the values to write into all of them."""

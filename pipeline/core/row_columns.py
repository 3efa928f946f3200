"""The columns of rows on their way: as they wait in the spool, and as a results file has them."""

import pyarrow as pa

from schemas.codes import Code
from schemas.vocabulary import Role

#: One row of a validated and transformed block. ``item`` is the update as JSON text, "" where
#: nothing is to be sent; ``event_ms`` milliseconds since the epoch, UTC; ``footer`` marks rows
#: that are a footer if no data row follows them; ``auto`` those whose order's pickup was reported
#: by auto-dispatch; ``said`` what the row says of its parcel (``schemas.parcels.Said``);
#: ``around`` the evidence about it, should it come back (``validation.evidence.kept``).
PREPARED = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("order_id", pa.string(), nullable=False),
        pa.field("awb", pa.string(), nullable=False),
        pa.field("source_status", pa.string(), nullable=False),
        pa.field("status", pa.int8(), nullable=False),
        pa.field("event_ms", pa.int64()),
        pa.field("disposition", pa.int8(), nullable=False),
        pa.field("footer", pa.bool_(), nullable=False),
        pa.field("auto", pa.bool_(), nullable=False),
        pa.field("said", pa.int8(), nullable=False),
        pa.field("around", pa.string(), nullable=False),
        pa.field("codes", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
    ]
)

#: One line per row of the drop, in its order: the plan's decision. ``codes`` and ``message`` are
#: what planning adds to validation's.
PLANNED = pa.schema(
    [
        pa.field("disposition", pa.int8(), nullable=False),
        pa.field("leader", pa.int32(), nullable=False),
        pa.field("chunk", pa.int32(), nullable=False),
        pa.field("pos", pa.int8(), nullable=False),
        pa.field("codes", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)

#: One line of a results file without the two columns that are the same for the whole drop.
RESULT = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("order_id", pa.string(), nullable=False),
        pa.field("awb", pa.string(), nullable=False),
        pa.field("source_status", pa.string(), nullable=False),
        pa.field("order_status", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("codes", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("chunk", pa.int32()),
        pa.field("http_status", pa.int32()),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("sent_at", pa.string(), nullable=False),
    ]
)

TOO_OLD = f"{Code.DATE_RANGE}:{Role.EVENT_TIME}"
"""The codes of a row that was rejected for nothing but the age of its event."""

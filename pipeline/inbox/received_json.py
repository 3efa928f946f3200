"""``received.json``: the receipt for the sender of a file."""

from pipeline.core.display import encodable
from pipeline.core.json_text import SCHEMA, json_text, utc_text
from pipeline.core.model import Drop


def received_json(drop: Drop) -> bytes:
    """Give ``received.json``: the receipt that is written as soon as a file is claimed.

    ``sha256`` is null as long as the file has not been read.
    """
    return json_text(
        {
            "schema": SCHEMA,
            "drop_id": drop.drop_id,
            "source_file": encodable(drop.source_file),
            "folder": encodable(drop.folder),
            "size": drop.size,
            "sha256": drop.sha256 or None,
            "received_at": utc_text(drop.received_at),
        }
    )

"""The script most people would write: pandas, pandera, a loop over one reused ``httpx.Client``.

``python -m benchmarks.rivals.script URL FILE``. It keeps no record, repeats nothing after a
failure and writes no results; it is here for its time only.
"""

import sys
from typing import Any

import httpx
import pandas as pd
import pandera.pandas as pa

STATUSES = {
    "Delivered": "delivery_done",
    "Picked Up": "bag_picked",
    "RTO Delivered": "rto_bag_delivered",
}
SCHEMA = pa.DataFrameSchema(
    {
        "Order ID": pa.Column(str, pa.Check.str_matches(r"^\d{20}$"), unique=True),
        "Status": pa.Column(str, pa.Check.isin(STATUSES)),
        "Reason Code": pa.Column(str, pa.Check.str_matches(r"^\d*$")),
    }
)
CHUNK = 20


def item(row: dict[str, Any]) -> dict[str, Any]:
    """One row as the API wants it."""
    meta = {
        "remark": row["Remarks"],
        "reasonCode": int(row["Reason Code"]),
        "dpLocation": row["Last Scan Location"],
        "promised_delivery_date": row["Promise Date"],
        "estimated_delivery_date": row["Expected Date"],
    }
    return {
        "orderId": row["Order ID"],
        "orderStatus": STATUSES[row["Status"]],
        "meta": {key: value for key, value in meta.items() if value != ""},
    }


def main(url: str, path: str) -> None:
    """Read, check, send."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame = SCHEMA.validate(frame, lazy=True)
    with httpx.Client(headers={"x-access-token": "benchmark"}, timeout=30) as client:
        for start in range(0, len(frame), CHUNK):
            rows = frame.iloc[start : start + CHUNK].to_dict("records")
            items = [item({str(key): value for key, value in row.items()}) for row in rows]
            client.put(url + "/oms/v3/shipment/status", json=items).raise_for_status()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

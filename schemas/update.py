"""The outgoing item of ``PUT /oms/v3/shipment/status`` and its limits (docs/konnect-api.md).

``{"orderId": text, "orderStatus": text, "meta": {…}}``; ``meta`` and each of its keys are left out
when there is nothing to say, never null or empty.
"""

from typing import NotRequired, TypedDict

from schemas.limits import REASON_MOST

REASON_SHAPE = rf"0|[1-9][0-9]{{0,{len(str(REASON_MOST)) - 1}}}"
"""A reason that is sent as a number: a plain integer without a leading zero."""


class Meta(TypedDict, total=False):
    """Optional facts beside the status. The two dates are texts, ``YYYY-MM-DD`` by default."""

    remark: str
    reasonCode: int
    dpLocation: str
    promised_delivery_date: str
    estimated_delivery_date: str


class Update(TypedDict):
    """One order's next status."""

    orderId: str
    orderStatus: str
    meta: NotRequired[Meta]


META_KEYS = tuple(Meta.__annotations__)
"""The keys of ``meta``, in the order they are written."""

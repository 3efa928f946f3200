"""The parts of a row that was given back which are kept for the file in which it returns."""

from msgspec import Struct


class RejectedRow(Struct, frozen=True, kw_only=True):
    """A row of an earlier drop that was given back. Earlier builds kept less: there it is "".

    ``order_id`` and ``awb`` as the file had them; ``milestone``: its status, 0 where that is
    not known; ``said``: its status, type and direction, as one text;
    ``codes``: of its own faults; ``around``: the evidence about it (``validation.kept_evidence``).
    """

    sheet: str
    order_id: str
    awb: str = ""
    milestone: int = 0
    said: str = ""
    codes: str = ""
    around: str = ""

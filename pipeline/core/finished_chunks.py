"""How the chunks of a drop ended, as columns: a large drop has a hundred thousand of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from schemas.vocabulary import Outcome

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_NUMBER: dict[str | None, int] = {None: -1, **{each.value: at for at, each in enumerate(Outcome)}}


class ChunkEnds(Struct, frozen=True, kw_only=True):
    """What ``ports.Chunk`` says of each chunk's end, one value per chunk, ``no`` ascending.

    ``outcome``: its place in ``Outcome``, -1 for none. ``sending``: marked as on its way.
    ``http_status``: -1 for none. ``remark``: the place in ``said`` of its code and message.
    """

    no: "npt.NDArray[np.int32]"
    sending: "npt.NDArray[np.bool_]"
    outcome: "npt.NDArray[np.int8]"
    http_status: "npt.NDArray[np.int32]"
    attempts: "npt.NDArray[np.int32]"
    sent_at: "pa.Array"
    remark: "npt.NDArray[np.int32]"
    said: Sequence[tuple[str, str]]

    @classmethod
    def of(
        cls,
        *,
        no: Sequence[int],
        sending: Sequence[bool],
        outcome: Sequence[str | None],
        http_status: Sequence[int | None],
        attempts: Sequence[int],
        sent_at: Sequence[str],
        code: Sequence[str],
        message: Sequence[str],
    ) -> "ChunkEnds":
        """The columns, from values as ``ports.Chunk`` and the ledger have them."""
        import numpy as np  # what opens a ledger need not settle a drop
        import pyarrow as pa

        remarks = list(zip(code, message, strict=True))
        said = {each: at for at, each in enumerate(dict.fromkeys(remarks))}
        return cls(
            no=np.array(no, dtype=np.int32),
            sending=np.array(sending, dtype=np.bool_),
            outcome=np.array(list(map(_NUMBER.__getitem__, outcome)), dtype=np.int8),
            http_status=np.array([-1 if s is None else s for s in http_status], dtype=np.int32),
            attempts=np.array(attempts, dtype=np.int32),
            sent_at=pa.array(sent_at, pa.string()),
            remark=np.array(list(map(said.__getitem__, remarks)), dtype=np.int32),
            said=tuple(said),
        )

    @property
    def calls(self) -> tuple[int, int]:
        """Calls that left, and those among them that repeated another."""
        return int(self.attempts.sum()), int((self.attempts - 1).clip(0).sum())

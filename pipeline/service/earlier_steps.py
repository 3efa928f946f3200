"""Earlier steps of an order, which a later one must know before it goes.

Within a drop its queue remembers them wave by wave; what another drop left in doubt is looked up.
"""

from collections.abc import Callable, Mapping, Sequence

from pipeline.core.chunk_body import ChunkBody
from pipeline.core.chunk_columns import FreshChunks
from pipeline.core.ports import Chunk, ChunkState, Verdict
from pipeline.core.shipment import Before, Earlier
from pipeline.planning.replan import doubts
from pipeline.storage.ledger import SqlLedger
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome


def doubts_of(
    drop_seq: int,
    chunks: Sequence[Chunk],
    verdicts: Sequence[Verdict],
    body: Callable[[int, int], bytes],
    ledger: SqlLedger,
) -> Mapping[int, Earlier]:
    """Number of a chunk → order id → the earlier step of the order that another drop left in doubt.

    The ledger is asked, as it stands now, only about chunks that wait for one (``EARLIER_OPEN``) or
    are in doubt: a row that waits and a row whose answer was lost look alike in a chunk in doubt.
    """
    held = {v.chunk_no for v in verdicts if v.code == Code.EARLIER_OPEN}
    waiting = [each for each in _to_look_at(chunks) if each.state is not ChunkState.DONE]
    waiting += [each for each in chunks if each.no in held] if held else []
    if not waiting:
        return {}
    heads: dict[int, list[tuple[str, Milestone]]] = {}
    for chunk in waiting:
        chunk_body = ChunkBody(body(chunk.offset, chunk.length), chunk.size)
        heads[chunk.no] = [chunk_body.head(pos) for pos in range(chunk.size)]
    orders = sorted({order_id for each in heads.values() for order_id, _ in each})
    every = [head for each in heads.values() for head in each]
    found = doubts(every, ledger.standing(orders, but_seq=drop_seq))
    return {
        no: {head[0]: _before(*found[head]) for head in each if head in found}
        for no, each in heads.items()
    }


def _to_look_at(chunks: Sequence[Chunk]) -> list[Chunk]:
    if isinstance(chunks, FreshChunks):  # there may be a hundred thousand, and hardly any waits
        return [chunks[no] for no, waits in enumerate(chunks.behind_doubt) if waits]
    return [
        each
        for each in chunks
        if each.code == Code.EARLIER_OPEN or each.state is ChunkState.SENDING
    ]


def _before(step: Milestone, is_open: bool) -> Before:  # noqa: FBT001 - as ``doubts`` has it
    code = "" if is_open else Code.ANSWER_UNCLEAR.value
    return Before(milestone=step, outcome=Outcome.UNKNOWN, code=code)

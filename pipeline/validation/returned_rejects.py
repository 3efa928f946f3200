"""A corrected rejects file and the drop it came from: found, unguarded, its ids restored."""

from collections.abc import Mapping
from typing import Protocol

from pipeline.core.model import Block, Manifest, ReadTally, Sheet
from pipeline.validation import rejects_file
from pipeline.validation.columns import ColumnMap
from schemas.vocabulary import Role


class Family(Protocol):
    """What is known of earlier drops, for a rejects file that comes back."""

    def courier(self, drop_id: str) -> str | None: ...
    def rejected_ids(self, drop_id: str) -> Mapping[tuple[str, int], tuple[str, ...]]: ...


def parent_of(manifest: Manifest, family: Family) -> str | None:
    """The drop that a rejects file came from: the first it names that we know."""
    for sheet in manifest.sheets:
        if not rejects_file.is_rejects_header(sheet.headers):
            continue
        block = next(iter(sheet.blocks(ReadTally())), None)
        named = (
            rejects_file.references(unguarded(block, sheet, manifest), sheet.headers)
            if block
            else []
        )
        for drop_id in dict.fromkeys(reference[0] for reference in named if reference):
            if family.courier(drop_id) is not None:
                return drop_id
    return None


def couriers(block: Block, headers: tuple[str, ...], family: Family) -> list[str | None]:
    """Return for each row the courier of the drop that it came from, None where nobody knows it."""
    found: dict[str, str | None] = {}
    told = []
    for reference in rejects_file.references(block, headers):
        drop_id = reference[0] if reference else ""
        if drop_id not in found:
            found[drop_id] = family.courier(drop_id) if drop_id else None
        told.append(found[drop_id])
    return told


def unguarded(block: Block, sheet: Sheet, manifest: Manifest) -> Block:
    """The block with its cells as they were before we guarded them."""
    return rejects_file.restore(
        block, sheet.headers, rejects_file.origin(manifest.kind, sheet.name)
    )


def restored(block: Block, headers: tuple[str, ...], mapping: ColumnMap, family: Family) -> Block:
    """Give ids back that a spreadsheet damaged, where the parent knows them."""
    column = mapping.columns[Role.ORDER_ID]
    drops = {found[0] for found in rejects_file.references(block, headers) if found}
    originals: dict[tuple[str, int], tuple[str, ...]] = {}
    for drop_id in sorted(drops):
        originals |= family.rejected_ids(drop_id)
    if not originals:
        return block
    return rejects_file.restore_ids(block, headers, column, originals)

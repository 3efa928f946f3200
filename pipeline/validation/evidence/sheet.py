"""Facts of a sheet that all collectors of its evidence know."""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.model import Block
from pipeline.validation.columns import ColumnMap
from pipeline.validation.evidence.cells import which
from pipeline.validation.evidence.sources import column_named
from pipeline.validation.evidence.traits import Trait, Traits
from schemas.courier import Profile
from schemas.directions import is_list_of_fates, way_named
from schemas.normalise import fold
from schemas.notes import is_legend
from schemas.parcels import is_before_pickup, is_failed_attempt
from schemas.statuses import Direction, StatusMeaning
from schemas.vocabulary import Milestone, Role


class SheetContext(Struct, kw_only=True):
    """A sheet whose evidence is collected. ``first``: none of its blocks was read yet."""

    mapping: ColumnMap
    profile: Profile
    traits: Traits
    first: bool = True

    @property
    def read_for_itself(self) -> dict[Role, int]:
        """Return the columns by their roles, without a type of statuses that the profile ignores.

        So are its words evidence.
        """
        table = self.profile.statuses
        typed = table.by_type or table.joined
        columns = self.mapping.columns.items()
        return {role: at for role, at in columns if typed or role is not Role.STATUS_TYPE}

    def column(self, at: int) -> str:
        """Return how messages name a column."""
        return column_named(self.mapping.headers, at)

    def trait_of(self, status: str, kind: str) -> Trait | None:
        """Return what a status, with its type, shows of its sheet, None where it shows nothing."""
        ruling = self.profile.statuses.rule(status, status_type=kind)
        if ruling.milestone == Milestone.RTO_BAG_DELIVERED:
            return Trait.RTO_ENDS
        on_its_way = ruling.meaning is StatusMeaning.NO_MILESTONE and way_named(status) is None
        if ruling.milestone == Milestone.BAG_PICKED or (on_its_way and is_before_pickup(status)):
            return Trait.PICKUPS
        return Trait.FAILURES if on_its_way and is_failed_attempt(status) else None

    def has_others(self, at: int, block: Block, filled: pa.Array) -> bool:
        """Return whether a column is filled for parcels on the way to customers, too: RTO Days.

        ``filled``: where it is.
        """
        own = block.cells[self.mapping.columns[Role.STATUS]]
        forward = which(
            own,
            lambda status: (
                self.trait_of(status, "") is Trait.PICKUPS
                or re.search(r"^out for delivery$|^ofd$", fold(status)) is not None
            ),
        )
        found = pc.any(pc.and_(forward, filled)).as_py()
        return self.traits.holds(at, Trait.PICKUPS, found=bool(found), matters=True)

    def ways_told_apart(self, block: Block) -> Callable[[str, Direction | None], bool]:
        """Return a test for names that claim RTO of a sheet whose own statuses tell the ways apart.

        *RTO Delivered* for some rows, and others that only happen on the way to a customer: a
        pickup, and an attempt that failed. Beside a name that lists NDR or deliveries too, and for
        a legend, one of these two is enough. A legend of *Undelivered* means rows that say so.
        """
        at, kinds = self.mapping.columns[Role.STATUS], self.mapping.columns.get(Role.STATUS_TYPE)
        types = pa.repeat("", len(block)) if kinds is None else block.cells[kinds]
        pairs = {*zip(block.cells[at].to_pylist(), types.to_pylist(), strict=True)}
        seen = {trait for status, kind in pairs if (trait := self.trait_of(status, kind))}
        told = {
            trait: self.traits.holds(at, trait, found=trait in seen, matters=True)
            for trait in (Trait.RTO_ENDS, Trait.PICKUPS, Trait.FAILURES)
        }
        ends = told.pop(Trait.RTO_ENDS)

        def apart(name: str, said: Direction | None) -> bool:
            legend = is_legend(name)
            if said is Direction.RTO:
                some = legend or is_list_of_fates(name)
                return ends and (any if some else all)(told.values())
            attempts = legend and said is Direction.UNDELIVERED and is_failed_attempt(name)
            return attempts and told[Trait.FAILURES]

        return apart

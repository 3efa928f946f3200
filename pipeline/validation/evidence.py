"""Evidence in a file about its shipments, outside the columns that are read for it.

Facts only: each block is given the cells that say a direction or another status, by where they
stand; statuses are resolved with them (``validation.status_resolution``).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from pipeline.core.model import Block, ListedIds, Sheet
from pipeline.core.profile_by_name import is_named
from pipeline.validation.columns import WORDS, ColumnMap, data_header, is_ours
from pipeline.validation.direction_columns import (
    NEARLY_ALL,
    SEEN,
    DirectionColumn,
    first_texts,
    sound,
    written_out,
)
from pipeline.validation.listed_ids import (
    columns_of_lists,
    lists_below,
    lists_beside,
    lists_of_tabs,
    said_by_lists,
)
from pipeline.validation.sheet_dates import events
from pipeline.validation.sheet_traits import Trait, Traits
from schemas.courier import Profile
from schemas.denials import denial_of
from schemas.direction_headings import (
    OF_CARRIER,
    OF_RETURN,
    is_of_customers,
    look_of,
    only_of_returns,
    plain_look,
)
from schemas.directions import (
    back_beside,
    direction_of,
    fate_named,
    is_list_of_fates,
    speaks_against,
    way_named,
    way_of_file,
    words_apart,
)
from schemas.display import quoted
from schemas.headings import is_free_text, words_of
from schemas.looks import ALONE, Asks, Look
from schemas.normalise import fold, fold_header, is_absent
from schemas.notes import (
    is_legend,
    is_title,
    said_of_all,
    said_of_row,
    sides_of,
    told_by_comment,
    told_of_rows,
)
from schemas.order_ids import only_digits
from schemas.parcels import (
    BACK_IN_ID,
    SHORT_IN_ID,
    WAY_OF_ACCOUNT,
    WORD_IN_ID,
    counts_delivered,
    is_before_pickup,
    is_cancelled,
    is_failed_attempt,
    parts_delivered,
)
from schemas.status_headings import (
    AsksStatus,
    asks_status,
    gives_status,
    hides_status,
    misspells_another,
)
from schemas.statuses import Direction, StatusMeaning, StatusTable
from schemas.tab_days import columns_of_days, days_of, is_of_later_day
from schemas.vocabulary import FINALS, UNCALCULATED, Milestone, Role

_FILE_NAME = "the name of the file"
_FOLDER_NAME = "the name of its folder"
_TABLE_NAME = "the name of its table"
NAMES = frozenset({_FILE_NAME, _FOLDER_NAME, _TABLE_NAME})
"""How messages name a claim that such a name makes; it holds only where nothing else speaks."""

_TITLE = "the title above its rows"
_LINE = "the line above its rows"
_NOTE = "the note below its rows"
_CROSSED_OUT = "the line that crosses its cells out"
_COMMENT = "the comment on "
_COLUMN = "the column "


def around(
    sheet: Sheet,
    file_name: str,
    folder: str | None,
    profile: Profile,
    headers: Sequence[str],
    *,
    tabs: Sequence[str],
) -> dict[str, str]:
    """Return where a whole sheet may say its direction: its tab, and the file's or folder's name.

    Also the name that a spreadsheet program has for its table, and comments on its headings. A name
    counts only where no column says a direction (``Evidence``), and a file's without the words of a
    heading in it: ``rto_awb.csv`` with a column RTO AWB is called after it. A folder's name
    counts only where the file's says none, and where it is not the very name of the profile.
    """
    found, tab = {}, sheet.name
    for at, comment in sheet.comments.items():
        if (words := said_of_all(comment)) and not is_ours(headers[at]):
            found[f"{_COMMENT}the heading {quoted(headers[at])}"] = words
    speaks = fate_named(tab) is not None or back_beside(tab, tabs)
    if speaks and fold_header(tab) not in profile.nothing:
        found[f"the tab {quoted(tab)}"] = tab
    meant = any(fnmatchcase(file_name.casefold(), pattern) for pattern in profile.nothing)
    own = _without_patterns(file_name, profile.file_names)
    if not meant and way_of_file(_without_headings(own, headers)) is not None:
        found[_FILE_NAME] = file_name
    elif folder and _tells(folder, profile):
        found[_FOLDER_NAME] = folder
    if fold_header(sheet.table) not in profile.nothing and way_of_file(sheet.table) is not None:
        found[_TABLE_NAME] = sheet.table
    return found


def _without_patterns(file_name: str, patterns: Sequence[str]) -> str:
    """Return a file's name without what the courier's patterns have in words: ``*acme_rto*``."""
    for pattern in patterns:
        if fnmatchcase(file_name.casefold(), pattern):
            for word in filter(None, re.split(r"[*?]+|\[[^]]*\]", pattern)):
                file_name = re.sub(re.escape(word), " ", file_name, flags=re.IGNORECASE)
    return file_name


def _without_headings(file_name: str, headers: Sequence[str]) -> str:
    """Return a file's name, folded, without headings of two words and more that stand in it."""
    bare = fold(words_apart(file_name))
    for heading in sorted(map(fold_header, headers), key=len, reverse=True):
        if " " in heading:
            bare = bare.replace(heading, " ")
    return bare


def _tells(folder: str, profile: Profile) -> bool:
    known = is_named(folder, profile) or fold_header(folder) in profile.nothing
    return not known and way_of_file(folder) is not None


class Evidence:
    """Looks through the blocks of one sheet, in their order.

    ``traits``: what is known of the whole sheet; each block adds to it. ``lists``: what tabs
    without a table say of ids. ``only_sheet``: whether no other sheet of the file has rows.
    """

    def __init__(
        self,
        mapping: ColumnMap,
        profile: Profile,
        *,
        title: str,
        traits: Traits,
        lists: Sequence[ListedIds] = (),
        only_sheet: bool = True,
    ) -> None:
        self._mapping = mapping
        self._profile = profile
        self._only_sheet = only_sheet
        self._title = self._of_sheet = self._way_titled(title)
        self._line = ""
        self._traits = traits
        self._first = True
        self._above: dict[int, str] = {}
        self._looks = dict(self._candidates())
        self._directions = {
            at: DirectionColumn(
                at, look, traits, profile.ways.get(data_header(mapping.headers[at]))
            )
            for at, look in self._looks.items()
        }
        self._own = mapping.columns.get(Role.DIRECTION)
        if self._own is not None:
            words = Look(asks=Asks.WORDS)
            self._directions[self._own] = DirectionColumn(self._own, words, traits)
        self._statuses = dict(self._status_columns())
        self._accounts = [
            at
            for at, heading in enumerate(mapping.headers)
            if words_of(heading) & {"account", "client"} and at not in mapping.columns.values()
            if data_header(heading) not in profile.nothing
        ]
        self._denials = {
            at: denial
            for at, heading in enumerate(mapping.headers)
            if at not in mapping.columns.values() and (denial := denial_of(heading)) is not None
            if data_header(heading) not in profile.nothing
        }
        self._counts = counts_delivered(mapping.headers)
        self._parts = parts_delivered(mapping.headers)
        self._lists = lists_of_tabs(lists, profile)
        self._columns_of_lists = columns_of_lists(mapping, profile)
        self._days = [
            at
            for at in columns_of_days(mapping.headers)
            if at not in mapping.columns.values() and at not in mapping.helpers.values()
        ]
        self._passed: Mapping[int, pa.Array] = {}
        self.heard: dict[str, str] = {}
        self._named = {name: mapping.around[name] for name in NAMES & {*mapping.around}}
        self._tabs = {tab: words for tab, words in mapping.around.items() if tab not in NAMES}

    def put_into(self, block: Block) -> Block:
        """Return the block with the cells that say a direction or a status elsewhere.

        ``heard`` keeps what spoke: its name in messages → what about.
        """
        whole, block = block, self._with_dittos(block)
        said, self._passed = {}, self._days_passed(block)
        own, directed = self._own, False
        if own is not None:
            directed = _says_something(block.cells[own])
            claims = self._directions[own].open_below(block.cells[own])
            if claims is not None:
                said[self._column(own)] = claims
        for at, look in self._looks.items():
            claims = self._claims(at, look, block)
            if look is not None and look.asks in ALONE:
                directed |= self._directions[at].is_of_directions
            else:
                directed |= _is_of_directions(block.cells[at], look, claims)
            if claims is not None:
                said[self._column(at)] = claims
        said |= self._denied(block, said)
        self._note_legends(block)
        said |= self._lines_around(block) | self._by_hand(block) | self._pieces_missing(block)
        said |= self._listed(block, said)
        for source, marked in self._ids_marked(block).items():
            said.setdefault(source, marked)
        names = self._tabs if directed else self._tabs | self._named
        if names:
            apart = self._ways_told_apart(block)
            said |= {
                source: pa.repeat(words, len(block))
                for source, words in names.items()
                # A tab beside others is called after what sets its rows apart from theirs.
                if not (
                    (self._only_sheet or source in NAMES)
                    and apart(words, direction_said(source, words))
                )
            }
        others = {}
        for at, asks in self._statuses.items():
            statuses = self._other_statuses(at, block.cells[at], asks)
            if statuses is not None:
                statuses = self._unordered(at, statuses, block)
                others[self._column(at)] = self._of_now(statuses, block, self._passed.get(at))
        self.heard |= dict.fromkeys(others, "status") | dict.fromkeys(said, "direction")
        said |= self._second_awbs(block)
        self._first = False
        return replace(whole, said=said, others=others) if said or others else whole

    def _with_dittos(self, block: Block) -> Block:
        """Return the block with what stands above in place of ditto marks, where evidence is."""
        cells = [*block.cells]
        for at in {*self._looks, *self._statuses}:
            cells[at] = written_out(cells[at], self._above.get(at, ""))
            self._above[at] = cells[at][-1].as_py() if len(block) else ""
        return replace(block, cells=tuple(cells))

    def _days_passed(self, block: Block) -> dict[int, pa.Array]:
        """Return of each column of a day in which rows a later day's says something."""
        found, later = {}, pa.repeat(False, len(block))
        for at in reversed(self._days):
            found[at] = later
            later = pc.or_(later, pc.invert(_which(block.cells[at], _says_nothing)))
        return found

    def _of_now(self, statuses: pa.Array, block: Block, passed: pa.Array | None) -> pa.Array:
        """Return the statuses of a day's column without those that a later day passed.

        An end counts whenever it was, and so does a way back beside what goes to the customer.
        """
        if passed is None:
            return statuses
        rule, own = self._profile.statuses.rule, block.cells[self._mapping.columns[Role.STATUS]]
        ends = _which(statuses, lambda cell: rule(cell).milestone in FINALS or is_cancelled(cell))
        back = _which(statuses, lambda cell: way_named(cell) not in {None, Direction.FORWARD})
        out = _which(own, lambda cell: rule(cell).milestone in _OUTWARD)
        stays = pc.or_(ends, pc.and_(back, out))
        return pc.if_else(pc.and_not(passed, stays), "", statuses)

    def _ways_told_apart(self, block: Block) -> Callable[[str, Direction | None], bool]:
        """Return a test for names that claim RTO of a sheet whose own statuses tell the ways apart.

        *RTO Delivered* for some rows, and others that only happen on the way to a customer: a
        pickup, and an attempt that failed. Beside a name that lists NDR or deliveries too, and for
        a legend, one of these two is enough. A legend of *Undelivered* means rows that say so.
        """
        at, kinds = self._mapping.columns[Role.STATUS], self._mapping.columns.get(Role.STATUS_TYPE)
        types = pa.repeat("", len(block)) if kinds is None else block.cells[kinds]
        pairs = {*zip(block.cells[at].to_pylist(), types.to_pylist(), strict=True)}
        seen = {trait for status, kind in pairs if (trait := self._trait_of(status, kind))}
        told = {
            trait: self._traits.holds(at, trait, found=trait in seen, matters=True)
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

    def _needless(self, block: Block, lines: Iterable[str]) -> set[str]:
        """Return the legends of what the sheet's own statuses say: Red = RTO; and its title so."""
        legends = {line for line in lines if is_legend(line)} | ({self._of_sheet} - {""})
        if not legends:
            return set()
        apart = self._ways_told_apart(block)
        return {line for line in legends if apart(line, told_of_rows(line))}

    def _trait_of(self, status: str, kind: str) -> Trait | None:
        ruling = self._profile.statuses.rule(status, status_type=kind)
        if ruling.milestone == Milestone.RTO_BAG_DELIVERED:
            return Trait.RTO_ENDS
        on_its_way = ruling.meaning is StatusMeaning.NO_MILESTONE and way_named(status) is None
        if ruling.milestone == Milestone.BAG_PICKED or (on_its_way and is_before_pickup(status)):
            return Trait.PICKUPS
        return Trait.FAILURES if on_its_way and is_failed_attempt(status) else None

    def _listed(self, block: Block, said: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Return what lists of ids say of rows; ``said``: also the titles above rows."""
        titles = [said[source] for source in (_TITLE, _LINE) if source in said]
        for each, ids in chain(
            lists_beside(block, self._mapping, self._columns_of_lists),
            lists_below(block, self._mapping, titles),
        ):
            self._traits.list(each, ids, first=self._first)
        return said_by_lists(block, self._mapping, {**self._lists, **self._traits.lists})

    def _other_statuses(self, at: int, cells: pa.Array, asks: AsksStatus) -> pa.Array | None:
        """Return the cells that are statuses, "" for the others; None where there are none."""
        table = self._profile.statuses
        if asks is AsksStatus.MOSTLY:
            first = first_texts(cells)
            mostly = _mostly_statuses(sound(first), table)
            some = not all(map(is_absent, first))
            if not self._traits.holds(at, Trait.STATUSES, found=mostly, matters=some):
                return None
        encoded = cells.dictionary_encode()
        words = encoded.dictionary.to_pylist()
        if asks is AsksStatus.ENDS:
            ends = [
                cell.strip()
                if table.rule(cell).milestone in FINALS or hides_status(cell, table)
                else ""
                for cell in words
            ]
            return pa.array(ends, pa.string()).take(encoded.indices) if any(ends) else None
        named = asks is not AsksStatus.MOSTLY
        known = [
            cell.strip()
            if gives_status(cell, table, numbers=asks is AsksStatus.ANY)
            or hides_status(cell, table)
            or (
                named
                and len(cell) < SEEN
                and any(
                    speaks_against(cell, each) or misspells_another(cell, each, table)
                    for each in Milestone
                )
            )
            else ""
            for cell in words
        ]
        return pa.array(known, pa.string()).take(encoded.indices) if any(known) else None

    def _unordered(self, at: int, statuses: pa.Array, block: Block) -> pa.Array:
        """Return further statuses without those that say nothing where the profile orders them.

        What is behind says nothing of an end, nor what is further on of a pickup: Unicommerce's
        SHIPPED is the seller's word.
        """
        listed = data_header(self._mapping.headers[at]) in self._profile.headers[Role.STATUS]
        if Role.STATUS not in self._profile.orders or not listed:
            return statuses
        rule, picked = self._profile.statuses.rule, Milestone.BAG_PICKED
        own = block.cells[self._mapping.columns[Role.STATUS]]
        of_pickup = _which(own, lambda cell: rule(cell).milestone == picked)
        denied = _which(statuses, lambda cell: speaks_against(cell, picked))
        behind = _which(
            statuses,
            lambda cell: (
                rule(cell).milestone == picked
                or (
                    rule(cell).meaning is StatusMeaning.NO_MILESTONE
                    and not speaks_against(cell, Milestone.DELIVERY_DONE)
                )
            ),
        )
        return pc.if_else(pc.and_not(pc.or_(behind, of_pickup), denied), "", statuses)

    def _column(self, at: int) -> str:
        return column_named(self._mapping.headers, at)

    def _status_columns(self) -> list[tuple[int, AsksStatus]]:
        """Return the further columns that may hold statuses."""
        listed, passed = self._profile.headers[Role.STATUS], self._profile.nothing
        mapping = self._mapping
        times = {at for at, _ in events(mapping)}
        used = {*mapping.columns.values()}
        used |= {
            other
            for some in (mapping.duplicates, mapping.rivals)
            for each in some.values()
            for other in each
        }
        codes = "code" in words_of(mapping.header(Role.STATUS))
        words = set() if codes else {mapping.helpers.get(WORDS, -1)}
        used |= {*mapping.helpers.values()} - times - words
        found = []
        for at, header in enumerate(mapping.headers):
            folded = data_header(header)
            if at in used or at in mapping.hidden or is_ours(header) or folded in passed:
                continue
            known = folded in listed or mapping.is_like(at, Role.STATUS)
            asks = AsksStatus.ANY if known else asks_status(header)
            if asks is not None:
                found.append((at, asks))
        return found

    def _candidates(self) -> list[tuple[int, Look | None]]:
        columns, helpers = self._mapping.columns, self._mapping.helpers
        known = {Role.ORDER_ID, Role.STATUS, Role.STATUS_TYPE, Role.DIRECTION, Role.LOCATION}
        passed = {columns[role] for role in known if role in columns}
        passed |= {other for each in self._mapping.duplicates.values() for other in each}
        if self._profile.filled_rto_awb:
            passed |= {*helpers.values()}
        used = {*columns.values(), *helpers.values()}
        found: list[tuple[int, Look | None]] = []
        returns = only_of_returns(self._mapping.headers)
        for at, header in enumerate(self._mapping.headers):
            folded = data_header(header)
            if at in passed or is_ours(header) or folded in self._profile.nothing:
                continue
            if is_of_customers(header):
                continue
            known_words = folded in self._profile.ways
            look = look_of(header) if header.strip() else Look(asks=Asks.NOTES)
            if at == columns.get(Role.REMARK) or (look is None and is_free_text(header)):
                look = Look(asks=Asks.REMARKS)
            if look is None and self._mapping.is_like(at, Role.DIRECTION):
                look = look_of(self._mapping.like[at][1])
            if at in returns:
                look = OF_RETURN
            elif look is None:
                look = OF_CARRIER if at == columns.get(Role.COURIER) else plain_look(header)
            # A column with a role of its own is looked at only where its heading names a way.
            named = look is not None and look.asks not in {Asks.WORDS, Asks.NOTES, Asks.PLAIN}
            if at not in used or named or known_words or (look is not None and look.carriers):
                found.append((at, look))
        return found

    def _lines_around(self, block: Block) -> dict[str, pa.Array]:
        """Return for each row the title that it stands under, and the note below it, if any.

        A note may stand in a later block. One that says forward takes none back.
        """
        alone = self._alone(block)
        told = (self._title, *self._traits.notes.values(), *(line for _, line, _ in alone))
        needless = self._needless(block, told)
        titles = ["" if self._title in needless else self._title]
        notes, rests = [""], ["", self._line]
        of_title, of_note, of_rest = np.zeros((3, len(block)), dtype=np.int64)
        of_rest[:] = 1
        last = self._last_row(block, [at for at, _, _ in alone])
        for at, line, is_rest in (each for each in alone if each[1] not in needless):
            title = self._way_titled(line)
            if is_rest:
                if title:
                    of_rest[at:] = len(rests)
                    rests.append(title)
                continue
            of_above, of_below = sides_of(line) if title else (False, True)
            row = int(block.rows[at])
            if of_above or (at > last and self._traits.is_last(row, line)):
                self._traits.note(row, line, first=self._first)
            if of_below:
                of_title[at:], of_rest[at:] = len(titles), 0
                titles.append(title)
        self._title, self._line = titles[-1], rests[of_rest[-1]]
        needed = (each for each in self._traits.notes.items() if each[1] not in needless)
        for row, line in sorted(needed):
            above = block.rows < row
            if fate_named(line) is Direction.FORWARD:
                above &= of_note == 0
            of_note[above] = len(notes)
            notes.append(line)
        found = {}
        for source, lines, index in (
            (_TITLE, titles, of_title),
            (_LINE, rests, of_rest),
            (_NOTE, notes, of_note),
        ):
            if any(lines):
                found[source] = pa.array(lines, pa.string()).take(pa.array(index))
        return found

    def _claims(self, at: int, look: Look | None, block: Block) -> pa.Array | None:
        """Return the claims of a column.

        The AWB of its row says nothing as that of the way out, nor do words of a day (27-Nov)
        before the event's.
        """
        claims = self._directions[at].claims(block.cells[at], block.kinds.get(at))
        heading, when = self._mapping.headers[at], self._mapping.columns.get(Role.EVENT_TIME)
        if claims is not None and at in self._passed:
            failed = pc.starts_with(claims, f"{Direction.UNDELIVERED}:")
            claims = pc.if_else(pc.and_(failed, self._passed[at]), "", claims)
        if claims is not None and when is not None and days_of([heading]) != [-1]:
            later = _which(block.cells[when], lambda event: is_of_later_day(event, heading))
            claims = pc.if_else(later, "", claims)
        if claims is None or look is None or look.asks is not Asks.FILLED:
            return claims
        if look.partly and self._has_others(
            at, block, pc.invert(_which(block.cells[at], _says_nothing))
        ):
            return None
        same = self._own_awbs(at, block)
        needless = look.partly or (same is not None and self._is_for_all(at, block, same))
        return claims if same is None or not needless else pc.if_else(same, "", claims)

    def _own_awbs(self, at: int, block: Block) -> pa.Array | None:
        """Return where a column has the AWB of its row once more, None where it nowhere does."""
        of_awbs = self._mapping.columns.get(Role.AWB)
        if of_awbs in {None, at}:
            return None
        other, own = (pc.utf8_trim_whitespace(block.cells[each]) for each in (at, of_awbs))
        same = pc.and_(pc.equal(other, own), pc.not_equal(own, ""))
        return same if pc.any(same).as_py() else None

    def _second_awbs(self, block: Block) -> dict[str, pa.Array]:
        """Return where the second AWB, which a profile reads itself, is the row's own.

        It says nothing where all parcels have theirs there; elsewhere couriers write the AWB of
        the way back into both.
        """
        at = self._mapping.helpers.get("rto_awb")
        same = None if at is None else self._own_awbs(at, block)
        if at is None or same is None or not self._is_for_all(at, block, same):
            return {}
        return {self._column(at): pc.if_else(same, f"{Direction.BLANK}:", "")}

    def _is_for_all(self, at: int, block: Block, same: pa.Array) -> bool:
        """Tell whether a column has the own AWBs of parcels on the way to customers, too.

        Those that are picked up or out for delivery, or failed attempts beside *RTO Delivered*.
        """
        if self._has_others(at, block, same):
            return True
        own = block.cells[self._mapping.columns[Role.STATUS]]
        seen = {self._trait_of(each, "") for each in pc.unique(own.filter(same)).to_pylist()}
        both = [
            self._traits.holds(at, trait, found=trait in seen, matters=True)
            for trait in (Trait.RTO_ENDS, Trait.FAILURES)
        ]
        return all(both)

    def _has_others(self, at: int, block: Block, filled: pa.Array) -> bool:
        """Tell whether a column is filled for parcels on the way to customers, too: RTO Days.

        ``filled``: where it is.
        """
        own = block.cells[self._mapping.columns[Role.STATUS]]
        forward = _which(
            own,
            lambda status: (
                self._trait_of(status, "") is Trait.PICKUPS
                or re.search(r"^out for delivery$|^ofd$", fold(status)) is not None
            ),
        )
        found = pc.any(pc.and_(forward, filled)).as_py()
        return self._traits.holds(at, Trait.PICKUPS, found=bool(found), matters=True)

    def _denied(self, block: Block, said: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Return where a column denies the milestone of its row's status: RTO Received, No."""
        found = {}
        if self._denials:
            statuses = block.cells[self._mapping.columns[Role.STATUS]].dictionary_encode()
            ruled = map(self._profile.statuses.rule, statuses.dictionary.to_pylist())
            milestones = np.array([each.milestone for each in ruled])[statuses.indices]
        for at, denial in self._denials.items():
            source, cells = self._column(at), block.cells[at].dictionary_encode()
            bare = said.get(source, pa.repeat("", len(block)))
            words = [
                f"{Direction.DENIED}:{cell.strip()}" if denial.holds(cell) else ""
                for cell in cells.dictionary.to_pylist()
            ]
            claims = pa.array(words, pa.string()).take(cells.indices)
            of_these = np.isin(milestones, [*denial.milestones])
            mine = pc.and_(pa.array(of_these), pc.not_equal(claims, ""))
            some = bool(pc.any(mine).as_py())
            others = (fold(cell) for cell in cells.dictionary.to_pylist() if not denial.holds(cell))
            contrary = not denial.unless_all or source in said or not all(map(is_absent, others))
            if self._traits.holds(at, Trait.SAID, found=contrary, matters=some) and some:
                found[source] = pc.if_else(mine, claims, bare)
        return found

    def _note_legends(self, block: Block) -> None:
        for at, line in self._legends(block):
            self._traits.note(_OF_ALL + at, line, first=self._first)

    def _legends(self, block: Block) -> Iterator[tuple[int, str]]:
        """Give the legends beside the table, in headings or below none: Red = RTO."""
        headers = self._mapping.headers
        for at, heading in enumerate(headers):
            lines = {heading, " ".join(headers[at : at + 2])}
            yield from ((at, line) for line in lines if is_legend(line))
        bare = [at for at, heading in enumerate(headers) if not heading.strip()]
        filled = np.zeros(len(block), dtype=np.bool_)
        for at in bare:
            filled |= ~_empty(block.cells[at])
        if filled.sum() <= SEEN:
            for row in np.flatnonzero(filled):
                line = " ".join(block.cells[at][row].as_py() for at in bare).strip()
                if is_legend(line):
                    yield len(headers) + int(block.rows[row]), line

    def _last_row(self, block: Block, alone: Sequence[int]) -> int:
        """Return the last row of a block that is no line alone and has an id or status, or -1.

        Where there is one, lines of earlier blocks have rows below them.
        """
        columns = self._mapping.columns
        empty = _empty(block.cells[columns[Role.ORDER_ID]]) & _empty(
            block.cells[columns[Role.STATUS]]
        )
        empty[list(alone)] = True
        filled = np.flatnonzero(~empty)
        if not len(filled):
            return -1
        self._traits.more_below(int(block.rows[0]))
        return int(filled[-1])

    def _by_hand(self, block: Block) -> dict[str, pa.Array]:
        """Return which rows are crossed out, and comments that name a way or a fate.

        In a rejects file the comments are ours.
        """
        ours = any(map(is_ours, self._mapping.headers))
        found: dict[str, list[str]] = {}
        for at, fact in block.facts.items():
            comment = "" if ours else said_of_row(fact.comment)
            for source, text in (
                (_CROSSED_OUT, "x" * fact.crossed_out),
                (f"{_COMMENT}its cells", comment),
            ):
                if text:
                    found.setdefault(source, [""] * len(block))[at] = text
        return {source: pa.array(texts, pa.string()) for source, texts in found.items()}

    def _pieces_missing(self, block: Block) -> dict[str, pa.Array]:
        """Return where fewer pieces were delivered than there are: Delivered Pieces 1 of 2."""
        found = {}
        for done, every in self._counts:
            delivered, pieces = _numbers(block.cells[done]), _numbers(block.cells[every])
            fewer = delivered < pieces
            if "delivered" not in words_of(self._mapping.headers[done]):
                fewer &= bool((delivered > 0).any())  # a column of noughts is not filled in
            if fewer.any():
                texts = pc.binary_join_element_wise(block.cells[done], block.cells[every], " of ")
                claims = pc.binary_join_element_wise(Direction.UNDELIVERED, texts, ":")
                found[self._column(done)] = pc.if_else(pa.array(fewer), claims, "")
        for done in self._parts:
            encoded = block.cells[done].dictionary_encode()
            words = encoded.dictionary.to_pylist()
            counts = not all(map(_is_nought, filter(str.strip, words)))
            told = [
                f"{Direction.UNDELIVERED}:{cell}"
                if _is_part(cell) or (counts and _is_nought(cell))
                else ""
                for cell in words
            ]
            if any(told):
                parts = pa.array(told, pa.string()).take(encoded.indices)
                counted = found.get(self._column(done), "")
                found[self._column(done)] = pc.if_else(pc.equal(parts, ""), counted, parts)
        return found

    def _ids_marked(self, block: Block) -> dict[str, pa.Array]:
        """Return which order ids and AWBs have a part that says RTO: FYA1001-RTO, RTO-99A1001.

        RET may be a shop's own where every id has it, and so may RTO in the name of an account.
        """
        found = {}
        for role in (Role.ORDER_ID, Role.AWB):
            at = self._mapping.columns.get(role)
            if at is None:
                continue
            cells = block.cells[at]
            if (
                only_digits(cells)
                or not pc.any(pc.match_substring_regex(cells, WORD_IN_ID)).as_py()
            ):
                plain = pc.any(pc.not_equal(cells, "")).as_py()
                self._traits.holds(at, Trait.PLAIN_IDS, found=bool(plain), matters=False)
                continue
            sure = pc.match_substring_regex(cells, BACK_IN_ID)
            maybe = pc.match_substring_regex(cells, SHORT_IN_ID)
            some = pc.any(maybe).as_py()
            plain = not pc.all(pc.or_(maybe, pc.equal(cells, ""))).as_py()
            if self._traits.holds(at, Trait.PLAIN_IDS, found=plain, matters=some) and some:
                sure = pc.or_(sure, maybe)
            count = pc.sum(sure).as_py() or 0
            if count:
                texts = cells if count <= SEEN else pa.repeat("RTO", len(cells))
                claims = pc.binary_join_element_wise(Direction.BACK, texts, ":")
                found[self._column(at)] = pc.if_else(sure, claims, "")
        for at in self._accounts:
            cells = block.cells[at]
            marked = pc.match_substring_regex(cells, WAY_OF_ACCOUNT)
            some = bool(pc.any(marked).as_py())
            plain = not pc.all(pc.or_(marked, pc.equal(cells, ""))).as_py()
            if self._traits.holds(at, Trait.PLAIN_IDS, found=plain, matters=some) and some:
                claims = pc.binary_join_element_wise(Direction.BACK, cells, ":")
                found[self._column(at)] = pc.if_else(marked, claims, "")
        return found

    def _alone(self, block: Block) -> list[tuple[int, str, bool]]:
        """Return the rows in which one cell stands alone, or few words: titles, and notes.

        In the column of the statuses only one that names a way: else it is a row without an id.
        With each, whether it may be the rest of a row, by a status, an id or a date: it holds the
        rows below it like a title, and is not the end of the title above.
        """
        columns = self._mapping.columns
        of_ids, of_statuses = columns[Role.ORDER_ID], columns[Role.STATUS]
        found = []
        for at in np.flatnonzero(_empty(block.cells[of_ids]) | _empty(block.cells[of_statuses])):
            filled = [text for cells in block.cells if (text := cells[at].as_py().strip())]
            line = " ".join(filled)
            title = self._way_titled(line)
            has_status = bool(block.cells[of_statuses][at].as_py().strip())
            if len(filled) == 1 and not filled[0].isdigit():
                alone = bool(title) or not has_status
            else:
                alone = bool(title) and not has_status and is_title(filled)
            if alone:
                is_rest = not is_legend(line) and any(map(self._is_data, filled))
                found.append((int(at), line, is_rest))
        return found

    def _is_data(self, cell: str) -> bool:
        if any(map(str.isdigit, cell)) and (" " not in cell or not self._way_titled(cell)):
            return True
        known = {StatusMeaning.MILESTONE, StatusMeaning.NO_MILESTONE}
        return self._profile.statuses.rule(cell).meaning in known

    def _way_titled(self, title: str) -> str:
        known = fold_header(title) in self._profile.nothing
        return title if title and not known and told_of_rows(title) is not None else ""


_OUTWARD = frozenset({Milestone.BAG_PICKED, Milestone.DELIVERY_DONE})


def _says_nothing(cell: str) -> bool:
    return is_absent(fold(cell))


_OF_ALL = 1 << 40
"""Added to the number of a legend beside the table, which is one on all rows of its sheet."""


def column_named(headers: Sequence[str], at: int) -> str:
    """Return how messages name the source of what a column says."""
    heading = " ".join(headers[at].split())
    return f"{_COLUMN}{quoted(heading) if heading else f'{at + 1}, which has no heading,'}"


def direction_said(source: str, cell: str) -> Direction:
    """Return the direction that a cell of ``Block.said``, or of ``ColumnMap.around``, means."""
    if source == _CROSSED_OUT:
        return Direction.WITHDRAWN
    if not is_column(source):
        if source in NAMES:
            return way_of_file(cell) or Direction.BLANK
        told = told_by_comment if source.startswith(_COMMENT) else told_of_rows
        return told(cell) or Direction.BACK  # a tab such as Inbound beside Outbound
    way, _, _ = cell.partition(":")
    return Direction(way)


def cell_said(source: str, cell: str) -> str:
    """Return such a cell as messages show it."""
    if source == _CROSSED_OUT:
        return ""
    return cell.partition(":")[2] if is_column(source) else cell


def is_column(source: str) -> bool:
    """Tell whether a direction is said by a column, not by a name or title."""
    return source.startswith(_COLUMN)


def _which(cells: pa.Array, tells: Callable[[str], bool]) -> pa.Array:
    """Tell of which cells something is true."""
    encoded = cells.dictionary_encode()
    found = [tells(cell) for cell in encoded.dictionary.to_pylist()]
    return pa.array(found, pa.bool_()).take(encoded.indices)


def _is_nought(cell: str) -> bool:
    """Tell whether a cell says that no piece was delivered: 0, 0.00."""
    return bool(re.fullmatch(r"\s*0+(?:\.0+)?\s*", cell))


def _is_part(cell: str) -> bool:
    """Tell whether a cell says that fewer were delivered than there are: 1 of 3, 1/3."""
    found = _PART.fullmatch(cell.strip().lower())
    return found is not None and int(found[1]) < int(found[2])


_PART = re.compile(r"([0-9]{1,4})\s*(?:/|of|out of)\s*([0-9]{1,4})")


def _numbers(cells: pa.Array) -> npt.NDArray[np.float64]:
    """Return the whole numbers in cells, and NaN for what is none."""
    encoded = cells.dictionary_encode()
    texts = [cell.strip().removesuffix(".0") for cell in encoded.dictionary.to_pylist()]
    known = [
        float(text) if text.isdecimal() and len(text) < _FEW_DIGITS else np.nan for text in texts
    ]
    found: npt.NDArray[np.float64] = np.array(known)[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


_FEW_DIGITS = 9


def _empty(cells: pa.Array) -> npt.NDArray[np.bool_]:
    empty: npt.NDArray[np.bool_] = pc.equal(pc.binary_length(cells), 0).to_numpy(
        zero_copy_only=False
    )
    return empty


def _is_of_directions(cells: pa.Array, look: Look | None, claims: pa.Array | None) -> bool:
    """Tell whether a column says of each row which way it goes, a no in Is RTO included.

    An RTO AWB does not: where it is empty, nothing is said.
    """
    if look is not None and look.way in {Direction.UNDELIVERED, Direction.WITHDRAWN}:
        return False
    if look is None or look.asks is not Asks.YES:
        return claims is not None and (look is None or look.asks is Asks.WORDS)
    return _says_something(cells)


def _says_something(cells: pa.Array) -> bool:
    """Tell whether a column has a cell that is neither nothing nor the error of a formula."""
    return not all(is_absent(each) or each == _UNCALCULATED for each in first_texts(cells))


_UNCALCULATED = fold(UNCALCULATED)


def _mostly_statuses(some: Sequence[str], table: StatusTable) -> bool:
    """Tell whether nearly all of some cells are statuses, and one of them a milestone."""
    words, known = Counter(some), list[str]()
    may_be, least = len(some), NEARLY_ALL * len(some)
    for word, count in words.most_common():
        if gives_status(word, table, numbers=False):
            known.append(word)
            continue
        may_be -= count
        if may_be < least:
            return False
    milestones = (table.rule(word).meaning is not StatusMeaning.NO_MILESTONE for word in known)
    return any(milestones) and not all(direction_of(word) for word in words)

"""Ids that stand in a list of what went elsewhere: on a tab of its own, below or beside the rows.

A tab RTO with AWBs alone says of other tabs' rows where these went.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.model import Block, ListedIds
from pipeline.validation.columns import ColumnMap, is_ours
from schemas.courier import Profile
from schemas.display import quoted
from schemas.headings import words_of
from schemas.normalise import fold_header
from schemas.notes import ids_among, tells_against
from schemas.parcels import AROUND_AN_ID
from schemas.vocabulary import Role
from schemas.word_lists import word_set

List = tuple[str, str]
"""How messages name a list, and the words that say what it is of."""


def lists_of_tabs(lists: Sequence[ListedIds], profile: Profile) -> dict[List, frozenset[str]]:
    """Return the ids that tabs without a table list, by the list."""
    found: dict[List, frozenset[str]] = {}
    for each in lists:
        if fold_header(each.tab) not in profile.nothing:
            key = f"the list on the tab {quoted(each.tab)}", each.words
            found[key] = found.get(key, frozenset()) | each.ids
    return found


def columns_of_lists(mapping: ColumnMap, profile: Profile) -> list[int]:
    """Return the columns that may list ids of other rows, by headings such as RTO orders.

    RTO AWB is of its own row, and an Exchange/Return Order was delivered before.
    """
    used = {*mapping.columns.values(), *mapping.helpers.values()}
    return [
        at
        for at, heading in enumerate(mapping.headers)
        if at not in used
        and not (is_ours(heading) or words_of(heading) & _OF_ITS_ROW)
        and fold_header(heading) not in profile.nothing
        and tells_against(heading)
    ]


_OF_ITS_ROW = word_set("awb code exchange id invoice no number ref reference replacement waybill")


def lists_beside(
    block: Block, mapping: ColumnMap, columns: Sequence[int]
) -> Iterator[tuple[List, frozenset[str]]]:
    """Give the ids of other rows that columns list whose headings say where these went."""
    for at in columns:
        listed = ids_among(pc.unique(block.cells[at]).to_pylist())
        if listed:
            cells = _bare(block.cells[at])
            own = [pc.equal(cells, ids) for ids in _ids(block, mapping)]
            others = cells.filter(pc.invert(pc.or_(*own) if own[1:] else own[0]))
            heading = " ".join(mapping.headers[at].split())
            yield ("the list beside the rows", heading), listed & {*pc.unique(others).to_pylist()}


def lists_below(
    block: Block, mapping: ColumnMap, titles: Sequence[pa.Array]
) -> Iterator[tuple[List, frozenset[str]]]:
    """Give the ids that stand alone below a title that says where these went."""
    if not titles:
        return
    empty = pc.equal(pc.utf8_trim_whitespace(block.cells[mapping.columns[Role.STATUS]]), "")
    for title in titles:
        for at in np.flatnonzero(pc.and_(empty, pc.not_equal(title, ""))):
            cells = [column[at].as_py() for column in block.cells]
            if tells_against(words := title[at].as_py()):
                yield ("the list below the rows", words), ids_among(cells)


def said_by_lists(
    block: Block, mapping: ColumnMap, lists: Mapping[List, Set[str]]
) -> dict[str, pa.Array]:
    """Return what lists say of rows, by the list's name in messages: its words, or ""."""
    found: dict[str, pa.Array] = {}
    ids = _ids(block, mapping) if lists else []
    here = {each for cells in ids for each in pc.unique(cells).to_pylist()}
    for (source, words), listed in lists.items():
        if not (mine := listed & here):
            continue  # a tab of notes has one list a line
        values = pa.array([*mine], pa.string())
        hits = [pc.is_in(each, value_set=values) for each in ids]
        hit = pc.or_(*hits) if hits[1:] else hits[0]
        before = found.get(source, pa.repeat("", len(block)))
        found[source] = pc.if_else(hit, words, before)
    return found


def _ids(block: Block, mapping: ColumnMap) -> list[pa.Array]:
    roles = (role for role in (Role.ORDER_ID, Role.AWB) if role in mapping.columns)
    return [_bare(block.cells[mapping.columns[role]]) for role in roles]


def _bare(cells: pa.Array) -> pa.Array:
    """Return cells as ``ids_among`` returns ids."""
    bare = pc.utf8_lower(pc.utf8_trim(cells, AROUND_AN_ID))
    return pc.replace_substring_regex(bare, r"^([0-9]+)\.0$", r"\1")

"""Columns that may deny the milestone of a row's status: RTO Received, No."""

import re

from msgspec import Struct

from schemas.date_headings import told_by
from schemas.direction_headings import ASKING
from schemas.directions import without_ticks
from schemas.headings import words_of
from schemas.normalise import FALSE_WORDS, TRUE_WORDS, fold
from schemas.vocabulary import Milestone
from schemas.word_lists import word_sets


class Denial(Struct, frozen=True, kw_only=True):
    """A column that may deny milestones: by a yes, a no (``of_no``) or these ``words``.

    ``unless_all``: only where other rows of it say the contrary.
    """

    milestones: frozenset[Milestone]
    of_no: bool = False
    words: str = ""
    unless_all: bool = False

    def holds(self, cell: str) -> bool:
        """Return whether a cell denies them."""
        folded = without_ticks(fold(cell)).strip()
        if self.words:
            return re.fullmatch(self.words, folded) is not None
        return folded in (FALSE_WORDS if self.of_no else TRUE_WORDS)


def denial_of(heading: str) -> Denial | None:
    """Return whether a column, by its heading, may deny milestones of its rows.

    The time of the delivery does by a word in its stead, where other rows have one.
    """
    told, planned = told_by(heading)
    if told == {Milestone.DELIVERY_DONE} and not planned:
        return Denial(milestones=told, words=_NO_TIME, unless_all=True)
    asked = words_of(heading) - ASKING
    return _DENIALS.get(frozenset(asked))


_NO_TIME = (
    r"\W*(?:await(?:ed|ing)\b.*|not (?:yet )?(?:delivered|received|done)|not yet|pending\b.*"
    r"|rt[os]\b.*|tb[acd]|to be .*|undelivered|(?:expected|tentative)\b.*"
    r"|.*\b(?:expected|tentative))\W*"
)


_PICKED = frozenset({Milestone.BAG_PICKED})
_FETCHED = frozenset({Milestone.RETURN_BAG_IN_TRANSIT})
_RETURNED = frozenset({Milestone.RETURN_BAG_DELIVERED})
_AT_SELLER = frozenset({Milestone.RTO_BAG_DELIVERED})
_TAKEN_BACK = "cancell?ed|lost|refused|rejected"
_NONE = r"0+(?:\.0+)?"
_DENIALS = {
    words: denial
    for denial, headings in (
        (
            Denial(milestones=_PICKED | _FETCHED, of_no=True),
            word_sets("picked, picked up, pickup done, pickup completed, pickup successful"),
        ),
        (
            Denial(milestones=_PICKED | _FETCHED),
            word_sets(
                "not picked, not picked up, pickup failed, pickup cancelled, pickup canceled, "
                "fake pickup, pickup refused, customer refused pickup"
            ),
        ),
        (
            Denial(
                milestones=_PICKED | _FETCHED,
                words="(?:pickup )?(?:cancell?ed|failed|not picked(?: up)?|pending)",
            ),
            word_sets("pickup status"),
        ),
        (
            Denial(milestones=_PICKED | _FETCHED, words=_NONE, unless_all=True),
            word_sets("picked qty, picked up qty, picked quantity"),
        ),
        (
            Denial(milestones=_PICKED, of_no=True, unless_all=True),
            word_sets("handed over, handed over to courier, manifested, shipped"),
        ),
        (
            Denial(milestones=_FETCHED, words=r"(?:qc )?(?:fail(?:ed)?|not ok|rejected)"),
            word_sets("qc, qc status, qc result, doorstep qc, doorstep qc status, pickup qc"),
        ),
        (
            Denial(milestones=_PICKED | _FETCHED | _RETURNED),
            word_sets("cancelled, canceled, cancel"),
        ),
        (
            Denial(milestones=_FETCHED | _RETURNED),
            word_sets("return cancelled, return canceled, return rejected, return refused"),
        ),
        (
            Denial(milestones=_FETCHED | _RETURNED, words=f"(?:return )?(?:{_TAKEN_BACK})"),
            word_sets("return status, return state"),
        ),
        (
            Denial(
                milestones=_FETCHED | _RETURNED,
                words="(?:pickup )?(?:cancell?ed|failed|not picked(?: up)?)",
            ),
            word_sets("return pickup status, reverse pickup status"),
        ),
        (
            Denial(milestones=_RETURNED),
            word_sets(
                "lost, return lost, return not received, disputed, dispute, return disputed, "
                "fake return, return fake"
            ),
        ),
        (
            Denial(milestones=_RETURNED, of_no=True),
            word_sets("return received, return accepted, return received by seller"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER, of_no=True, unless_all=True),
            word_sets("received at wh, received at warehouse"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER, of_no=True),
            word_sets("received by seller, seller accepted, accepted by seller, seller received"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER),
            word_sets("refused by seller, seller refused, rejected by seller, seller rejected"),
        ),
        (
            Denial(milestones=_RETURNED | _AT_SELLER, words=_NONE, unless_all=True),
            word_sets("received qty, received quantity, return received qty, rto received qty"),
        ),
        (
            Denial(milestones=_AT_SELLER, of_no=True, unless_all=True),
            word_sets("rto, rto received"),
        ),
        (
            Denial(milestones=_AT_SELLER, of_no=True),
            word_sets("rto received by seller, rto accepted"),
        ),
        (
            Denial(milestones=_AT_SELLER),
            word_sets(
                "rto cancelled, rto lost, rto dispute, rto disputed, rto not received, rto fake, "
                "fake rto, rto refused, rto rejected"
            ),
        ),
    )
    for words in headings
}

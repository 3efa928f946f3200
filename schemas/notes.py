"""Lines between and below the rows of a table: titles, and notes on where rows went."""

import re
from collections.abc import Iterable, Sequence

from schemas.directions import HARMLESS, OF_MONEY, fate_named, in_english, words_in
from schemas.headings import reads_as_footer
from schemas.normalise import fold, kept, visible
from schemas.statuses import Direction
from schemas.word_lists import word_set

_FEW_WORDS = 3
_MANY_WORDS = 12


@kept
def told_of_rows(line: str) -> Direction | None:
    """Return the way or fate that a title or note names, or that rows are not to be sent."""
    plain = visible(line)
    if _ASIDE.search(fold(plain)):
        return None
    return (None if _FOOTNOTE.match(plain) else fate_named(plain)) or _taken_back(plain)


def told_by_comment(bare: str) -> Direction | None:
    """Return what a comment without its author says of rows, or that they are not to be sent."""
    folded = fold(visible(bare))
    stopped = _STOPPED.search(folded) and "invoice" not in folded
    if stopped or _OF_BEFORE.search(folded):
        return None
    return told_of_rows(bare) or (Direction.WITHDRAWN if _VOID.fullmatch(folded) else None)


def said_of_row(comments: str) -> str:
    """Return the first of the comments on a row's cells that speaks against it, "" without one."""
    bare = map(_without_author, comments.split("\n"))
    return next((each for each in bare if told_by_comment(each) is not None), "")


def said_of_all(comment: str) -> str:
    """Return the words of a comment on a heading where they speak against its rows, else "".

    Most tell how to fill the column: Delivered, RTO, Lost; do not edit this column.
    """
    bare = _without_author(comment)
    words = fold(bare).split()
    if words_in(fold(bare)) & _HOW_TO_FILL or told_by_comment(bare) is None:
        return ""
    if _LEFT_OUT.search(fold(bare)):
        return ""
    plain = len(words) <= _FEW_WORDS and not re.search(r"[,;/|]", bare)
    return bare if plain or note_on_all(bare) or _NOT_TO_BE_SENT.search(fold(bare)) else ""


def _without_author(comment: str) -> str:
    """Return a comment without what programs put around it: Ravi: RTO; RTO -Ravi; a preface."""
    bare = _AUTHOR.sub("", comment).strip()
    words, _, name = bare.rpartition(" -")
    return words if words and told_of_rows(name) is None else bare


_AUTHOR = re.compile(r"^\[threaded comment\].*?\bcomment:|^[^:,;]{1,40}:(?= )", re.IGNORECASE)
_HOW_TO_FILL = word_set(
    "blank cell column columns empty field fill format formula if manually mandatory or select"
)


#: Comments on what was before, or is none of the parcel's: old AWB cancelled; returned the call.
_OF_BEFORE = re.compile(
    r"\bold (?:awb|order|waybill)\b(?!.*\bnew\b)|\b(?:1st|first) (?:attempt|try)\b"
    r"|^(?!.*\brto\b).*, (?:but|finally|later|now|then) delivered$"
    r"|\breturn(?:ed|ing)? (?:(?:her|his|the|their) )?calls?\b"
)
#: RTO rows removed; not: to be removed.
_LEFT_OUT = re.compile(r"(?<!\bbe )\b(?:deleted|excluded|filtered out|hidden|removed)$")
_VOID = re.compile(
    r"(?:(?:all|it|status(?:es)?|these|this) )*(?:(?:are|is|was|were) )?(?:assumed|expected"
    r"|incorrect|(?:by |a )?mistake|not (?:correct|final)|planned|provisional|tentative|wrong)"
    r"(?: (?:awb|date|entry|order|order id|row|status|time|update))?(?: only)?"
)


def tells_against(words: str) -> bool:
    """Return whether a title says that shipments did not come to their customers."""
    return told_of_rows(words) not in {None, Direction.FORWARD}


def tells_of_list(name: str) -> bool:
    """Return whether a tab of ids alone says by its name that they did not come to their customers.

    A customer's return comes after the delivery, and after one day's failed attempts it may come.
    """
    way = told_of_rows(name)
    if way in {None, Direction.FORWARD, Direction.RETURN} or _STOPPED.search(fold(visible(name))):
        return False
    of_a_day = is_of_attempts(name) or any(map(str.isdigit, name))
    return way is not Direction.UNDELIVERED or not of_a_day


def tells_of_one(line: str) -> bool:
    """Return whether a line on a tab says that an order went back or is not to be sent.

    Also that it was not delivered, where it says so in a sentence: FYA1003 is cancelled. In two
    cells, as on a tab of failed attempts, that may have been before.
    """
    said = told_of_rows(line)
    sure = {Direction.RTO, Direction.BACK, Direction.WITHDRAWN}
    if said is Direction.RETURN or _STOPPED.search(fold(visible(line))):
        return False
    return said in sure or (tells_against(line) and note_on_some(line))


#: A way back that came to nothing, or what is about papers: RTO stopped; not RTO; Lost & Found.
_STOPPED = re.compile(
    r"\brto (?:request )?(?:cancell?ed|denied|prevent(?:ed|ion)|reversed|revoked|risk|saved)\b"
    r"|\brto stopped\b|\b(?:fake|not|wrong|saved from) rto\b|\brto to reattempt\b"
    r"|\bdelivered after rto\b|\blost (?:& |and )found\b|\binvoices?\b"
    r"|\b(?:accepted|mistake), (?:now )?delivered$"
)


def ids_among(cells: Iterable[str]) -> frozenset[str]:
    """Return the cells that may be order ids or AWBs, in small letters: FYA1003, 1490511222."""
    bare = (cell.strip(_AROUND).casefold().removesuffix(".0") for cell in cells)
    return frozenset(each for each in bare if _MAY_BE_ID.fullmatch(each))


_AROUND = " \t\r\n'\"`=\u00a0:,;()*"
_MAY_BE_ID = re.compile(r"(?=(?:[^\d]*\d){3})(?!\d{1,4}$)[a-z0-9][\w/-]{3,}")


#: Greetings, advice, shares and counts: Regards, RTO Desk; in case of lost shipments write to us;
#: RTO % 12; Delivered: 40, RTO: 8.
_ASIDE = re.compile(
    r"^(?:(?:best|kind|warm) )?regards\b|^thanks?\b|^team\b|\bin case\b|\bwrite to\b|[a-z] ?%"
    r"|^(?:[a-z][a-z ]*[:=-] ?\d+(?: ?[,;|])? ?){2,}$"
)


def _taken_back(line: str) -> Direction | None:
    """Return what a line in other words says against rows: DO NOT UPLOAD, FYA1003 not received."""
    folded = in_english(fold(line))
    words = words_in(folded)
    if "if" in words or len(folded.split()) > _MANY_WORDS:
        return None
    of_one = names_an_id(line) or _ROW.search(folded)
    if (
        _NOT_SURE.fullmatch(folded)
        or _NOT_TO_BE_SENT.search(folded)
        or (of_one and words & _DROPPED)
    ):
        return Direction.WITHDRAWN
    if words & OF_MONEY:
        return None
    marked = _LEGEND.search(folded) and _CAME_BACK.search(folded)
    said = (
        marked
        or _ALL_BACK.search(folded)
        or _SECTION.fullmatch(folded)
        or (of_one and (words & _AGAINST or _ELSEWHERE.search(folded)))
    )
    return Direction.UNDELIVERED if said else None


def is_of_attempts(words: str) -> bool:
    """Return whether the name of a tab, or its first row, is of failed attempts: NDR, Attempt 2."""
    return not words_in(fold(words)).isdisjoint(_ATTEMPTS)


_ATTEMPTS = word_set("attempt attempted attempts history log ndr old previous yesterday")


@kept
def is_legend(line: str) -> bool:
    """Return whether a line says by colours or stars which rows came back: Red = RTO, * RTO.

    Which ones they are, no cell tells.
    """
    words = len(fold(visible(line)).split())
    return (
        words <= _MANY_WORDS and _LEGEND.search(line) is not None and told_of_rows(line) is not None
    )


_COLOUR = r"(?:blue|bold|colou?red|gr[ae]y|green|highlighted|orange|pink|purple|red|shaded|yellow)"
_LEGEND = re.compile(
    rf"(?i)^\W*(?:\w+\W+){{0,3}}?{_COLOUR}(?: (?:cells?|colou?r|lines?|ones?|orders?|rows?))?"
    r" *(?:[=:\u2013-]|(?:are|is|means?|indicates?)\b)"
    rf"|(?:[=:\u2013-]|\b(?:are|in|is|marked|with)\b) *(?:the )?{_COLOUR}\b"
    rf"|^\W*{_COLOUR} \w+\W*$|^ *\*"
)


def names_an_id(line: str) -> bool:
    """Return whether a word of a line may be an order id or an AWB: FYA1003, 1490511222."""
    return any(
        (digits := sum(map(str.isdigit, word))) >= _ID_DIGITS
        and (digits >= _NUMBER_DIGITS or not word.isdigit())
        and not _DATE.fullmatch(word)
        for word in _IDS.findall(line.casefold())
    )


_ID_DIGITS, _NUMBER_DIGITS = 3, 7
_IDS = re.compile(r"[^\W_][\w-]{4,}")
_DATE = re.compile(
    r"\d{1,4}-\d{1,2}-\d{1,4}|\d{0,2}-?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*-?\d+"
)
_NOT_TO_BE_SENT = re.compile(
    r"\b(?:(?:do not|don'?t|not to be|(?:should|must) not be) "
    r"(?:consider|process|push|send|sent|sync|upload|update)(?:e?d)?\b"
    r"|(?:delete|discard|disregard|exclude|ignore|remove|skip) (?:all |the |these |this |those )*"
    r"(?:(?:above|below|data|entries|file|following|lines?|list|orders?|report|rows?|sheet"
    r"|shipments?)\b|(?<= )(?:all|these|this|those)$)"
    r"|to be (?:deleted|discarded|excluded|ignored|removed|skipped)\b"
    r"|(?:mark|process|send|update|upload) only after\b"
    r"|(?:process|push|send|update|upload) mat kar|mat bhej"
    r"|(?:dummy|test) (?:data|entries|entry|file|records?|rows?|upload)\b)"
)
_NOT_SURE = re.compile(
    r"\W*(?:(?:above|all|it|status(?:es)?|these|this) )+(?:(?:are|is|was|were) )?(?:all )?"
    r"(?:assumed|expected|incorrect|not (?:correct|final|verified)|planned|provisional|tentative)\b"
    r".{0,20}|(?:(?:assumed|provisional|tentative) )(?:data|list|report|status(?:es)?)\W*"
    r"|(?:provisional|tentative|subject to confirmation|not verified(?: with courier)?)\W*"
)
_ROW = re.compile(
    r"\b(?:line|row|sr|sr no) ?\d+\b"
    r"|\b(?:\d+(?:st|nd|rd|th)|first|second|third|last) (?:line|one|order|row|shipment)\b"
)
_DROPPED = word_set("delete deleted discard disregard galat ignore mistake remove removed skip")
_AGAINST = word_set(
    "canceled cancelled damaged disputed fake hold lost pending refused rejected returned "
    "undelivered vapas wapas wapis wrong wrongly"
)
_CAME_BACK = re.compile(r"\b(?:(?:came|come|coming) back|vapas|wapas|wapis)\b")
_ELSEWHERE = re.compile(
    r"\b(?:not (?:been |yet )?(?:accepted|confirmed|delivered|done|given|reached|received)"
    rf"|nahin?|(?:is |still )?with (?:the )?(?:courier|seller|us))\b|{_CAME_BACK.pattern}"
)
_ALL_BACK = re.compile(
    r"\b(?:above|all|baa?ki|others|remaining|rest|saa?re|sab|sabhi|these|those)\b(?:"
    rf".{{0,40}}?{_CAME_BACK.pattern}"
    r"|(?: (?:above|are|below|hain?|is|of|orders|rows|shipments|still|them|these|yet))* "
    r"(?:cancelled|galat|not delivered|pending|refused|rejected|wrong)(?: hain?)?$)"
    r"|\bonly (?:the )?(?:first|last|top)\b.*\bdelivered\b"
)


_SECTION = re.compile(
    r"(?:pl(?:ea)?se |pls )?ignore|(?:on )?hold|escalated|under investigation|not confirmed"
    r"|(?:to (?:be )?(?:verify|verified|confirmed?)|(?:pending|awaiting) confirmation)\b.*"
    r"|(?:cust(?:omer)? )?(?:denied|denies|says? not? received|says no)"
    r"|marked (?:as )?delivered (?:but|by mistake)\b.*|delivered in system\b.*"
    r"|.*\bphysically with us"
    r"|(?:goods |maal |material |shipments? |stock )?(?:physically )?received back\b.*"
    r"|delivery failed|failed deliver(?:y|ies)|to be delivered|(?:customer )?refused"
    r"|(?:missing|lost) in transit|delivery reversed|ulta aaya"
    r"|(?:delivery|customer ko|abhi tak|parcel) (?:abhi )?(?:nahin?|not) (?:hui|hua|mila|mili)"
)
"""Titles of rows between others, word for word, that say that a delivery is in doubt."""


def note_on_all(line: str) -> bool:
    """Return whether a line says of all rows where they went: These are RTO shipments."""
    said = _ON_ALL.search(in_english(fold(line)))
    words = said[1].split()[:_FEW_WORDS] if said else []
    return bool(words) and not {*words} & HARMLESS and fate_named(" ".join(words)) is not None


def note_on_some(line: str) -> bool:
    """Return whether a line says of some rows where they went: Row 3 to 5 are RTO, A1 is RTO."""
    folded = in_english(fold(line))
    said = _VERB.search(folded) is not None and not words_in(folded) & HARMLESS
    return said and not reads_as_footer(line) and fate_named(line) is not None


def sides_of(line: str) -> tuple[bool, bool]:
    """Return whether a line that names a way speaks of the rows above it, and of those below it.

    A title speaks of those below, a note on all rows of both unless it says which.
    """
    if _SECTION.fullmatch(fold(visible(line))):
        return False, True
    of_all = is_legend(line) or note_on_all(line) or _taken_back(line) is not None
    words = words_in(fold(line)) if of_all or names_an_id(line) else _BELOW
    above, below = "above" in words, bool(words & _BELOW)
    return above or not below, below or not above


_VERB = re.compile(r"\b(?:am|are|is|was|were|came|come|gone|went|do not|dont|don't|hai|hain)\b")
#: Of stars, what says no more than a fate or which rows are meant: not *RTO charges extra*.
_FOOTNOTE = re.compile(
    rf"(?i)\W*\* *(?=\w)(?!.*{_VERB.pattern}|.*\b{_COLOUR}\b)\w+(?:\W+\w+){{2,}}"
)
_BELOW = word_set("below beneath following follows hereunder underneath")
_ON_ALL = re.compile(
    r"\b(?:above|all|these|this (?:file|list|report|sheet))\b.{0,60}?\b(?:are|is|were|was) "
    r"(?:all |only |of |for |marked |as )*(.+)"
)


def is_title(cells: Sequence[str]) -> bool:
    """Return whether a row's cells read as a title: few words, no number (Report | RTO)."""
    text = " ".join(cells)
    return (
        0 < len(cells) <= _TITLE_CELLS
        and not any(map(str.isdigit, text))
        and len(text.split()) <= _TITLE_WORDS
    )


_TITLE_CELLS, _TITLE_WORDS = 3, 5

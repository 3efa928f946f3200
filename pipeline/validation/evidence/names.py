"""Names of a tab, table, file or folder that may say which way the shipments of a sheet went."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pipeline.core.model import Sheet
from pipeline.core.profile_by_name import is_named
from pipeline.validation.columns import is_ours
from pipeline.validation.evidence.sources import COMMENT, FILE_NAME, FOLDER_NAME, TABLE_NAME
from schemas.courier import Profile
from schemas.directions import back_beside, fate_named, way_of_file, words_apart
from schemas.display import quoted
from schemas.normalise import fold, fold_header
from schemas.notes import said_of_all


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
            found[f"{COMMENT}the heading {quoted(headers[at])}"] = words
    speaks = fate_named(tab) is not None or back_beside(tab, tabs)
    if speaks and fold_header(tab) not in profile.nothing:
        found[f"the tab {quoted(tab)}"] = tab
    meant = any(fnmatchcase(file_name.casefold(), pattern) for pattern in profile.nothing)
    own = _without_patterns(file_name, profile.file_names)
    if not meant and way_of_file(_without_headings(own, headers)) is not None:
        found[FILE_NAME] = file_name
    elif folder and _tells(folder, profile):
        found[FOLDER_NAME] = folder
    if fold_header(sheet.table) not in profile.nothing and way_of_file(sheet.table) is not None:
        found[TABLE_NAME] = sheet.table
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

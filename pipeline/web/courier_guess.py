"""Guess the couriers of a checked file by its headings and its name, to offer them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.core.draft import Sample
from pipeline.core.errors import DropRefused, ReaderDied, UsageError
from pipeline.service.wiring import Site
from pipeline.validation.columns import fits
from pipeline.validation.profile_choice import choose_profile
from schemas.codes import Code
from schemas.courier import GENERIC

_MOST: Final = 4
"""Couriers that are offered; headings that fit more say nothing."""


def may_be_of(site: Site, path: Path, name: str, summary: Mapping[str, Any]) -> Sequence[str]:
    """Return the couriers that fit a file's headings, without the one that it was read as.

    Of a file whose columns were not recognised, those whose profiles cover all required columns.
    """
    refused = summary["refused"]
    if refused is None:
        headings: Sequence[str] = [
            heading
            for sheet in summary.get("columns") or ()
            for heading in (*(each["column"] for each in sheet["used"]), *sheet["unused"])
        ]
        choice = choose_profile(
            headings, file_name=name, named=None, profiles=site.profiles, default=GENERIC
        )
        found = [choice.profile.name]
    elif refused["code"] == Code.HEADER_NOT_FOUND:
        headings = _headings(site, path)
        found = [each.name for each in site.profiles.values() if fits(headings, each, guess=False)]
    else:
        return ()
    others = [each for each in found if each not in {GENERIC, summary.get("courier", "")}]
    return others if len(others) <= _MOST else ()


def _headings(site: Site, path: Path) -> Sequence[str]:
    try:
        draft = site.readers.draft(Sample(path=path, name="new", title="New"))
    except (DropRefused, ReaderDied, UsageError):
        return ()
    return [each.heading for each in draft.seen]

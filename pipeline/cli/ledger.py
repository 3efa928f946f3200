"""The ledger itself: back it up, restore it, check it, copy it to another database."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import CommandOptions
from pipeline.core.errors import UsageError
from schemas.display import counted, shown

if TYPE_CHECKING:
    from pipeline.storage.ledger.backup import LedgerFacts


def backup(
    options: CommandOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy is written.")],
) -> int:
    """Copy the ledger into a file, also while it is in use.

    The copy is checked before it gets its name; an earlier backup of that name is replaced, any
    other file is not. The drops' files in state/drops/ and work/ are not in it.
    """
    from pipeline.storage.ledger.backup import back_up, is_database, ledger_file

    target = file.absolute()
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"{target} is not a place for a file.", hint="Name a file in a folder.")
    if target.exists() and not (target.is_file() and is_database(target)):
        raise UsageError(f"{target} is there and is no ledger.", hint="Name another file.")
    site = options.site()
    here = ledger_file(site.settings.ledger.url, site.root)
    if target == here:
        raise UsageError("That is the ledger itself.", hint="Name another file.")
    site.check_ledger(thoroughly=False)
    facts = back_up(here, target)
    options.show(
        {"backup": str(target), **_facts(facts)},
        [f"Backed up and checked: {_in_words(facts)}."],
    )
    return 0


def restore(
    options: CommandOptions,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that `ledger backup` wrote.")
    ],
) -> int:
    """Put a backup in the ledger's place.

    The current ledger is kept beside it. Nothing may be running on the root. Names the files that
    were processed since the backup: the restored ledger does not know them, so do not drop them
    again. Updates that were being sent at the time of the backup are checked with the API before
    they are sent again.
    """
    from pipeline.service.retention import RetentionFiles, reported_in
    from pipeline.storage.ledger.backup import inspect, ledger_file
    from pipeline.storage.ledger.backup import restore as put_back
    from pipeline.storage.root_lock import RootLock
    from pipeline.web.totals import saved_in

    site = options.site()
    here = ledger_file(site.settings.ledger.url, site.root)
    with RootLock(site.root, now=site.clock.now):
        # The page counts anew: a drop may end in another way than before.
        saved_in(site.root).unlink(missing_ok=True)
        files = RetentionFiles(site.root, site.folders.outbox)
        now = site.clock.now()
        aside = put_back(file.absolute(), here, now=now, reported=reported_in(files))
        facts = inspect(here)
        since: dict[str, str] = {}
        for drop_id, path in files.traces():
            if drop_id not in since and site.ledger.find(drop_id) is None:
                since[drop_id] = str(path)

    lines = [f"Restored: {_in_words(facts)}."]
    if aside is not None:
        lines.append(f"The ledger that was there is {aside} now.")
    if since:
        were, again = ("was", "it") if len(since) == 1 else ("were", "them")
        lines.append(
            f"{counted(len(since), 'file')} {were} processed since the backup. "
            f"Do not drop {again} again:"
        )
    lines += (f"  {drop_id}  {shown(path, 300)}" for drop_id, path in since.items())

    kept = None if aside is None else str(aside)
    options.show({"restored": str(here), "earlier": kept, "since": since, **_facts(facts)}, lines)
    return 0


def check(
    options: CommandOptions,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A backup; without it: the ledger.")
    ] = None,
) -> int:
    """Look through the whole ledger, or a backup of one, for damage."""
    from pipeline.storage.ledger.backup import inspect, ledger_file

    site = options.site()
    here = file.absolute() if file else ledger_file(site.settings.ledger.url, site.root)
    facts = inspect(here)
    if file is None:
        site.check_ledger(thoroughly=False)
    options.show(
        {"ledger": str(here), **_facts(facts)},
        [f"Sound: {_in_words(facts)}."],
    )
    return 0


def _facts(facts: "LedgerFacts") -> dict[str, object]:
    return {
        "size": facts.size,
        "drops": facts.drops,
        "open": facts.open_drops,
        "newest": facts.newest or None,
    }


def _in_words(facts: "LedgerFacts") -> str:
    newest = f", the newest received {facts.newest}" if facts.newest else ""
    return f"{facts.drops:,} drops, {facts.open_drops:,} of them open{newest}"


def copy(
    options: CommandOptions,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="URL", help="Where: postgresql://… or sqlite:///…"),
    ] = None,
    to_env: Annotated[
        str | None,
        typer.Option(
            "--to-env",
            metavar="NAME",
            help="The environment variable that holds the URL: a password in --to shows in the "
            "list of processes.",
        ),
    ] = None,
) -> int:
    """Copy the ledger into a new and empty one.

    Nothing may be running on the root meanwhile. Set ledger.url to the new address afterwards; the
    old ledger stays as it is.
    """
    from pipeline.storage.ledger import open_ledger
    from pipeline.storage.root_lock import RootLock

    url = _target(to, to_env)
    site = options.site()
    with RootLock(site.root, now=site.clock.now), site.ledger.alone():
        site.check_ledger(thoroughly=True)
        target = open_ledger(url, root=site.root)
        options.at_end.callback(target.close)
        with target.alone():
            counts = site.ledger.copy_to(target)

    copied = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    words = f"Copied {copied}. Now set ledger.url to the new address."
    options.show({"copied": dict(counts)}, [words])
    return 0


def _target(to: str | None, to_env: str | None) -> str:
    """Return the address to copy to. Raises UsageError."""
    if (to is None) == (to_env is None):
        raise UsageError("Say where to copy: with --to URL or with --to-env NAME, one of them.")
    if to_env is None:
        return to or ""
    url = os.environ.get(to_env, "")
    if not url:
        raise UsageError(f"The environment variable {to_env} is not set, or empty.")
    return url


def new(options: CommandOptions) -> int:
    """Begin a new ledger where the old one is lost and has no backup.

    It does not know what was sent before: a file that is dropped again is sent again.
    """
    from pipeline.core.errors import LedgerLost
    from pipeline.storage.root_lock import RootLock

    site = options.site()
    with RootLock(site.root, now=site.clock.now), site.ledger.alone():
        try:
            site.check_ledger(thoroughly=True)
        except LedgerLost:
            site.ledger.begin_anew(site.clock.now())
        else:
            raise UsageError("The ledger is not lost: there is no need for a new one.")
    left = [str(site.root / "work" / drop_id) for drop_id in site.folders.leftovers()]

    lines = ["A new ledger is in place. It does not know what was sent before."]
    lines += (f"Not finished: move the file in {folder} into the inbox." for folder in left)
    options.show({"begun": True, "left": left}, lines)
    return 0

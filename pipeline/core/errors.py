"""The errors that the code raises on purpose, in one tree; ``attempt`` returns an error as a value.

::

    ShipdropError                  .hint says what to do
    ├ SettingsError                a wrong setting: the start is refused, exit 2
    ├ UsageError                   a command that cannot be carried out as given, exit 2
    ├ RootBusy                     another command holds this root, exit 75
    ├ DropRefused                  this file is quarantined whole; the loop goes on
    ├ DropChanged                  the file was still being written: back to waiting
    ├ ReaderDied                   the process that read this file ended over it: tried again
    ├ Transient                    worth another try: no answer came, or a question met 5xx
    ├ Held                         stop all sending: 401, 403, 407, 3xx, 404/405 naming no order
    └ StorageError                 disk full, read-only, ledger gone: stop claiming, keep, retry
      ├ LedgerLost                 gone, damaged or a newer one: a person has to mend it, exit 2
      └ Fenced                     other workers have taken over from this one

A bad *row* is never an exception: the rules of ``schemas.manifest`` reject it.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeAlias, TypeVar

from schemas.codes import Code


class ShipdropError(Exception):
    """Base of the tree. ``message`` says what and why, ``hint`` what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SettingsError(ShipdropError):
    """A setting is missing, unknown or wrong. The message names its key."""


class UsageError(ShipdropError):
    """A command names something that is not there or cannot be done."""


class RootBusy(ShipdropError):
    """Another command holds this root.

    ``yields_to_service``: it releases the root when a service asks for it.
    """

    def __init__(self, message: str, *, hint: str = "", yields_to_service: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.yields_to_service = yields_to_service


class DropRefused(ShipdropError):
    """The whole file is refused. ``code`` is one of ``schemas.codes``; nothing of it is sent."""

    def __init__(self, code: Code, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class DropChanged(ShipdropError):
    """The bytes changed while they were being hashed or read."""


class ReaderDied(ShipdropError):
    """The process that read a file ended in the middle of it. ``signal``: what ended it, or 0."""

    def __init__(self, name: str, number: int) -> None:
        how = f"signal {number}" if number else "no word"
        super().__init__(f"The process that read {name!a} ended with {how}.")
        self.signal = number


class Transient(ShipdropError):
    """Worth another try.

    ``in_doubt`` is true when the request may have reached the API although no answer came back.
    """

    def __init__(self, message: str, *, in_doubt: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.in_doubt = in_doubt


class Held(ShipdropError):
    """The API refuses every call: more of them would only be refused too."""


class StorageError(ShipdropError):
    """A folder or the ledger cannot be written."""


class LedgerLost(StorageError):
    """The ledger is gone, damaged, or was written by a newer Shipdrop: no waiting mends that."""


class Fenced(StorageError):
    """This worker was silent for too long: others have taken over, and it may not act any more."""


class ReadingStopped(Exception):
    """The file was not read to its end because reading as such was stopped."""


_P = ParamSpec("_P")
_T = TypeVar("_T")

Tried: TypeAlias = _T | Exception
"""The result of a step, or its exception: where several are done together, one that fails does not
affect the others."""


def as_exception(error: BaseException) -> Exception:
    """Return the error of a thread; one that would end it as an error of the step."""
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def attempt(step: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> Tried[_T]:
    """Return the result of a step, or its exception: the caller knows whose it is."""
    try:
        return step(*args, **named)
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: it is what is returned
        return error

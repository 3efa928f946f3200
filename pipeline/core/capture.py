"""Run steps for several drops together, where the failure of one must not touch the others."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def attempt(step: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T | Exception:
    """Return the result of a step, or its exception: the caller knows whose it is."""
    try:
        return step(*args, **named)
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: it is what is returned
        return error

"""Resolve each name of our code in an import inside a function, and in a string.

A rename breaks imports at the top of a module at once. Those inside functions, dotted names in
strings (``tests/forked.py``, code for another interpreter) and names that are watched or replaced
(``benchmarks/inside.py``) would break unseen.
"""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

TREE = Path(__file__).parents[2]
FOLDERS = ("pipeline", "schemas", "tests", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (TREE / folder).rglob("*.py"))

_UNSEEN = re.compile(
    r"^ +(?:from|import) (?:pipeline|schemas|tests|benchmarks)\b"
    r"|['\"][^'\"`\n]*\b(?:pipeline|schemas)\.\w|\bfrom (?:pipeline|schemas)\S* import [^\n]*['\";]"
    r"|\b[sg]etattr\(|\bdelattr\(",
    re.MULTILINE,
)
"""In a module without any of these pytest and mypy see every name of ours: it is not parsed."""

_OURS = re.compile(rf"(?:{'|'.join(FOLDERS)})(?:\.\w+)*")
_IMPORTED = re.compile(rf"from ((?:{'|'.join(FOLDERS)})(?:\.\w+)*) import (\w+(?:, *\w+)*)")
_DOTTED = re.compile(r"(?<![\w/.(])((?:pipeline|schemas)(?:\.\w+)+)(?![\w/(-])")
_FILES_END = (".py", ".md", ".toml", ".csv", ".json", ".xlsx", ".html", ".txt", ".db")
_BY_NAME = {"setattr", "getattr", "delattr", "wrap", "wrap_context"}


def resolved(name: str) -> Any:
    """Return the module, or what stands in one, that a dotted name means. Raises ImportError."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                raise
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                raise ImportError(f"{name}: no {part}")
            found = getattr(found, part)
        return found
    raise ImportError(name)


def named_in(tree: ast.Module) -> Iterator[str]:
    """Yield dotted names of our code: imported, in strings, and of what is watched by its name."""
    nodes = [*ast.walk(tree)]
    pairs = [*_imported(nodes)]
    imported = dict(pairs)
    yield from (name for _, name in pairs)
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if "." in text and id(node) not in docstrings:
                yield from _in_text(text)
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Dict):
                        yield from _below(key.value, value.keys)
            case ast.Call(args=[owner, ast.Constant(value=str(name)), *_]) if (
                _called(node) in _BY_NAME and name.isidentifier()
            ):
                first, *rest = ast.unparse(owner).split(".")
                if first in imported:
                    yield ".".join((imported[first], *rest, name))


def _imported(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield the names in a module of what it imports of our code, each with its dotted name."""
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(module), level=0) if _OURS.fullmatch(module):
                for each in node.names:
                    yield each.asname or each.name, f"{module}.{each.name}"
            case ast.Import():
                names = [each.name for each in node.names if _OURS.fullmatch(each.name)]
                yield from zip(names, names, strict=True)


def _in_text(text: str) -> Iterator[str]:
    for module, names in _IMPORTED.findall(text):
        yield from (f"{module}.{name.strip()}" for name in names.split(","))
    yield from (name for name in _DOTTED.findall(text) if not name.endswith(_FILES_END))


def _below(module: object, names: list[ast.expr | None]) -> Iterator[str]:
    if isinstance(module, str) and _DOTTED.fullmatch(module):
        yield from (f"{module}.{each.value}" for each in names if isinstance(each, ast.Constant))


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", "")


def test_each_name_of_our_code_is_there() -> None:
    named = {
        name: path.relative_to(TREE).as_posix()
        for path in FILES
        if path.name != Path(__file__).name
        for text in [path.read_text("utf-8")]
        if "benchmarks" in path.parts or _UNSEEN.search(text)
        for name in named_in(ast.parse(text))
    }
    assert len(named) > 500
    gone = {}
    for name, path in named.items():
        try:
            resolved(name)
        except ImportError as error:
            gone[path] = str(error)
    assert gone == {}


@pytest.mark.parametrize(
    "code",
    [
        "def late():\n    from pipeline.core.model import Gone",
        "from tests.fakes import gone",
        "RUN = 'from schemas.codes import Code, Gone'",
        "PACE = {'pipeline.cli.run': {'_GONE': 1}}",
        "NAME = 'pipeline.service.gone'",
        "from pipeline.inbox.claim import Claimer\nwrap(Claimer, 'gone', None)",
    ],
)
def test_a_name_that_is_gone_is_found(code: str) -> None:
    with pytest.raises(ImportError):
        [resolved(name) for name in named_in(ast.parse(code))]

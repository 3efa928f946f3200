"""Tests that share their runs: one run over many files costs a tenth of one for each.

A story drops its files, and yields where the command is to run. All stories of a module go on
together, so that there are as many runs as the longest of them has. Files, orders and couriers of
each are its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Delivered, Root, below, sheet


@dataclass(frozen=True)
class Part:
    """One story's part of a root: what it drops, and what came of it."""

    root: Root
    api: SandboxHandle
    tag: str

    def drop(self, name: str, content: str | bytes, folder: str = "") -> None:
        """Drop a file under a name that no other story has."""
        self.root.drop(f"{self.tag} {name}", content, folder)

    def drop_rows(
        self,
        name: str,
        rows: Iterable[Sequence[str]],
        header: Sequence[str] = ("Order ID", "Status"),
        folder: str = "",
    ) -> None:
        """Drop a CSV whose first column are orders of this story."""
        own = [(order and self.order(order), *rest) for order, *rest in rows]
        self.drop(f"{name}.csv", sheet(own, header), folder)

    def order(self, order: str) -> str:
        return f"{self.tag}{order}"

    def courier(self, name: str, text: str) -> str:
        """Write a profile; return the name of its courier, which is this story's."""
        place = self.root.path / "couriers"
        place.mkdir(exist_ok=True)
        own = f"{self.tag}-{name}"
        (place / f"{own}.toml").write_text(f'name = "{own}"\n{text}', encoding="utf-8")
        return own

    def of(self, stem: str) -> Delivered:
        """Return the only drop of a file of this story, by its stem."""
        begin = f"{self.tag} {stem}__"
        (found,) = (
            path
            for path in below(self.root.outbox)
            if path.name.startswith(begin) and path.name.endswith(".summary.json")
        )
        return Delivered.read(found)

    def ends(self, stem: str) -> list[tuple[str, str]]:
        """Return the outcome and codes of each row of a drop."""
        return [(line["outcome"], line["codes"]) for line in self.of(stem).lines()]

    def sent(self, order: str) -> list[str]:
        """Return the statuses that an order took, in their order."""
        own = self.order(order)
        return [each["status"] for each in self.api.orders().get(own, {"history": ()})["history"]]

    def told(self, order: str) -> Mapping[str, Any]:
        """Return the ``meta`` that was sent last for an order."""
        own = self.order(order)
        return self.api.orders(own)[own]["history"][-1]["meta"] or {}


Story = Callable[[Part], Iterator[None]]
Ends = Mapping[str, Exception | None]
"""Story → what it failed by."""


def together(story: Story) -> Callable[[Ends], None]:
    """Make a test of a story that goes on together with all others of its module."""

    def test(ends: Ends) -> None:
        if error := ends[story.__name__]:
            raise error

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    test.story = story  # type: ignore[attr-defined]  # for the fixture, which finds it here
    return test


def played(root: Root, api: SandboxHandle, stories: Iterable[Story]) -> Ends:
    """Tell stories, run by run, to their ends."""
    ends: dict[str, Exception | None] = {}
    going = {
        story.__name__: story(Part(root, api, f"n{number:02}"))
        for number, story in enumerate(stories)
    }
    while going:
        for name, story in list(going.items()):
            try:
                next(story)
            except StopIteration:
                ends[name] = None
            except Exception as error:  # noqa: BLE001 - raised by the test of its story
                ends[name] = error
        going = {name: story for name, story in going.items() if name not in ends}
        if going:
            ran = root.once()
            assert ran.code in {0, 3, 4}, ran.err
    return ends

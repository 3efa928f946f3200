"""How a text of somebody else's is shown inside our own."""

SHOWN = 60
"""Characters of a cell that a message shows."""


def quoted(value: str, *, limit: int = SHOWN) -> str:
    """Show a cell in a message: in quotes, controls escaped, cut to about 60 characters.

    A message travels to terminals, logs and web pages, so nothing that steers one may survive.
    """
    return f'"{plain(value, limit=limit)}"'


def plain(value: str, *, limit: int = SHOWN) -> str:
    """Show a text as ``quoted`` does, without the quotes."""
    cut = value if len(value) <= limit else value[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(each if each.isprintable() else _escaped(each) for each in cut)


def counted(number: int, noun: str) -> str:
    """Return ``1 cell``, ``2 cells``, ``1,200 cells``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _escaped(character: str) -> str:
    if character == "\u00a0":
        return " "
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")

"""Arrow, as the service wants it: before anything else loads it."""

from pipeline.adapters.absent import kept_out


def make_ready() -> None:
    """Have Arrow do without pandas, which only the process that reads needs.

    Arrow imports pandas when it makes its first array, although it can do without: a fifth of the
    time that a start takes. It looks for it once, and never again.
    """
    import numpy.ma  # noqa: F401 - loaded by Arrow anyway, with the first array out of numpy's
    import pyarrow as pa

    with kept_out("pandas"):
        pa.array([])

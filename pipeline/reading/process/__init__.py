"""Reading, contained: files are read in processes of their own, within memory and time.

Their messages are described in ``pipeline.reading.process.protocol``, the other end is
``pipeline.reading.process.child_main``.
"""

from pipeline.core.errors import ReadingStopped
from pipeline.reading.process.pool import Readers
from pipeline.reading.process.reader_process import Earlier, Reader, ReadingBug

__all__ = ["Earlier", "Reader", "Readers", "ReadingBug", "ReadingStopped"]

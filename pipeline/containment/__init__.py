"""Reading, contained: files are read in processes of their own, within memory and time.

What is said between them and us is told by ``pipeline.agreement``, the other end is
``pipeline.reader``.
"""

from pipeline.containment.one import Earlier, Reader, ReadingBug, ReadingStopped
from pipeline.containment.pool import Readers

__all__ = ["Earlier", "Reader", "Readers", "ReadingBug", "ReadingStopped"]

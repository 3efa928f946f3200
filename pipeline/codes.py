"""Re-export the codes, which have moved to ``schemas.codes``, until every import is rewritten."""

from schemas.codes import ERRORS, INFORMATION, Code

__all__ = ["ERRORS", "INFORMATION", "Code"]

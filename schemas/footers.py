"""Which words below the last data row are a footer: totals, counts, who made it and when."""

import re

_COUNTED = r"(?:rows?|records?|orders?|shipments?|entries|items?|lines?)(?:\(s\))?"
_FOOTER = re.compile(
    rf"""(?:
      (?:grand|sub|net|overall)?[\s-]*totals?(?![\w-]).*
    | (?:total|no\.?\ of|number\ of|count\ of|sum\ of)\s+{_COUNTED}\b.*
    | (?:row|record|order|shipment)?\s*count\s*(?:[:=].*)?
    | \(?\s*\d+\s+{_COUNTED}(?:\s+(?:affected|selected|returned|exported|found|fetched|in\ set)
        (?:\s*\(.*\))?)?\s*\)?\.?
    | (?:showing\s+)?(?:\d+\s*(?:-|to)\s*\d+\s+of\s+\d+|page\s+\d+(?:\s+of\s+\d+)?).*
    | (?:(?:this|the)\s+)?(?:report|file|data|export)?\s*(?:is\s+|was\s+)?
        (?:generated|downloaded|exported|printed|created|extracted|prepared)\s+(?:on|by|at|from|via)\b.*
    | (?:this\s+is\s+an?\s+)?(?:system|computer|auto)[\s-]*generated\b.*
    | (?:powered\s+by|disclaimer|confidential|copyright|©|note\s*:).*
    | end\s+of\s+(?:the\s+)?(?:report|file|data|list|document|export|records?)\b.*
    | eof
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_AROUND = " \t\r\n\u00a0'\"`*#=-_~<>"


def reads_as_footer(cell: str) -> bool:
    """Tell whether a cell that stands where an order id should is a footer's words."""
    return bool(_FOOTER.fullmatch(cell.strip(_AROUND)))

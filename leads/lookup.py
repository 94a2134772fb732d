"""What somebody typed or pasted into the search box, read as one lead's email or id."""

import re
import unicodedata
from urllib.parse import unquote

from leads.providers.base import LeadRef

_EMAIL = re.compile(r"[^\s<>()\[\]\",;:\\@]+@[^\s<>()\[\]\",;:\\@]+")
_ID = re.compile(r"#?\s*([0-9]{1,20})")


def read_query(text: str) -> LeadRef | None:
    """The lead that is meant, or None where the text holds neither one email nor one id.

    Takes what people paste: spaces around, ``mailto:``, ``Ada <ada@example.com>``, capitals, invisible characters.
    """
    text = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cf")).strip()
    if match := _ID.fullmatch(text):
        return LeadRef(id=match[1].lstrip("0") or "0")
    if text.lower().startswith("mailto:"):
        text = unquote(text[len("mailto:") :].partition("?")[0])
    found = {match.strip(".'").lower() for match in _EMAIL.findall(text)}
    return LeadRef(email=found.pop()) if len(found) == 1 else None

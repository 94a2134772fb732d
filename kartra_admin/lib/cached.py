"""How values lie in a cache that others may write to."""

import json
from typing import Any


class JSONSerializer:
    """Lists, texts, numbers and yes or no, as JSON. Django's own pickles are programs, which run when they are read."""

    def dumps(self, value: Any) -> str:
        """A whole number is its digits, which Redis itself can count up. Raises TypeError for what JSON cannot say."""
        return json.dumps(value)

    def loads(self, data: bytes) -> Any:
        """Raises ValueError for what is no JSON."""
        return json.loads(data)

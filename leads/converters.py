class LeadIdConverter:
    """A lead's id in a URL: digits, as every provider numbers its leads. Kept as text."""

    regex = "[0-9]{1,20}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return str(value)

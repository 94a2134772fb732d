class LeadIdConverter:
    """A lead's id in a URL: digits, as every provider numbers its leads, without zeros before them. Kept as text."""

    regex = "0|[1-9][0-9]{0,19}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return str(value)

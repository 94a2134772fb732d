"""The reasons that staff choose from."""

from leads.models import Reason

OTHER = "Other"  # always there, and asks for a note


def choices() -> list[str]:
    """In the admin's order, 'Other' at the end."""
    return [*Reason.objects.values_list("text", flat=True), OTHER]

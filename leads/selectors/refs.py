"""A lead by both its names: when one is read, a provider may know it by email alone, and our addresses hold its id."""

from django.core.cache import cache

from accounts.models import Account, Connection
from leads.models import Entry, Operation, Recent
from leads.providers.base import LeadRef

# From the search to the page that it leads to, which remembers the lead among the recents.
_KEPT_FOR = 600


def find_ref(connection: Connection, lead_id: str) -> LeadRef:
    """The lead by id, and by the email under which this person found or saw it, somebody here last changed it, or the
    directory has it."""
    account = connection.account
    seen = Recent.objects.filter(account=account, user=connection.user, lead_id=lead_id).values_list("email", flat=True)
    changed = Operation.objects.filter(account=account, lead_id=lead_id).exclude(lead_email="").order_by("-created_at")
    known = Entry.objects.filter(account=account, lead_id=lead_id).exclude(email="").values_list("email", flat=True)
    email = (
        cache.get(_key(account, lead_id))
        or seen.first()
        or changed.values_list("lead_email", flat=True).first()
        or known.first()
    )
    return LeadRef(id=lead_id, email=email or "")


def note_found(account: Account, lead_id: str, email: str) -> None:
    """Keep for a while under which email a lead was found."""
    cache.set(_key(account, lead_id), email, _KEPT_FOR)


def _key(account: Account, lead_id: str) -> str:
    return f"leads.found:{account.pk}:{lead_id}"

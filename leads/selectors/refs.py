"""A lead by both its names: when one is read, a provider may know it by email alone, and our addresses hold its id."""

from django.core.cache import cache

from accounts import subjects
from accounts.models import Account, Connection
from kartra_admin.lib.crypto import SealBroken
from leads.models import Entry, Operation, Recent
from leads.providers.base import LeadRef

_LOOKED_AT = 5


def find_ref(connection: Connection, lead_id: str) -> LeadRef:
    """The lead by id, and by the email under which this person found or saw it, somebody here last changed it, or the
    directory has it."""
    account = connection.account
    seen = Recent.objects.filter(account=account, user=connection.user, lead_id=lead_id)
    changed = Operation.objects.filter(account=account, lead_id=lead_id).order_by("-created_at")
    known = Entry.objects.filter(account=account, lead_id=lead_id).exclude(email="").values_list("email", flat=True)
    email = (
        _found_under(account, lead_id)
        or next((row.email for row in seen), "")
        or next((row.lead_email for row in changed[:_LOOKED_AT] if row.lead_email), "")
        or known.first()
    )
    return LeadRef(id=lead_id, email=email or "")


def _found_under(account: Account, lead_id: str) -> str:
    key = key_of(account, lead_id)
    token = cache.get(key)
    subject = subjects.find_lead(account.pk, lead_id) if token else None
    try:
        return subject.open(token, bound_to=key) if subject else ""
    except SealBroken:  # of somebody who was forgotten, and met again
        return ""


def key_of(account: Account, lead_id: str) -> str:
    """Under what it stands in the cache."""
    return f"leads.found:{account.pk}:{lead_id}"

"""Under which email a lead was found, from the search to the page that it leads to; `selectors.refs` reads it."""

from django.core.cache import cache

from accounts import subjects
from accounts.models import Account
from leads.selectors import refs

_KEPT_FOR = 600


def note_found(account: Account, lead_id: str, email: str) -> None:
    """Keep it for a while: sealed, since nobody reaches the cache of each process when a person is forgotten."""
    key = refs.key_of(account, lead_id)
    cache.set(key, subjects.of_lead(account.pk, lead_id).seal(email, bound_to=key), _KEPT_FOR)


def forget_found(account: Account, lead_id: str) -> None:
    cache.delete(refs.key_of(account, lead_id))

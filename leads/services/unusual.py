"""Look for what is unusual, now and then, and keep what was found."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Account, User
from leads.models import Finding
from leads.selectors import unusual as selectors
from leads.selectors.unusual import Group
from leads.unusual import Rule


def look(now: datetime | None = None) -> None:
    """Go through the rules once. What goes on lets its finding grow; any number may look at once."""
    now = now or timezone.now()
    for rule in selectors.rules():
        for group in selectors.groups_of(rule, now):
            _keep(rule, group)


@transaction.atomic
def _keep(rule: Rule, group: Group) -> None:
    """Once for the same that goes on: the first lookers find nothing and write, so they come one after the other."""
    if group.account_id:
        Account.objects.select_for_update(no_key=True).get(pk=group.account_id)
    elif group.person_id:
        User.objects.select_for_update(no_key=True).get(pk=group.person_id)
    whose: dict[str, Any] = {"account": group.account_id, "person": group.person_id, "lead_id": group.lead_id}
    same = Finding.objects.filter(**whose, rule=rule.name, until__gte=group.first)
    found = same.order_by("-until").first()
    if found is None:
        found = Finding(
            rule=rule.name,
            account_id=group.account_id,
            person_id=group.person_id,
            lead_id=group.lead_id,
            count=0,
            since=group.first,
            until=group.last,
        )
    found.count = max(found.count, group.count)
    found.since, found.until = min(found.since, group.first), max(found.until, group.last)
    found.save()

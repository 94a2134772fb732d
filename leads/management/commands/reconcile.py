"""``manage.py reconcile``: settle by reading whatever is in doubt. Sends nothing; safe at any time, many at once."""

from typing import Any

from django.core.management.base import BaseCommand

from leads.services.reconcile import reconcile


class Command(BaseCommand):
    help = "Settle operations whose outcome is unknown, by reading. Never sends a change."

    def handle(self, *args: Any, **options: Any) -> None:
        tally = reconcile()
        self.stdout.write(
            f"{tally.settled} settled, {tally.open} still open, {tally.unread} could not be read"
            + (f": {'; '.join(sorted(tally.reasons))}" if tally.reasons else "")
        )

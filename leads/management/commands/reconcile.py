"""``manage.py reconcile``: settle by reading whatever is in doubt, and read back what nobody has. Sends nothing; safe
at any time, many at once."""

from typing import Any

from django.core.management.base import BaseCommand

from leads.services.reading_back import read_back_due
from leads.services.reconcile import reconcile


class Command(BaseCommand):
    help = "Settle operations whose outcome is unknown, by reading. Never sends a change."

    def handle(self, *args: Any, **options: Any) -> None:
        tally = reconcile()
        read_back_due()
        self.stdout.write(
            f"{tally.settled} settled, {tally.open} still open, {tally.unread} could not be read"
            + (f": {'; '.join(sorted(tally.reasons))}" if tally.reasons else "")
        )

"""``manage.py resetfactor EMAIL``: take away the second factor of somebody who lost it, where no other admin can."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.models.users import normalise
from accounts.services import second_factor
from kartra_admin.lib.context import asking


class Command(BaseCommand):
    help = "Remove the second factor of a person who lost it, and end their sessions. The audit log records it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **options: Any) -> None:
        user = User.objects.filter(email=normalise(email)).first()
        if user is None:
            raise CommandError("Nobody on the team has this email address.")
        with asking("command"):
            second_factor.take_away_by_command(program="manage.py resetfactor", user=user)
        self.stdout.write(
            f"{user} has no second factor now, is signed out everywhere, and can set one up within a day."
        )

"""``manage.py createadmin EMAIL --name NAME``: the first admin, who adds everybody else on the Team page."""

import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.models.users import normalise
from accounts.services import users
from kartra_admin.lib.context import asking
from kartra_admin.lib.errors import AppError


class Command(BaseCommand):
    help = "Add an admin. The password is asked for at a terminal, else read as one line from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True, help="how the desk shows this person")

    def handle(self, *, email: str, name: str, **options: Any) -> None:
        email, name = normalise(email), name.strip()
        user = User(email=email, name=name, role="admin")
        try:
            user.clean_fields(exclude=["password"])
            if User.objects.filter(email=email).exists():
                raise users.EmailTaken
            password = self._password()
            validate_password(password, user)
            with asking("command"):
                users.create_by_command(
                    program="manage.py createadmin", email=email, name=name, role="admin", password=password
                )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except AppError as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(self.style.SUCCESS(f"{email} can sign in as an admin."))

    def _password(self) -> str:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\r\n")
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise CommandError("The two passwords differ.")
        return password

"""``manage.py rotatekeys``: run it after a new key was put first in CREDENTIAL_KEYS or AUDIT_SIGNING_KEY; then
the old one may go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services import rotation
from kartra_admin.lib.context import asking
from kartra_admin.lib.errors import AppError


class Command(BaseCommand):
    help = (
        "Seal everything with the newest of CREDENTIAL_KEYS, and rotate the audit log's signing key. May be stopped "
        "and run again at any time."
    )

    def handle(self, **options: Any) -> None:
        with asking("command"):
            try:
                done = rotation.rotate_keys(program="manage.py rotatekeys")
            except AppError as error:
                raise CommandError(error.sentence) from None
        self.stdout.write(
            f"Sealed again: {done.connections} connections, {done.accounts} accounts, {done.others} other rows."
        )
        if done.left:
            raise CommandError(
                "No present key opens these, so they stay as they are: "
                f"{', '.join(done.left)}. Put their key back into CREDENTIAL_KEYS, or enter the credentials again."
            )
        self.stdout.write(self.style.SUCCESS("Nothing needs an older key any more."))

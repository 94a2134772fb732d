"""Work of this app in the background. A task calls a service."""

from django_tasks import task

from accounts import seals
from accounts.services import users


@task
def send_password_link(sealed_email: str) -> None:
    """Sealed, since what waits in the queue may be a customer's address."""
    users.mail_password_link(seals.keyring().open(sealed_email, bound_to=seals.of_typed()))

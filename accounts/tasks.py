"""Work of this app in the background. A task calls a service."""

from django_tasks import task

from accounts.services import users


@task
def send_password_link(email: str) -> None:
    users.mail_password_link(email)

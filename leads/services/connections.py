"""Connect a person to his Kartra account: try the credentials first, then keep them sealed."""

from django.views.decorators.debug import sensitive_variables

from accounts.models import Account, Connection, User
from accounts.services import connections
from accounts.services.connections import Credentials
from kartra_admin.lib.errors import Conflict
from leads.models import OPEN, OperationStep
from leads.services.catalogues import refresh_catalogues
from leads.wiring import provider_with


@sensitive_variables("api_key", "api_password")
def connect(*, actor: User, owner: User, api_key: str, api_password: str, account_name: str = "") -> Connection:
    """Check the credentials with a harmless read, seal them, and read the account's catalogues.

    Raises `Misconfigured` with what Kartra said, or another `ProviderError`, and `Conflict` while money of the account
    that he would leave is not settled; nothing is kept then.
    """
    provider_with(Credentials(api_key, api_password)).check_credentials()
    _require_settled(owner, connections.find_account(api_key))
    connection = connections.place(actor=actor, owner=owner, api_key=api_key, api_password=api_password)
    connections.note_worked(connection)
    if account_name:
        connections.rename_account(actor=actor, account=connection.account, name=account_name)
    refresh_catalogues(actor=actor, connection=connection)
    return connection


def _require_settled(owner: User, account: Account | None) -> None:
    """A new key, even of the same Kartra account, is another account to the desk: what is locked in the old one would
    be out of sight, and could be done once more."""
    left = Account.objects.filter(connections__user=owner).first()
    if left is None or left == account:
        return
    number = OperationStep.objects.filter(operation__account=left, outcome__in=OPEN).exclude(lock="").count()
    if number:
        what = "1 refund or subscription change" if number == 1 else f"{number} refunds or subscription changes"
        raise Conflict(
            f"{what} of {left} not settled yet: with another key it would be out of sight, and"
            " could be moved a second time. Settle it first, from the home page. Where the old key no longer works,"
            " remove the old credentials, then place the new ones."
        )

"""Connect a person to his Kartra account: try the credentials first, then keep them sealed."""

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import Account, Connection, User
from accounts.services import access, connections
from accounts.services.connections import Credentials
from kartra_admin.lib.errors import Conflict
from leads.models import OPEN, OperationStep
from leads.services.catalogues import read_catalogues
from leads.wiring import provider_with


@sensitive_variables("api_key", "api_password")
def connect(*, actor: User, owner: User, api_key: str, api_password: str, account_name: str = "") -> Connection:
    """Check the credentials with a harmless read, seal them, and read the account's catalogues.

    Raises `Misconfigured` with what Kartra said, or another `ProviderError`, and `Conflict` while money of the account
    that he would leave is not settled, or `Denied`; nothing is kept then.
    """
    connections.require(actor, owner)
    if account_name:
        access.require(actor, "account.rename")
    provider_with(Credentials(api_key, api_password)).check_credentials()
    _require_settled(owner, connections.find_account(api_key))
    connection = connections.place(actor=actor, owner=owner, api_key=api_key, api_password=api_password)
    connections.note_worked(connection)
    if account_name:
        connections.rename_account(actor=actor, account=connection.account, name=account_name)
    read_catalogues(actor=actor, connection=connection)
    return connection


def disconnect(*, actor: User, owner: User) -> bool:
    """Forget the credentials of ``owner``. False where there were none. Raises `Denied`, and `Conflict` where they work
    and nobody else active holds some of an account whose money is not settled: nobody could read for it any more."""
    connections.require(actor, owner)  # before the transaction, which would take its entry back
    with transaction.atomic():
        connection = Connection.objects.select_related("account").filter(user=owner).first()
        if connection:
            Account.objects.select_for_update(no_key=True).get(
                pk=connection.account_id
            )  # two last ones, at the same moment
        is_removed = connections.remove(actor=actor, owner=owner)
        if connection and not connection.is_failing:
            _require_holder_or_settled(connection.account)
    return is_removed


def _require_holder_or_settled(account: Account) -> None:
    if Connection.objects.filter(account=account, user__is_active=True).exists():
        return
    if what := _unsettled(account):
        raise Conflict(
            f"{what} not settled yet, and nobody else holds credentials to look what became of it. Nothing was removed."
            " Settle it first, from the home page, or let a colleague place credentials."
        )


def _require_settled(owner: User, account: Account | None) -> None:
    """A new key, even of the same Kartra account, is another account to the desk: what is locked in the old one would
    be out of sight, and could be done once more."""
    left = Account.objects.filter(connections__user=owner).first()
    if left is None or left == account:
        return
    if what := _unsettled(left):
        raise Conflict(
            f"{what} not settled yet: with another key it would be out of sight, and"
            " could be moved a second time. Settle it first, from the home page. Where the old key no longer works,"
            " remove the old credentials, then place the new ones."
        )


def _unsettled(account: Account) -> str:
    """How much money of the account may still be on its way, in words, or ""."""
    number = OperationStep.objects.filter(operation__account=account, outcome__in=OPEN).exclude(lock="").count()
    what = "1 refund or subscription change" if number == 1 else f"{number} refunds or subscription changes"
    return f"{what} of {account}" if number else ""

"""Connect a person to his Kartra account: try the credentials first, then keep them sealed."""

from django.views.decorators.debug import sensitive_variables

from accounts.models import Connection, User
from accounts.services import connections
from accounts.services.connections import Credentials
from leads.services.catalogues import refresh_catalogues
from leads.wiring import provider_with


@sensitive_variables("api_key", "api_password")
def connect(*, actor: User, owner: User, api_key: str, api_password: str, account_name: str = "") -> Connection:
    """Check the credentials with a harmless read, seal them, and read the account's catalogues.

    Raises `Misconfigured` with what Kartra said, or another `ProviderError`; nothing is kept then.
    """
    provider_with(Credentials(api_key, api_password)).check_credentials()
    connection = connections.place(actor=actor, owner=owner, api_key=api_key, api_password=api_password)
    connections.note_worked(connection)
    if account_name:
        connections.rename_account(actor=actor, account=connection.account, name=account_name)
    refresh_catalogues(actor=actor, connection=connection)
    return connection

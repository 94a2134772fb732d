"""Placing, opening and removing a person's credentials."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts import seals
from accounts.models import Account, Connection, User
from accounts.services import access, audit

_NOTE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, repr=False)
class Credentials:
    """An API key and its password, opened. They show neither in a log nor in a traceback."""

    key: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(hidden)"


@sensitive_variables("api_key", "api_password")
def place(*, actor: User, owner: User, api_key: str, api_password: str) -> Connection:
    """Seal the credentials for ``owner``, in place of those he had. Raises `Denied`.

    Whether the provider takes them is for the caller to find out beforehand.
    """
    require(actor, owner)
    with transaction.atomic():
        before = Connection.objects.select_related("account").select_for_update(of=("self",)).filter(user=owner).first()
        account = _account_of(api_key)
        connection, _ = Connection.objects.update_or_create(
            user=owner,
            defaults={
                "account": account,
                "sealed_key": seals.keyring().seal(
                    api_key, bound_to=seals.of_connection(owner.pk, account.provider, "key")
                ),
                "sealed_password": seals.keyring().seal(
                    api_password, bound_to=seals.of_connection(owner.pk, account.provider, "password")
                ),
                "placed_by": actor,
                "last_worked_at": None,
                "last_error": "",
                "last_error_at": None,
            },
        )
        audit.record(
            action="connection.place.succeeded",
            outcome="succeeded",
            actor=actor,
            account=account,
            target_kind="user",
            target_id=str(owner.pk),
            target_name=str(owner),
            before={"account": str(before.account)} if before else None,
            after={"account": str(account)},
        )
    connection.user = owner  # who may have had another, read before
    return connection


def remove(*, actor: User, owner: User) -> bool:
    """Forget the credentials of ``owner``. False where there were none. Raises `Denied`."""
    require(actor, owner)
    with transaction.atomic():
        connection = (
            Connection.objects.select_related("account").select_for_update(of=("self",)).filter(user=owner).first()
        )
        if connection is None:
            return False
        connection.delete()
        audit.record(
            action="connection.remove.succeeded",
            outcome="succeeded",
            actor=actor,
            account=connection.account,
            target_kind="user",
            target_id=str(owner.pk),
            target_name=str(owner),
            before={"account": str(connection.account)},
        )
    return True


def rename_account(*, actor: User, account: Account, name: str) -> None:
    """Call the account what the team calls it. Does nothing where it is called so already. Raises `Denied`."""
    access.require(actor, "account.rename")
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if account.name == name:
            return
        before, account.name = account.name, name
        account.save(update_fields=["name"])
        audit.record(
            action="account.rename.succeeded",
            outcome="succeeded",
            actor=actor,
            account=account,
            before={"name": before},
            after={"name": name},
        )


def open_credentials(connection: Connection) -> Credentials:
    """The credentials in the clear, for a call that is about to be made. Raises `SealBroken`."""
    owner_id, provider = connection.user_id, connection.account.provider
    return Credentials(
        key=seals.keyring().open(connection.sealed_key, bound_to=seals.of_connection(owner_id, provider, "key")),
        password=seals.keyring().open(
            connection.sealed_password, bound_to=seals.of_connection(owner_id, provider, "password")
        ),
    )


def note_worked(connection: Connection) -> None:
    """Remember that the provider took the credentials; written once a minute at most, unless an error stood there."""
    now = timezone.now()
    worked = connection.last_worked_at
    if worked and now - worked < _NOTE_EVERY and not connection.is_failing:
        return
    stale = Q(last_worked_at=None) | Q(last_worked_at__lt=now - _NOTE_EVERY) | Q(last_error_at__gte=F("last_worked_at"))
    if _same(connection).filter(stale).update(last_worked_at=now):
        connection.last_worked_at = now


def note_failed(connection: Connection, sentence: str) -> None:
    """Remember that the provider refused them, in a sentence that holds no secret."""
    connection.last_error, connection.last_error_at = sentence[:500], timezone.now()
    _same(connection).update(last_error=connection.last_error, last_error_at=connection.last_error_at)


def _same(connection: Connection) -> QuerySet[Connection]:
    """The row, unless other credentials were placed since: what the old ones met says nothing of the new."""
    return Connection.objects.filter(pk=connection.pk, sealed_key=connection.sealed_key)


def require(actor: User, owner: User) -> None:
    access.require(actor, "connection.own" if actor.pk == owner.pk else "connection.manage")


@sensitive_variables("api_key")
def find_account(api_key: str, provider: str = "kartra") -> Account | None:
    """The account the key belongs to, where it was met before."""
    return Account.objects.filter(fingerprint__in=seals.fingerprints(_digest(api_key, provider))).first()


@sensitive_variables("api_key")
def _digest(api_key: str, provider: str) -> str:
    return hashlib.sha256(f"{provider}:{api_key}".encode()).hexdigest()


@sensitive_variables("api_key", "plain")
def _account_of(api_key: str, provider: str = "kartra") -> Account:
    """The account the key belongs to, made when it is met for the first time."""
    known = find_account(api_key, provider)
    if known is not None:
        return known
    plain = _digest(api_key, provider)
    fingerprints = seals.fingerprints(plain)
    account, _ = Account.objects.get_or_create(
        fingerprint=fingerprints[0],
        defaults={
            "provider": provider,
            "name": "Kartra account",
            "sealed_digest": seals.keyring().seal(plain, bound_to=seals.of_account(fingerprints[0])),
        },
    )
    return account

"""Moving every seal to the newest key, so that an older key can be thrown away."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Model

from accounts import seals
from accounts.models import Account, Connection
from accounts.services import audit, checkpoints
from kartra_admin.lib.crypto import SealBroken


@dataclass(frozen=True)
class Rotation:
    """How many rows were sealed anew, and which still are not under the newest key, by name."""

    connections: int
    accounts: int
    others: int
    left: tuple[str, ...]


def rotate_keys(*, program: str) -> Rotation:
    """Seal each connection and account anew that the newest key did not seal.

    Each row is its own write, made only if the row is still as it was read. So it may be stopped at any point and run
    again, beside a desk at work. Rows that no present key opens are left as they are. The key that signs the log is
    turned too, where an older one stands behind it. Raises `checkpoints.NotOurs`.
    """
    connections = sum(_reseal_connection(row) for row in _connections())
    accounts = sum(_reseal_account(row) for row in Account.objects.order_by("pk"))
    others = sum(_reseal(row, kind) for kind in seals.kinds() for row in kind.rows().iterator(500))
    is_current = seals.keyring().is_current
    left = (
        *(f"credentials of {row.user.email}" for row in _connections() if not _is_current(row)),
        *(f"account {row}" for row in Account.objects.order_by("pk") if not is_current(row.sealed_digest)),
        *(f"{count} {kind.label}" for kind in seals.kinds() if (count := _count_left(kind))),
    )
    audit.record(
        action="keys.rotate.succeeded",
        outcome="succeeded",
        actor_name=program,
        detail={"connections": connections, "accounts": accounts, "others": others},
    )
    checkpoints.sign()
    return Rotation(connections, accounts, others, left)


def _connections() -> list[Connection]:
    return list(Connection.objects.select_related("account", "user").order_by("pk"))


def _is_current(connection: Connection) -> bool:
    return all(seals.keyring().is_current(token) for token in (connection.sealed_key, connection.sealed_password))


def _reseal_connection(connection: Connection) -> int:
    if _is_current(connection):
        return 0
    keyring = seals.keyring()
    resealed = {}
    for field, token in (("key", connection.sealed_key), ("password", connection.sealed_password)):
        place = seals.of_connection(connection.user_id, connection.account.provider, field)
        try:
            resealed[f"sealed_{field}"] = keyring.seal(keyring.open(token, bound_to=place), bound_to=place)
        except SealBroken:
            return 0
    as_read = {"sealed_key": connection.sealed_key, "sealed_password": connection.sealed_password}
    return Connection.objects.filter(pk=connection.pk, **as_read).update(**resealed)


def _reseal_account(account: Account) -> int:
    keyring = seals.keyring()
    if keyring.is_current(account.sealed_digest):
        return 0
    try:
        digest = keyring.open(account.sealed_digest, bound_to=seals.of_account(account.fingerprint))
    except SealBroken:
        return 0
    fingerprint = seals.fingerprints(digest)[0]
    sealed = keyring.seal(digest, bound_to=seals.of_account(fingerprint))
    row = Account.objects.filter(pk=account.pk, fingerprint=account.fingerprint)
    return row.update(fingerprint=fingerprint, sealed_digest=sealed)


def _count_left(kind: seals.Sealed) -> int:
    is_current = seals.keyring().is_current
    return sum(any(not is_current(token) for token in kind.tokens(row).values()) for row in kind.rows().iterator(500))


def _reseal(row: Model, kind: seals.Sealed) -> int:
    keyring = seals.keyring()
    as_read = {field: token for field, token in kind.tokens(row).items() if not keyring.is_current(token)}
    if not as_read:
        return 0
    try:
        resealed = {
            field: keyring.seal(keyring.open(token, bound_to=kind.fields[field](row)), bound_to=kind.fields[field](row))
            for field, token in as_read.items()
        }
    except SealBroken:
        return 0
    rows = type(row)._default_manager.filter(pk=row.pk)
    if not kind.within:
        return rows.filter(**as_read).update(**resealed)
    with transaction.atomic():
        fresh = rows.select_for_update().first()
        held = getattr(fresh, kind.within, {})
        if any(held.get(field) != token for field, token in as_read.items()):
            return 0
        return rows.update(**{kind.within: {**held, **resealed}})

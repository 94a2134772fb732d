"""The account's own words (tags, lists, sequences, pages, fields), read from the provider and kept for the pickers."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import get_args
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import Account, Connection, User
from accounts.services import access, audit
from leads import effects
from leads.models import Catalogue, Operation, Outcome
from leads.providers.base import CatalogueKind, Provider
from leads.providers.changes import CreateField
from leads.providers.errors import AlreadyDone, ProviderError
from leads.selectors import catalogues
from leads.selectors.catalogues import Catalogues
from leads.services import _operations
from leads.services.changes import require
from leads.wiring import provider_for

KINDS: tuple[CatalogueKind, ...] = get_args(CatalogueKind)
logger = logging.getLogger(__name__)


def refresh_catalogues(*, actor: User, connection: Connection) -> dict[CatalogueKind, str]:
    """Read all catalogues. Returns a sentence for each that could not be read; the others are kept fresh. Raises
    `Denied`."""
    access.require(actor, "catalogue.refresh")
    return read_catalogues(actor=actor, connection=connection)


def read_catalogues(*, actor: User, connection: Connection) -> dict[CatalogueKind, str]:
    """The same for who has just placed credentials, whatever the role."""
    provider = provider_for(connection)
    failures: dict[CatalogueKind, str] = {}
    for kind in KINDS:
        try:
            read_catalogue(provider, connection.account, kind)
        except ProviderError as error:
            failures[kind] = error.sentence
    outcome = "failed" if len(failures) == len(KINDS) else "succeeded"
    audit.record(
        action=f"catalogue.refresh.{outcome}",
        outcome=outcome,
        actor=actor,
        account=connection.account,
        detail={"unread": sorted(failures)} if failures else None,
    )
    return failures


def fields_for_editing(connection: Connection) -> Catalogues:
    """The account's catalogues, with the custom fields read first where they never were.

    Without them choices have no options to choose from; if they can't be read now, the rest of the form still works.
    """
    known = catalogues.for_account(connection.account)
    if "fields" in known.read_at:
        return known
    try:
        read_catalogue(provider_for(connection), connection.account, "fields")
    except ProviderError as error:
        logger.warning("custom fields could not be read: %s", error.sentence)
    return catalogues.for_account(connection.account)


def create_field(
    *, actor: User, connection: Connection, operation_id: UUID, identifier: str, kind: str, options: Sequence[str]
) -> Operation:
    """Make a custom field for the whole account; the fields are read before and after. It can't be undone.

    Raises `AlreadyDone` where there is one of this name: a reading could not tell it from ours.
    """
    change = CreateField(identifier, kind, list(options))
    require(actor, [change])
    intent = _operations.Intent(
        id=operation_id,
        actor=actor,
        connection=connection,
        request_digest=_operations.digest(change.kind, change.as_json()),
    )
    if first := _operations.find_replay(intent):
        return first
    known = provider_for(connection).list_fields()
    if identifier in [definition.identifier for definition in known]:
        raise AlreadyDone(f"There is already a field named {identifier}. Nothing was sent.")
    operation = _operations.perform(intent, [_operations.Step(change, after=effects.expected(change, {}))])
    if operation.outcome == Outcome.SUCCEEDED:
        try:
            read_catalogue(provider_for(connection), connection.account, "fields")
        except ProviderError as error:
            logger.warning("custom fields could not be read: %s", error.sentence)
    return operation


def read_catalogue(provider: Provider, account: Account, kind: CatalogueKind) -> Catalogue:
    """Read one catalogue and keep it. Raises `ProviderError`."""
    items = list_items(provider, kind)
    with transaction.atomic():
        catalogue, _ = Catalogue.objects.update_or_create(
            account=account, kind=kind, defaults={"items": items, "read_at": timezone.now()}
        )
    return catalogue


def list_items(provider: Provider, kind: CatalogueKind) -> list[object]:
    """Read one catalogue, as `Catalogue.items` keeps it. Raises `ProviderError`."""
    match kind:
        case "fields":
            return [asdict(definition) for definition in provider.list_fields()]
        case "tags":
            return [*provider.list_tags()]
        case "lists":
            return [*provider.list_lists()]
        case "sequences":
            return [*provider.list_sequences()]
        case "pages":
            return [*provider.list_pages()]

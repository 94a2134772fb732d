"""The account's own words (tags, lists, sequences, pages, fields), read from the provider and kept for the pickers."""

from dataclasses import asdict
from datetime import timedelta
from typing import get_args

from django.db import transaction
from django.utils import timezone

from accounts.models import Account, Connection, User
from accounts.services import audit
from leads.models import Catalogue
from leads.providers.base import CatalogueKind, Provider
from leads.providers.errors import ProviderError
from leads.wiring import provider_for

KINDS: tuple[CatalogueKind, ...] = get_args(CatalogueKind)
STALE_AFTER = timedelta(days=1)


def refresh_catalogues(*, actor: User, connection: Connection) -> dict[CatalogueKind, str]:
    """Read all catalogues. Returns a sentence for each that could not be read; the others are kept fresh."""
    provider = provider_for(connection)
    failures: dict[CatalogueKind, str] = {}
    for kind in KINDS:
        try:
            read_catalogue(provider, connection.account, kind)
        except ProviderError as error:
            failures[kind] = error.sentence
    outcome = "failed" if len(failures) == len(KINDS) else "succeeded"
    audit.record(
        action="catalogue.refresh",
        outcome=outcome,
        actor=actor,
        account=connection.account,
        detail={"unread": sorted(failures)} if failures else None,
    )
    return failures


def read_catalogue(provider: Provider, account: Account, kind: CatalogueKind) -> Catalogue:
    """Read one catalogue and keep it. Raises `ProviderError`."""
    match kind:
        case "fields":
            items: list[object] = [asdict(definition) for definition in provider.list_fields()]
        case "tags":
            items = [*provider.list_tags()]
        case "lists":
            items = [*provider.list_lists()]
        case "sequences":
            items = [*provider.list_sequences()]
        case "pages":
            items = [*provider.list_pages()]
    with transaction.atomic():
        catalogue, _ = Catalogue.objects.update_or_create(
            account=account, kind=kind, defaults={"items": items, "read_at": timezone.now()}
        )
    return catalogue

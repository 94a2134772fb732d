"""The account's catalogues as they were last read. Nothing here calls the provider."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.models import Account
from leads.models import Catalogue
from leads.providers.base import FieldDefinition, Lead, Option


@dataclass(frozen=True)
class Catalogues:
    """All that is known of an account's own words. ``read_at`` has no key for a kind that was never read."""

    tags: Sequence[str] = ()
    lists: Sequence[str] = ()
    sequences: Sequence[str] = ()
    pages: Sequence[str] = ()
    fields: Sequence[FieldDefinition] = ()
    read_at: dict[str, datetime] = field(default_factory=dict)

    @property
    def named(self) -> list["NamedCatalogue"]:
        """The catalogues that are nothing but names."""
        kinds = {"tags": self.tags, "lists": self.lists, "sequences": self.sequences, "pages": self.pages}
        return [NamedCatalogue(kind, names, self.read_at.get(kind)) for kind, names in kinds.items()]


@dataclass(frozen=True)
class NamedCatalogue:
    kind: str
    names: Sequence[str]
    read_at: datetime | None


def for_account(account: Account) -> Catalogues:
    """One query."""
    rows = {row.kind: row for row in Catalogue.objects.filter(account=account)}
    items = {kind: row.items for kind, row in rows.items()}
    definitions = [
        FieldDefinition(**{**item, "options": tuple(Option(**option) for option in item["options"])})
        for item in items.pop("fields", [])
    ]
    return Catalogues(**items, fields=definitions, read_at={kind: row.read_at for kind, row in rows.items()})


def with_options_of(lead: Lead, definitions: Sequence[FieldDefinition]) -> list[FieldDefinition]:
    """The fields, and what the lead holds beyond them: the catalogue may be old, or may never have been read."""
    known = {definition.identifier: definition for definition in definitions}
    for value in lead.custom_fields:
        definition = known.get(value.identifier) or FieldDefinition(value.identifier, value.kind)
        ids = {option.id for option in definition.options}
        options = (*definition.options, *(option for option in value.chosen if option.id not in ids))
        known[value.identifier] = FieldDefinition(value.identifier, definition.kind, definition.id, options)
    return list(known.values())

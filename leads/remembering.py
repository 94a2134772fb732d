"""A provider that keeps in the directory what passes through it, whoever asked and whatever for."""

from collections.abc import Callable, Sequence
from typing import Any

from django.utils import timezone

from accounts.models import Account
from leads.providers.base import Lead, LeadRef, Money, Outcome, Provider
from leads.providers.changes import Change
from leads.providers.errors import NotFound
from leads.services import directory


class Remembering:
    """Asks ``provider``, and remembers. What it answers and raises is the provider's own; where reading is ``to_keep``,
    a reading that could not be kept raises `NotKept`."""

    def __init__(self, provider: Provider, account: Account, *, is_met: bool = True, to_keep: bool = False) -> None:
        self._provider = provider
        self._account = account
        self._is_met = is_met
        self._to_keep = to_keep

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def get_lead(self, ref: LeadRef) -> Lead:
        at = timezone.now()
        try:
            lead = self._provider.get_lead(ref)
        except NotFound:
            self._note_gone(ref)
            raise
        self._keep(directory.remember_lead, lead, at=at, is_met=self._is_met)
        if not ref.id:
            self._keep(directory.drop_left_over, ref.email, lead.id)
        return lead

    def find_lead_id(self, ref: LeadRef) -> str:
        try:
            return self._provider.find_lead_id(ref)
        except NotFound:
            self._note_gone(ref)
            raise

    def get_money(self, ref: LeadRef) -> Money:
        at = timezone.now()
        money = self._provider.get_money(ref)
        if ref.id:
            self._keep(directory.remember_money, ref.id, money, at=at, is_met=self._is_met)
        return money

    def send(self, ref: LeadRef, changes: Sequence[Change]) -> tuple[Outcome, ...]:
        outcomes = self._provider.send(ref, changes)
        directory.quietly(directory.remember_changes, self._account, ref, changes, outcomes, at=timezone.now())
        return outcomes

    def _note_gone(self, ref: LeadRef) -> None:
        self._keep(directory.mark_gone, ref, at=timezone.now())

    def _keep(self, remember: Callable[..., object], *what: Any, **also: Any) -> None:
        if not directory.quietly(remember, self._account, *what, **also) and self._to_keep:
            raise directory.NotKept

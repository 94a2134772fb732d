"""A provider that keeps in the directory what passes through it, whoever asked and whatever for."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from accounts.models import Account
from leads.providers.base import Lead, LeadRef, Money, Outcome, Provider
from leads.providers.changes import Change
from leads.providers.errors import NotFound
from leads.services import directory


class Remembering:
    """Asks ``provider``, and remembers. What it answers and raises is the provider's own."""

    def __init__(self, provider: Provider, account: Account, *, is_met: bool = True) -> None:
        self._provider = provider
        self._account = account
        self._is_met = is_met

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def get_lead(self, ref: LeadRef) -> Lead:
        at = timezone.now()
        try:
            lead = self._provider.get_lead(ref)
        except NotFound:
            self._note_gone(ref)
            raise
        directory.quietly(directory.remember_lead, self._account, lead, at=at, is_met=self._is_met)
        if not ref.id:
            directory.quietly(directory.drop_left_over, self._account, ref.email, lead.id)
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
            directory.quietly(directory.remember_money, self._account, ref.id, money, at=at, is_met=self._is_met)
        return money

    def send(self, ref: LeadRef, changes: Sequence[Change]) -> tuple[Outcome, ...]:
        outcomes = self._provider.send(ref, changes)
        directory.quietly(directory.remember_changes, self._account, ref, changes, outcomes, at=timezone.now())
        return outcomes

    def _note_gone(self, ref: LeadRef) -> None:
        directory.quietly(directory.mark_gone, self._account, ref, at=timezone.now())

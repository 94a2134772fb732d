"""What a playbook would do to one lead, read now: nothing is sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from accounts import permissions
from accounts.models import Account, Connection, User
from leads import effects, rules
from leads.models import Playbook
from leads.playbook_steps import CANCEL, Step, steps_of
from leads.providers.base import Lead, LeadRef, Stamp
from leads.selectors.money import MoneyGroup
from leads.services import _operations, limits
from leads.services.changes import read_for_change
from leads.services.money import Plan, Sale, Whose, arrange_for
from leads.wiring import provider_for

_FOR_EVER = (
    "It cannot be restarted: the customer would have to buy again. Charges stop; access granted by automations stays."
)
SINGLE = "single"  # stands for the payments that belong to no subscription
WILL, SO, CANNOT = "will", "so", "cannot"


@dataclass(frozen=True)
class Line:
    """One step as it would go: ``state`` is ``will``, ``so`` (already, so it is skipped) or ``cannot``.

    ``sentence`` says what will happen to whom for how much, ``note`` why not, or what to expect.
    """

    step: Step
    sentence: str
    state: str
    note: str = ""


@dataclass(frozen=True)
class Preview:
    """All steps, and the money that may be chosen for them. ``chosen`` is the key of one of ``choices``, or ""."""

    playbook: Playbook
    lead: Lead
    choices: tuple["Choice", ...]
    chosen: str
    lines: tuple[Line, ...]

    @property
    def digest(self) -> str:
        """Stands for everything shown that matters: the steps, their figures, and how each of them stands."""
        shown = [[line.state, line.step.as_json()] for line in self.lines]
        return _operations.digest("playbook", self.playbook.pk, self.lead.id, self.chosen, shown)

    @property
    def whose(self) -> Whose:
        return Whose(self.lead.id, self.lead.name, self.lead.email)

    @property
    def has_money(self) -> bool:
        return any(line.step.is_money for line in self.lines)

    @property
    def why_not(self) -> str:
        """Against running it as it is shown."""
        if any(line.state == CANNOT for line in self.lines):
            return "Not every step can be done, so none will be. The steps above say why."
        if all(line.state == SO for line in self.lines):
            return "Every step is already done. There is nothing to do."
        return ""

    def subject_of(self, act: str) -> str:
        return next((line.step.subject for line in self.lines if line.step.act == act), "")


@dataclass(frozen=True)
class Choice:
    """A subscription, or the single purchases, whose money the steps would touch."""

    group: MoneyGroup

    @property
    def key(self) -> str:
        return self.group.subscription.id if self.group.subscription else SINGLE

    @property
    def is_running(self) -> bool:
        return self.group.subscription is not None and self.group.subscription.status not in rules.FINISHED


def preview_playbook(
    *, actor: User, connection: Connection, playbook: Playbook, lead_id: str, chosen: str = ""
) -> Preview:
    """Reads the lead, and its money where a step needs it. Raises `Refused` for a deleted lead, or a `ProviderError`.

    Without a choice the only running subscription is taken, else the only thing there is to choose, else none.
    """
    lead = read_for_change(connection, LeadRef(id=lead_id))
    steps = steps_of(playbook.steps)
    choices: list[Choice] = []
    if any(step.is_money for step in steps):
        found = map(Choice, arrange_for(connection.account, provider_for(connection).get_money(lead.ref)))
        cancels = any(step.act == CANCEL for step in steps)
        choices = [choice for choice in found if choice.group.subscription or not cancels]
    choice = _choose(choices, chosen)
    reader = _Reader(actor, connection.account, lead, choice, has_choices=bool(choices))
    return Preview(
        playbook, lead, tuple(choices), choice.key if choice else "", tuple(reader.line(step) for step in steps)
    )


def _choose(choices: Sequence[Choice], wanted: str) -> Choice | None:
    if wanted:
        return next((choice for choice in choices if choice.key == wanted), None)
    running = [choice for choice in choices if choice.is_running]
    return next((alone[0] for alone in (running, list(choices)) if len(alone) == 1), None)


@dataclass(frozen=True)
class _Reader:
    """Turns steps into lines, for one person and what was read."""

    actor: User
    account: Account
    lead: Lead
    choice: Choice | None
    has_choices: bool

    def line(self, step: Step) -> Line:
        if step.is_money:
            line = self._cancel(step) if step.act == CANCEL else self._refund(step)
        else:
            sentence = f"{step.order_for(self.lead.name or self.lead.email)}."
            is_so = effects.is_already_so(step.change, self.lead)
            line = _so(step, sentence, "Already done.") if is_so else Line(step, sentence, WILL)
        if line.state == WILL and not self.actor.has_permission(step.permission):
            return replace(line, state=CANNOT, note=permissions.refusal(self.actor, step.permission))
        return line

    def _cancel(self, step: Step) -> Line:
        if self.choice is None or self.choice.group.subscription is None:
            return self._without_choice(step)
        subscription = self.choice.group.subscription
        plan = Plan(self._whose, self.account, self.choice.group)
        step = replace(step, subject=subscription.id, seen=plan.digest)
        price = f", {subscription.next_amount:.2f} {subscription.period}" if subscription.next_amount else ""
        sentence = f"Cancel subscription #{subscription.id} ({self.choice.group.title}{price}) of {self._name}."
        if subscription.status in rules.FINISHED:
            return _so(step, sentence, f"Already {subscription.status}.")
        if why := plan.why_not("subscription.cancel"):
            return Line(step, sentence, CANNOT, why)
        return Line(step, sentence, WILL, _FOR_EVER)

    def _refund(self, step: Step) -> Line:
        if self.choice is None:
            return self._without_choice(step)
        payment = self.choice.group.last_payment
        if payment is None:
            return Line(step, f"{step.order}.", CANNOT, _why_no_last(self.choice.group))
        sale = Sale(self._whose, self.account, self.choice.group, payment)
        row, left = payment.transaction, payment.left
        step = replace(step, subject=row.id, seen=sale.digest, amount="" if left is None else f"{left:.2f}")
        what = f"{payment.title.lower()} #{row.id}" + (f" of {_day(row.at)}" if row.at else "")
        if left == 0:
            return _so(step, f"Refund {what} of {self._name}.", "It has already been refunded.")
        whole = "all of" if left == row.amount else f"what is left of {row.amount}, of"
        sentence = f"Refund {step.amount or 'what is left'}, {whole} {what}, to {self._name}."
        if why := sale.why_not():
            return Line(step, sentence, CANNOT, why)
        return Line(step, sentence, WILL, self._above(row.id, Decimal(step.amount)))

    def _without_choice(self, step: Step) -> Line:
        missing = "This lead has no subscription." if step.act == CANCEL else "This lead has made no payments."
        return Line(step, f"{step.order}.", CANNOT, "First choose which one above." if self.has_choices else missing)

    def _above(self, transaction_id: str, amount: Decimal) -> str:
        """What happens where it is more than the person may refund alone."""
        above = limits.why_above(
            actor=self.actor,
            account=self.account,
            lead_id=self.lead.id,
            transaction_id=transaction_id,
            amount=amount,
        )
        asks = "The run asks for approval here and waits; resume it afterwards."
        return f"Above your limit: {above}. {asks}" if above else ""

    @property
    def _name(self) -> str:
        return self.lead.name or self.lead.email

    @property
    def _whose(self) -> Whose:
        return Whose(self.lead.id, self.lead.name, self.lead.email)


def _day(stamp: Stamp) -> str:
    """'5 Nov 2026 EST', or the provider's own words."""
    return f"{stamp.at.day} {stamp.at:%b %Y} {stamp.zone}" if stamp.at else stamp.text


def _so(step: Step, sentence: str, note: str) -> Line:
    return Line(replace(step, skipped=note), sentence, SO, note)


def _why_no_last(group: MoneyGroup) -> str:
    if not group.hides_last:
        return "Nothing was paid there."
    do = "Refund it in Kartra." if group.hides_last_for_good else "Reload to read it again."
    return f"Kartra did not return which payment was its last. {do}"

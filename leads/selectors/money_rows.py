"""What may be done with each row of a lead's money, what stands against it, what is under way and who did what.

A few queries for a lead, however long his history.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from django.db.models import QuerySet

from accounts import permissions
from accounts.models import Account, User
from leads import labels, rules
from leads.models import OPEN, Approval, OperationStep, Outcome
from leads.providers.base import Transaction
from leads.selectors import approvals, playbooks
from leads.selectors.money import MoneyGroup, Payment, count_own, match
from leads.selectors.playbooks import Progress

_REFUND = "transaction.refund"
# Every act on a subscription: its kind, the word on its button, the permission it needs.
_PAUSE = ("subscription.pause", "Pause", "subscription.pause")
_RESUME = ("subscription.resume", "Resume", "subscription.pause")
_EDIT = ("subscription.edit", "Edit", "subscription.edit")
_CANCEL = ("subscription.cancel", "Cancel", "subscription.cancel")
_NEWEST = 10  # payments of a group beside other cards; the page of all transactions has the others


@dataclass(frozen=True)
class Act:
    """One act on one row. ``why_not`` is "" where nothing stands against it; ``is_denied`` where only the role does."""

    kind: str
    label: str
    why_not: str = ""
    is_denied: bool = False

    @property
    def stem(self) -> str:
        """Of the button's id."""
        return self.kind.replace(".", "-")

    @property
    def url_name(self) -> str:
        return "leads:refund" if self.kind == _REFUND else f"leads:{self.stem}"


@dataclass(frozen=True)
class RefundNote:
    """A refund or chargeback under its payment: as the provider lists it, as it was made here, or both."""

    transaction: Transaction | None
    step: OperationStep | None = None


@dataclass(frozen=True)
class PaymentRow:
    """``doing`` is what is not settled yet, ``request`` what waits for approval."""

    payment: Payment
    act: Act
    doing: OperationStep | None = None
    notes: tuple[RefundNote, ...] = ()
    request: Approval | None = None

    @property
    def acts(self) -> tuple[Act, ...]:
        return (self.act,)

    @property
    def name(self) -> str:
        """'Rebill 3, #738474'."""
        return f"{self.payment.title}, #{self.payment.transaction.id}"

    @property
    def doing_label(self) -> str:
        return f"Refund {self.doing.amount:.2f}" if self.doing else ""


@dataclass(frozen=True)
class GroupRow:
    """``final`` says why nothing can be done with the subscription any more, and ``whys`` why some acts cannot be."""

    group: MoneyGroup
    rows: tuple[PaymentRow, ...]
    acts: tuple[Act, ...] = ()
    doing: OperationStep | None = None
    final: str = ""

    @property
    def name(self) -> str:
        """'Kiln Club, #14833'."""
        return f"{self.group.title}, #{self.group.the_subscription.id}"

    @property
    def why_id(self) -> str:
        """Where a page says why some of its acts cannot be done."""
        return f"why-{self.group.the_subscription.id}"

    @property
    def doing_label(self) -> str:
        return labels.to_do(self.doing.kind, self.doing.subject) if self.doing else ""

    @property
    def newest(self) -> tuple[PaymentRow, ...]:
        """The newest payments, and every older one that is not settled or waits for approval."""
        return (*self.rows[:_NEWEST], *(row for row in self.rows[_NEWEST:] if row.doing or row.request))

    @property
    def older(self) -> int:
        """How many are left out of ``newest``."""
        return len(self.rows) - len(self.newest)

    @property
    def whys(self) -> list[str]:
        found = [act.why_not for act in self.acts if act.why_not and not act.is_denied]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Standing:
    """All of a lead's money. ``denials`` say what this person's role leaves out, and who may; ``runs`` are not over."""

    groups: tuple[GroupRow, ...]
    denials: tuple[str, ...] = field(default=())
    runs: tuple[Progress, ...] = field(default=())

    def row_of(self, transaction_id: str) -> PaymentRow:
        """Raises StopIteration for a transaction that is not among them."""
        rows = (row for group in self.groups for row in group.rows)
        return next(row for row in rows if row.payment.transaction.id == transaction_id)

    def group_of(self, subscription_id: str) -> GroupRow:
        """Raises StopIteration for a subscription that is not among them."""
        return next(
            row for row in self.groups if row.group.subscription and row.group.subscription.id == subscription_id
        )


def of_money(groups: Sequence[MoneyGroup], *, account: Account, lead_id: str, user: User) -> Standing:
    """Three queries: what was done, what waits for approval, which runs are not over; a few more where some are."""
    requests = {row.change.subject: row for row in approvals.open_of_lead(account, lead_id)}
    steps: dict[tuple[str, str], list[OperationStep]] = defaultdict(list)
    done = list(_money_steps(account, lead_id))
    for step in done:
        steps[step.kind.partition(".")[0], step.subject].append(step)
    runs = playbooks.list_unfinished(account, lead_id)
    held = {
        subject
        for row in runs
        if row.run.is_held
        for subject in (("transaction", row.run.transaction_id), ("subscription", row.run.subscription_id))
    }
    rows = []
    for group in count_own(groups, done):
        payments = tuple(
            _payment_row(payment, lead_id, steps["transaction", payment.transaction.id], requests, user, held)
            for payment in group.payments
        )
        if group.subscription is None:
            rows.append(GroupRow(group, payments))
            continue
        doing = _open(steps["subscription", group.subscription.id])
        is_held = ("subscription", group.subscription.id) in held
        final = group.subscription.status in rules.FINISHED
        rows.append(
            GroupRow(
                group,
                payments,
                () if final else _subscription_acts(group, lead_id, user, _outcome(doing, is_held=is_held)),
                doing,
                rules.why_not_cancel(group.subscription) if final else "",
            )
        )
    return Standing(tuple(rows), tuple(_denials(user, rows)), tuple(runs))


def _money_steps(account: Account, lead_id: str) -> QuerySet[OperationStep]:
    """Every step of the lead that has to do with money, oldest first. People are read apart: mostly there are none."""
    return (
        OperationStep.objects.filter(operation__account=account, operation__lead_id=lead_id)
        .exclude(lock="")
        .select_related("operation")
        .prefetch_related("operation__actor", "operation__approved_by", "operation__steps")
        .order_by("operation__created_at")
    )


def _open(steps: Sequence[OperationStep]) -> OperationStep | None:
    return next((step for step in steps if step.outcome in OPEN), None)


def _outcome(step: OperationStep | None, *, is_held: bool) -> str:
    """``is_held``: by a playbook that is to touch it, and has not begun."""
    if step:
        return step.outcome
    return Outcome.HELD if is_held else ""


def _payment_row(
    payment: Payment,
    lead_id: str,
    steps: Sequence[OperationStep],
    requests: Mapping[str, Approval],
    user: User,
    held: Set[tuple[str, str]],
) -> PaymentRow:
    doing = _open(steps)
    outcome = _outcome(doing, is_held=("transaction", payment.transaction.id) in held)
    why_not = rules.why_not_refund(payment, doing=outcome) or rules.why_not_whose(payment.transaction, lead_id)
    act = _act((_REFUND, "Refund", _REFUND), why_not, user)
    notes = tuple(_notes(payment, steps))
    return PaymentRow(payment, act, doing, notes, requests.get(payment.transaction.id))


def _act(what: tuple[str, str, str], why_not: str, user: User) -> Act:
    kind, label, permission = what
    if why_not or user.has_permission(permission):
        return Act(kind, label, why_not)
    return Act(kind, label, _denial(user, [permission]), is_denied=True)


def _subscription_acts(group: MoneyGroup, lead_id: str, user: User, doing: str) -> tuple[Act, ...]:
    whose = rules.why_not_whose(group.the_subscription, lead_id)
    if group.the_subscription.status == "paused":
        first = _act(_RESUME, rules.why_not_resume(group, doing=doing) or whose, user)
    else:
        first = _act(_PAUSE, rules.why_not_pause(group, doing=doing) or whose, user)
    edit = _act(_EDIT, rules.why_not_edit(group, doing=doing) or whose, user)
    return first, edit, _act(_CANCEL, rules.why_not_cancel(group.the_subscription, doing=doing) or whose, user)


def _notes(payment: Payment, steps: Sequence[OperationStep]) -> list[RefundNote]:
    """Each refund the provider lists beside the operation that made it, what was made here and is not listed yet, and
    the chargebacks."""
    made_by, unlisted = match(payment.refunds, steps)
    return [
        *(RefundNote(row, made_by.get(row.id)) for row in payment.refunds),
        *(RefundNote(None, step) for step in unlisted),
        *(RefundNote(row) for row in payment.chargebacks),
    ]


def _denials(user: User, rows: Sequence[GroupRow]) -> list[str]:
    """One sentence for each set of roles that may what this person may not."""
    acts = [act for row in rows for act in (*row.acts, *(payment.act for payment in row.rows))]
    lacking = {_permission(act.kind) for act in acts if act.is_denied}
    by_holders: dict[frozenset[str], list[str]] = {}
    for permission, (_, holders) in permissions.PERMISSIONS.items():
        if permission in lacking:
            by_holders.setdefault(holders, []).append(permission)
    return [_denial(user, names) for names in by_holders.values()]


def _permission(kind: str) -> str:
    return "subscription.pause" if kind == "subscription.resume" else kind


def _denial(user: User, names: Sequence[str]) -> str:
    deeds = _listed([permissions.PERMISSIONS[name][0] for name in names], "or")
    holders = permissions.PERMISSIONS[names[0]][1]
    who = _listed([label for role, label in permissions.ROLES.items() if role in holders], "and")
    return f"Your role ({user.role_label}) does not let you {deeds}. {who} may."


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))

"""What is confirmed at the desk, by every way in, and what people do about it afterwards."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from kartra_admin.lib.errors import AppError, Denied
from leads.models import Approval, PlaybookRun
from leads.providers import changes
from leads.providers.kartra.sandbox.state import est_now
from leads.selectors.playbooks import list_unfinished, progress_of
from leads.services import approvals, cancelling, money, runs
from leads.services.limits import AboveLimit
from leads.services.playbook_preview import preview_playbook
from leads.wiring import provider_for
from tests.rig import points, world

REFUND, STATUS, EDIT = "refund_transaction", "modify_subscription_status", "edit_subscription"


@dataclass
class Subject:
    """A payment or a subscription that the act concerns, once. ``not_ours`` are acts on it that the desk did not do."""

    what: str
    number: int
    not_ours: set[int] = field(default_factory=set)

    def done(self) -> list[int]:
        """What was really done of it, as cents."""
        return world.acts_on(self.what, self.number, self.not_ours)


class Act:
    """One customer, and one thing that is asked for him. ``commands`` are the calls it sends; ``where`` are its own
    steps, beside those of the write path; ``is_held`` says whether it waits to be sent by the worker."""

    commands: ClassVar[tuple[str, ...]] = (REFUND,)
    where: ClassVar[Mapping[str, points.Point]] = {}
    is_held = True
    role = "manager"
    status = "Active"
    is_of_plan = False

    def __init__(self, chance: random.Random, wrong: list[str]) -> None:
        self.chance, self.wrong = chance, wrong
        self.customer = world.new_customer(chance, status=self.status, is_of_plan=self.is_of_plan)
        self.lead_id = str(self.customer.lead_id)
        self.whose = money.Whose(self.lead_id, "Rig Customer", f"rig{self.lead_id}@example.com")
        self.agent, self.other = world.person(self.role), world.person("admin")
        self.payment = Subject("transaction", self.customer.sale_id)
        self.plan = Subject("subscription", self.customer.subscription_id)
        self.prepare()

    def prepare(self) -> None:
        """Choose what the act is to do."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (self.payment,)

    def see(self, who: Any) -> Any:
        """Open the dialog: a fresh reading, and its fingerprint."""
        raise NotImplementedError

    def confirm(self, who: Any, seen: Any, own_id: UUID) -> object:
        raise NotImplementedError

    def carry_on(self) -> list[points.Job]:
        """What somebody has to do now so that it comes to its end: clicks, each safe to be made by several at once."""
        return []

    def judge(self) -> None:
        """Add to ``wrong`` what the desk says of it and is not so, beyond the operations themselves."""

    @contextmanager
    def refused(self) -> Iterator[None]:
        """To be refused is no mishap, unless for a reason that would leave the rig with nothing to test."""
        try:
            yield
        except (Denied, AboveLimit) as error:
            self.wrong.append(f"the rig may not: {error}")
        except AppError:
            pass

    def clicked(self, job: points.Job) -> points.Job:
        def click() -> None:
            with self.refused():
                job()

        return click

    def sale(self, who: Any) -> money.Sale:
        return money.read_sale(
            provider_for(who.connection), who.connection.account, self.whose, str(self.payment.number)
        )

    def terms(self, seen: str) -> money.Terms:
        return money.Terms("Asked for it", "", seen)


class RefundAll(Act):
    amount: Decimal | None = None

    def see(self, who: Any) -> str:
        return self.sale(who).digest

    def confirm(self, who: Any, seen: str, own_id: UUID) -> object:
        return approvals.refund_or_request(
            actor=who,
            connection=who.connection,
            whose=self.whose,
            transaction_id=str(self.payment.number),
            amount=self.amount,
            terms=self.terms(seen),
            operation_id=own_id,
        )


class RefundPart(RefundAll):
    """The same amount may have gone back before, or of another sale of his."""

    always_before = False

    def prepare(self) -> None:
        part = self.customer.cents * self.chance.randint(5, 30) // 100
        if self.always_before or self.chance.random() < 0.3:
            self.payment.not_ours.add(world.refund_in_kartra(self.customer.sale_id, part))
        if self.chance.random() < 0.3:
            world.refund_in_kartra(self.customer.other_id, part)
        self.amount = None if self.always_before else Decimal(part) / 100


class RefundRest(RefundPart):
    always_before = True


class Approved(RefundPart):
    """Above the limit of who asks: each of several approvers clicks, some of them twice."""

    role = "support"
    where: ClassVar = points.DECIDING
    is_held = False

    def carry_on(self) -> list[points.Job]:
        jobs = []
        for request in Approval.objects.filter(lead_id=self.lead_id, status=Approval.Status.WAITING):
            approvers = [world.person("manager"), world.person("manager", 2), world.person("admin")]
            for who in self.chance.sample(approvers, self.chance.randint(1, 3)):
                jobs += [self.approval(who, request)] * self.chance.choice((1, 1, 2))
        return jobs

    def approval(self, who: Any, request: Approval) -> points.Job:
        return self.clicked(lambda: approvals.approve(actor=who, connection=who.connection, approval=request))

    def judge(self) -> None:
        for request in Approval.objects.filter(lead_id=self.lead_id):
            approved = world.entries(approvals.operation_id_of(request), "approval.decide.approved").count()
            if approved != (request.status == Approval.Status.APPROVED) or bool(request.operation) != bool(approved):
                self.wrong.append(f"the request is {request.status}, and was approved {approved} times")
            if request.is_open:
                self.wrong.append("the request is forgotten")


class Change(Act):
    """One change of a subscription."""

    commands = (STATUS,)
    make: ClassVar[Callable[[str], changes.Change]] = changes.CancelSubscription

    def prepare(self) -> None:
        self.change = self.wanted(str(self.plan.number))

    def wanted(self, number: str) -> changes.Change:
        return type(self).make(number)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (self.plan,)

    def see(self, who: Any) -> str:
        provider, account = provider_for(who.connection), who.connection.account
        return money.read_plan(provider, account, self.whose, self.change.subject).digest

    def confirm(self, who: Any, seen: str, own_id: UUID) -> object:
        return money.change_subscription(
            actor=who,
            connection=who.connection,
            whose=self.whose,
            change=self.change,
            terms=self.terms(seen),
            operation_id=own_id,
        )


class Pause(Change):
    make = changes.PauseSubscription


class Resume(Change):
    status = "Paused"
    make = changes.ResumeSubscription


class Edit(Change):
    commands = (EDIT,)

    def wanted(self, number: str) -> changes.Change:
        later = est_now(1) + timedelta(days=self.chance.randint(2, 60))
        settings = {
            "amount": f"{self.chance.randint(30, 90)}.00",
            "next_payment": later.strftime("%Y-%m-%d %H:%M"),
            "installments_left": str(self.chance.randint(1, 12)),
        }
        some = self.chance.sample(sorted(settings), self.chance.randint(1, 3))
        return changes.EditSubscription(number, **{name: settings[name] for name in some})


class Run(Act):
    """A cancellation and a refund in one run, resumed by whoever finds it stopped."""

    commands = (STATUS, REFUND)
    where: ClassVar = points.RUNNING
    is_of_plan = True

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return self.plan, self.payment

    def carry_on(self) -> list[points.Job]:
        jobs = []
        for progress in list_unfinished(self.agent.connection.account, self.lead_id):
            if not progress.why_not and progress.next_id and not self.goes_on(progress.run):
                who = self.chance.choice((self.agent, self.other))
                jobs += [self.resumed(who, progress.run, progress.next_id)] * self.chance.choice((1, 1, 2))
        return jobs

    def resumed(self, who: Any, run: PlaybookRun, next_id: UUID) -> points.Job:
        return self.clicked(lambda: runs.resume_run(actor=who, connection=who.connection, run=run, next_id=next_id))

    def goes_on(self, run: PlaybookRun) -> bool:
        """Whether the worker does it. Never begun by him is what nobody knows to have begun."""
        return run.is_held or (run.goes_on and run.operations.exists())

    def judge(self) -> None:
        if self.payment.done() and not self.plan.done():
            self.wrong.append("refunded without a cancellation")
        for run in PlaybookRun.objects.filter(lead_id=self.lead_id):
            progress = progress_of(run)
            if progress.is_over != bool(run.ended_at):
                self.wrong.append(f"the run is {progress.badge[0]} and ended {run.ended_at}")
            if not progress.is_over and self.goes_on(run):
                self.wrong.append("the run is forgotten")
            elif not progress.is_over:  # a person's last word, and no work for the worker of later cases
                runs.close_run(actor=self.other, run=run, note="Not any more")
                if not progress_of(run).is_over:
                    self.wrong.append("the run was not closed")


class Ending(Run):
    """From the dialog of the subscription: goes on by itself."""

    def see(self, who: Any) -> tuple[str, str]:
        provider, account = provider_for(who.connection), who.connection.account
        plan = money.read_plan(provider, account, self.whose, str(self.plan.number))
        return plan.digest, self.sale(who).digest

    def confirm(self, who: Any, seen: tuple[str, str], own_id: UUID) -> object:
        return cancelling.cancel_and_refund(
            actor=who,
            connection=who.connection,
            whose=self.whose,
            subscription_id=str(self.plan.number),
            terms=self.terms(seen[0]),
            last=cancelling.LastPayment(str(self.payment.number), seen[1]),
            run_id=own_id,
        )


class Playbook(Run):
    """From the lead's page, after a preview, with a tag before the money. Held back as a whole, and not its parts."""

    is_held = False
    where: ClassVar = points.RUNNING | points.BEGINNING

    def see(self, who: Any) -> str:
        return preview_playbook(
            actor=who,
            connection=who.connection,
            playbook=world.playbook(),
            lead_id=self.lead_id,
            chosen=str(self.plan.number),
        ).digest

    def confirm(self, who: Any, seen: str, own_id: UUID) -> object:
        return runs.start_playbook(
            actor=who,
            connection=who.connection,
            playbook=world.playbook(),
            lead_id=self.lead_id,
            chosen=str(self.plan.number),
            terms=self.terms(seen),
            run_id=own_id,
        )


ACTS: dict[str, type[Act]] = {
    "refund all": RefundAll,
    "refund part": RefundPart,
    "refund rest": RefundRest,
    "approval": Approved,
    "cancel": Change,
    "pause": Pause,
    "resume": Resume,
    "edit": Edit,
    "cancel+refund": Ending,
    "playbook": Playbook,
}

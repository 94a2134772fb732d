"""One case: an act, what goes wrong with it, what people and the worker do meanwhile, and how it ends."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import AuditEntry
from kartra_admin.lib.errors import AppError, Denied
from leads.models import OPEN, Outcome
from leads.providers import changes
from leads.providers.kartra.sandbox.faults import MODES
from leads.providers.kartra.sandbox.state import est_now
from leads.services import _operations, money, settling
from leads.services.limits import AboveLimit
from leads.services.reconcile import reconcile
from leads.wiring import provider_for
from tests.rig import points, world
from tests.rig.points import CLAIMING, CONFIRMING, SENDING, SETTLING

ACTS = ("refund all", "refund part", "refund rest", "cancel", "pause", "resume", "edit")
PARTS = ("faults", "killed", "at once", "locked", "stalled")
HOLD = 10
# Seconds between the worker's rounds, until everything is settled.
ROUNDS = (4, 40, 41, 60, 360, 3600, 90000)
_WRITES = {"cancel": "modify_subscription_status", "pause": "modify_subscription_status",
           "resume": "modify_subscription_status", "edit": "edit_subscription"}  # fmt: skip
_READS = ("get_transaction_details", "get_subscription_details", "retrieve_transactions_from_lead", "*")


@dataclass
class Verdict:
    """How a case ended. ``wrong`` is empty where the desk is right about everything."""

    act: str
    story: list[str] = field(default_factory=list)
    done: int = 0
    double: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)
    by_reading: int = 0
    by_person: int = 0

    @property
    def is_bad(self) -> bool:
        return bool(self.double or self.lost or self.wrong)


class Case:
    """A customer, an act on what he bought, and the people at the desk."""

    def __init__(self, part: str, name: str) -> None:
        self.chance = random.Random(name)
        self.part = part
        self.act = self.chance.choice(ACTS)
        self.verdict = Verdict(self.act)
        self.not_ours: set[int] = set()
        self.customer = world.new_customer(self.chance, status="Paused" if self.act == "resume" else "Active")
        self.whose = money.Whose(str(self.customer.lead_id), "Rig Customer", f"rig{self.customer.lead_id}@example.com")
        self.agent, self.other = world.person("manager"), world.person("admin")
        self.change = self._change()
        self.amount = self._amount()
        settings.MONEY_HOLD = HOLD if self.chance.random() < 0.6 else 0

    # The act

    @property
    def is_refund(self) -> bool:
        return self.act.startswith("refund")

    @property
    def command(self) -> str:
        return _WRITES.get(self.act, "refund_transaction")

    def _change(self) -> changes.Change | None:
        number = str(self.customer.subscription_id)
        if self.act == "edit":
            later = est_now(1) + timedelta(days=self.chance.randint(2, 60))
            wanted = {
                "amount": f"{self.chance.randint(30, 90)}.00",
                "next_payment": later.strftime("%Y-%m-%d %H:%M"),
                "installments_left": str(self.chance.randint(1, 12)),
            }
            some = self.chance.sample(sorted(wanted), self.chance.randint(1, 3))
            return changes.EditSubscription(number, **{name: wanted[name] for name in some})
        kinds: dict[str, Callable[[str], changes.Change]] = {
            "cancel": changes.CancelSubscription,
            "pause": changes.PauseSubscription,
            "resume": changes.ResumeSubscription,
        }
        return kinds[self.act](number) if self.act in kinds else None

    def _amount(self) -> Decimal | None:
        if not self.is_refund or self.act == "refund all":
            return None
        part = self.customer.cents * self.chance.randint(5, 30) // 100
        if self.act == "refund rest" or self.chance.random() < 0.3:  # just as much went back before
            self.not_ours.add(world.refund_in_kartra(self.customer.sale_id, part))
        if self.chance.random() < 0.3:  # or of another sale
            world.refund_in_kartra(self.customer.other_id, part)
        return None if self.act == "refund rest" else Decimal(part) / 100

    def see(self, who: Any) -> str:
        """Open the dialog: a fresh reading, and its fingerprint."""
        provider, account = provider_for(who.connection), who.connection.account
        if self.change:
            return money.read_plan(provider, account, self.whose, self.change.subject).digest
        return money.read_sale(provider, account, self.whose, str(self.customer.sale_id)).digest

    def confirm(self, who: Any, seen: str, operation_id: UUID) -> object:
        terms = money.Terms("Asked for it", "", seen)
        rest = {"actor": who, "connection": who.connection, "whose": self.whose, "terms": terms}
        if self.change:
            return money.change_subscription(change=self.change, operation_id=operation_id, **rest)
        return money.refund_transaction(
            transaction_id=str(self.customer.sale_id), amount=self.amount, operation_id=operation_id, **rest
        )

    def attempt(self, who: Any) -> None:
        """Read, decide, confirm; and click again now and then. What is refused is no mishap."""
        operation_id = UUID(int=self.chance.getrandbits(128))
        with self.refused():
            seen = self.see(who)
            for _ in range(self.chance.choice((1, 1, 2))):
                with self.refused():
                    self.confirm(who, seen, operation_id)

    @contextmanager
    def refused(self) -> Iterator[None]:
        """To be refused is no mishap, unless for a reason that would leave the rig with nothing to test."""
        try:
            yield
        except (Denied, AboveLimit) as error:
            self.verdict.wrong.append(f"the rig may not: {error}")
        except AppError as error:
            self.tell("refused:", error)

    # What goes wrong

    def tell(self, *words: object) -> None:
        self.verdict.story.append(" ".join(map(str, words)))

    def arm(self, *commands: str) -> None:
        command = self.chance.choice(commands)
        mode = self.chance.choice([mode for mode in MODES if command == "refund_transaction" or "266" not in mode])
        times = self.chance.choice((1, 1, 1, 2, 4))
        world.arm(command, mode, times)
        self.tell("fault", command, mode, f"x{times}")

    def run(self) -> Verdict:
        self.tell(self.act, self.amount or "", self.change or "", f"hold {settings.MONEY_HOLD}")
        {
            "faults": self.with_faults,
            "killed": self.killed,
            "at once": self.at_once,
            "locked": self.locked,
            "stalled": self.stalled,
        }[self.part]()
        self.let_time_pass()
        world.disarm()
        self.ask_a_person()
        self.judge()
        return self.verdict

    def with_faults(self) -> None:
        step = self.chance.choice(("seeing", "confirming", "sending", "sending", "sending", "settling"))
        self.tell("while", step)
        if step == "seeing":
            self.arm(*_READS)
        elif step == "confirming":
            seen = self.see(self.agent)
            self.arm(*_READS)
            with self.refused():
                self.confirm(self.agent, seen, UUID(int=self.chance.getrandbits(128)))
            return
        elif step == "sending":
            self.arm(self.command)
        else:
            self.arm(self.command)
            self.attempt(self.agent)
            self.arm(*_READS)
            return
        self.attempt(self.agent)

    def killed(self) -> None:
        if self.chance.random() < 0.5:
            self.arm(self.command)
        held = settings.MONEY_HOLD > 0
        confirming = CONFIRMING if held else CONFIRMING | SENDING
        sending = CLAIMING | SENDING if held else {}
        name, point = self.chance.choice(sorted((confirming | sending | SETTLING).items()))
        self.tell("killed", name)
        with points.at(point, points.die):
            points.in_child(lambda: self.attempt(self.agent)) if name in confirming else self.attempt(self.agent)
            if name in sending:
                world.pass_time(self.customer, HOLD + 1)
                points.in_child(money.send_due_operations)
            elif name in SETTLING:
                world.pass_time(self.customer, HOLD + 1)
                money.send_due_operations()
                points.in_child(lambda: reconcile(only_due=True))

    def at_once(self) -> None:
        if self.chance.random() < 0.5:
            self.arm(self.command)
        in_processes = self.chance.random() < 0.3
        ids = [UUID(int=self.chance.getrandbits(128)) for _ in range(2)]
        what = self.chance.choice(("double click", "two agents", "workers", "undo", "readings"))
        self.tell(what, "in processes" if in_processes else "in threads")
        seen = self.see(self.agent)

        def confirm(who: Any, place: int) -> points.Job:
            return lambda: self.confirm(who, seen, ids[place])

        if what == "double click":
            points.together([confirm(self.agent, 0)] * 3, in_processes=in_processes)
        elif what == "two agents":
            points.together([confirm(self.agent, 0), confirm(self.other, 1)], in_processes=in_processes)
        else:
            with self.refused():
                self.confirm(self.agent, seen, ids[0])
        jobs: list[points.Job] = [money.send_due_operations] * 3
        if what == "undo":
            jobs.insert(1, self.undo)
        world.pass_time(self.customer, HOLD + 1)
        points.together(jobs, in_processes=in_processes)
        if what == "readings":
            points.together([lambda: reconcile(only_due=True), reconcile, reconcile], in_processes=in_processes)

    def undo(self) -> None:
        for operation in world.operations(self.customer).filter(outcome=Outcome.HELD):
            _operations.withdraw(operation, actor=self.agent)

    def locked(self) -> None:
        if self.chance.random() < 0.5:
            self.arm(self.command)
        every = CONFIRMING | CLAIMING | SENDING | SETTLING
        name, point = self.chance.choice(sorted(item for item in every.items() if "inside" not in item[0]))
        is_short = self.chance.random() < 0.96
        lock = points.Lock(self.chance.uniform(0.02, 0.15) if is_short else self.chance.uniform(0.5, 2.0))
        gives_up = self.chance.random() < 0.5
        self.tell("locked", name, "and given up" if gives_up else "and waited for")
        for job in (lambda: self.attempt(self.agent), world.tick, world.tick):
            with ExitStack() as stack:
                if gives_up:
                    stack.enter_context(points.impatient())
                stack.enter_context(points.at(point, lock))
                job()
            lock.wait()
            world.pass_time(self.customer, HOLD + 1)

    def stalled(self) -> None:
        """A process that was about to send sleeps for ten minutes. Meanwhile it is given up, and done by another."""
        held = settings.MONEY_HOLD > 0
        name = self.chance.choice(
            ["after claim", "after check", "before send"] if held else ["after intent", "before send"]
        )
        self.tell("stalled", name)

        def sleep() -> None:
            world.pass_time(self.customer, 600)
            world.tick()
            for operation in world.operations(self.customer).filter(outcome=Outcome.UNKNOWN):
                settling.decide(operation=operation, actor=self.other, happened=False, reason="It is not in Kartra")
            if self.chance.random() < 0.5:
                self.attempt(self.other)

        with points.at((CONFIRMING | CLAIMING | SENDING)[name], sleep):
            self.attempt(self.agent)
            world.pass_time(self.customer, HOLD + 1)
            world.tick()

    # Afterwards

    def let_time_pass(self) -> None:
        """The worker makes its rounds. Once, somebody tries again; and where the desk says no, it is done anew."""
        again = self.chance.choice((0, 1, 2, 3, None))
        if settings.MONEY_HOLD:
            world.pass_time(self.customer, HOLD + 1)
            world.tick()
        for number, seconds in enumerate(ROUNDS):
            found = {operation.outcome for operation in world.operations(self.customer)}
            if Outcome.SUCCEEDED in found and not found & set(OPEN):
                return
            if number == again:
                self.tell("tried again after", found or "nothing")
                self.attempt(self.other)
            elif not found - {Outcome.FAILED, Outcome.WITHDRAWN}:
                return
            world.pass_time(self.customer, seconds)
            world.tick()

    def ask_a_person(self) -> None:
        """What no reading settled is decided by somebody who looks at the bank."""
        done = self.done()
        for operation in world.operations(self.customer).filter(outcome=Outcome.UNKNOWN):
            said = world.operations(self.customer).filter(outcome=Outcome.SUCCEEDED).count()
            if not operation.waits_for_person:
                self.verdict.wrong.append("asked of a person before it was read for often enough")
            happened = len(done) > said
            settling.decide(operation=operation, actor=self.other, happened=happened, reason="The bank says so")
            self.tell("a person decided", happened)
            self.verdict.by_person += 1

    def done(self) -> list[int]:
        if self.is_refund:
            return world.acts_on("transaction", self.customer.sale_id, self.not_ours)
        return world.acts_on("subscription", self.customer.subscription_id, set())

    def judge(self) -> None:
        verdict, done = self.verdict, self.done()
        found = list(world.operations(self.customer).prefetch_related("steps"))
        steps = [step for operation in found for step in operation.steps.all()]
        succeeded = [step for step in steps if step.outcome == Outcome.SUCCEEDED]
        verdict.done = len(done)
        verdict.by_reading = sum(step.settled_by == "reading" for step in steps)
        verdict.double = max(0, len(done) - 1)
        verdict.lost = max(0, min(1, len(done)) - len(succeeded))
        if len(succeeded) > len(done):
            verdict.wrong.append(f"said done {len(succeeded)} times, was done {len(done)} times")
        if self.is_refund and not verdict.lost and sum(done) != sum(int(step.amount * 100) for step in succeeded):
            verdict.wrong.append(f"said {[step.amount for step in succeeded]}, moved {done}")
        for operation in found:
            if operation.outcome in OPEN:
                verdict.wrong.append(f"still {operation.outcome}")
            logged = AuditEntry.objects.filter(operation_id=operation.pk).order_by("id").last()
            if logged is None or logged.outcome != operation.outcome:
                verdict.wrong.append(f"is {operation.outcome}, the log says {logged and logged.outcome}")
        if verdict.is_bad:
            self.tell("done:", done)
            for operation in found:
                self.tell(
                    operation,
                    [(step.kind, step.settled_by, step.words or step.sentence) for step in operation.steps.all()],
                )

"""One case: an act, what goes wrong with it, what people and the worker do meanwhile, and how it ends."""

import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings

from leads.models import HELD_RUN, OPEN, Operation, Outcome, PlaybookRun
from leads.providers.kartra.sandbox.faults import MODES
from leads.services import outcomes, runs
from leads.services.reconcile import reconcile
from tests.rig import points, world
from tests.rig.acts import ACTS, REFUND, Subject
from tests.rig.points import BEGINNING, CLAIMING, CONFIRMING, SENDING, SETTLING

HOLD = 10
# Seconds between the worker's rounds, until everything is settled.
ROUNDS = (4, 40, 41, 60, 360, 3600, 90000)
# Done, and no clear answer. The row of such a refund may show late, or never.
DONE_UNSAID = ("lost", "late", "half", "266-done")
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


def every(part: str, act: str = "") -> list[tuple[str, str]]:
    """What comes first, before chance: each act killed at each of its steps, and each fault of each call it sends."""
    acts = {name: kind for name, kind in ACTS.items() if act in ("", name)}
    if part == "killed":
        return [
            (name, point)
            for name, kind in acts.items()
            for point in CONFIRMING | (CLAIMING if kind.is_held else {}) | SENDING | SETTLING | kind.where
        ]
    if part == "faults":
        return [
            (name, f"{command} {mode}")
            for name, kind in acts.items()
            for command in kind.commands
            for mode in modes_of(command)
        ]
    return []


def modes_of(command: str) -> list[str]:
    """Money moves by one action a call, and no answer of one comes short; only a refund is answered by 266."""
    return [mode for mode in MODES if mode != "short" and (command == REFUND or "266" not in mode)]


class Case:
    """A customer, an act on what he bought, and the people at the desk. ``what`` is one of `every`, else it is left to
    chance what goes wrong."""

    def __init__(self, part: str, name: str, act: str = "", what: str = "") -> None:
        self.chance = random.Random(name)
        self.part, self.what = part, what
        name = self.chance.choice(sorted(ACTS))
        self.verdict = Verdict(act or name)
        self.act = ACTS[self.verdict.act](self.chance, self.verdict.wrong)
        self.customer, self.agent, self.other = self.act.customer, self.act.agent, self.act.other
        settings.MONEY_HOLD = HOLD if self.chance.random() < 0.6 else 0

    # The act

    def attempt(self, who: Any) -> points.Job:
        """Read, decide, confirm; and click again now and then. What is refused is no mishap. Whatever chance decides of
        it is decided here, and not in the process that it may be done in."""
        own_id, clicks = self.new_id(), self.chance.choice((1, 1, 2))

        def click() -> None:
            with self.act.refused():
                seen = self.act.see(who)
                for _ in range(clicks):
                    with self.act.refused():
                        self.act.confirm(who, seen, own_id)

        return click

    def new_id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128))

    def carry_on(self) -> None:
        """One after the other, what people have to do so that it goes on."""
        for job in self.act.carry_on():
            job()

    # What goes wrong

    def tell(self, *words: object) -> None:
        self.verdict.story.append(" ".join(map(str, words)))

    def arm(self, *commands: str) -> None:
        command = self.chance.choice(commands)
        mode = self.chance.choice(modes_of(command))
        times = self.chance.choice((1, 1, 1, 2, 4))
        world.arm(command, mode, times)
        self.tell("fault", command, mode, f"x{times}")
        if command == REFUND and mode in DONE_UNSAID and self.chance.random() < 0.5:
            rounds = self.chance.choice((1, 2, 4, 8, None, None))
            world.hide_refund(rounds)
            self.tell("its row shows", "never" if rounds is None else f"after {rounds} rounds")

    def run(self) -> Verdict:
        self.tell(self.verdict.act, vars(self.customer), f"hold {settings.MONEY_HOLD}")
        {
            "faults": self.with_faults,
            "killed": self.killed,
            "at once": self.at_once,
            "locked": self.locked,
            "stalled": self.stalled,
        }[self.part]()
        self.let_time_pass()
        self.finish()
        self.judge()
        return self.verdict

    def with_faults(self) -> None:
        if self.what:
            self.tell("fault", self.what)
            world.arm(*self.what.split(), 1)
            self.attempt(self.agent)()
            return
        step = self.chance.choice(("seeing", "confirming", "sending", "sending", "sending", "settling"))
        self.tell("while", step)
        if step == "confirming":
            seen = self.act.see(self.agent)
            self.arm(*_READS)
            with self.act.refused():
                self.act.confirm(self.agent, seen, self.new_id())
            return
        self.arm(*(_READS if step == "seeing" else self.act.commands))
        self.attempt(self.agent)()
        if step == "settling":
            self.arm(*_READS)

    def killed(self) -> None:
        """Whoever comes to that point is killed there: who confirms, the worker, who approves or resumes."""
        name, point = self.place_to_die()
        self.tell("killed", name)
        died = False
        with points.at(point, points.die):
            for job in (self.attempt(self.agent), self.carry_on, world.tick, world.tick):
                if name in SETTLING and job is not world.tick:
                    job()
                else:
                    died |= points.in_child(job)
                world.pass_time(self.customer, HOLD + 1)
        if self.what and not died:
            self.verdict.wrong.append("nobody came to where he was to be killed")

    def place_to_die(self) -> tuple[str, points.Point]:
        steps = CONFIRMING | SENDING | SETTLING | self.act.where
        if self.what:
            settings.MONEY_HOLD = HOLD if self.what in CLAIMING | BEGINNING else 0
            if self.what in SETTLING:
                world.arm(self.act.commands[0], "lost", 1)
            return self.what, (steps | CLAIMING)[self.what]
        if self.chance.random() < 0.5:
            self.arm(*self.act.commands)
        return self.chance.choice(sorted((steps | (CLAIMING if settings.MONEY_HOLD else {})).items()))

    def at_once(self) -> None:
        if self.chance.random() < 0.5:
            self.arm(*self.act.commands)
        in_processes = self.chance.random() < 0.2
        ids = [self.new_id() for _ in range(2)]
        what = self.chance.choice(("double click", "two agents", "workers", "undo", "readings"))
        self.tell(what, "in processes" if in_processes else "in threads")
        seen = self.act.see(self.agent)

        def confirm(who: Any, place: int) -> points.Job:
            return lambda: self.act.confirm(who, seen, ids[place])

        if what == "double click":
            points.together([confirm(self.agent, 0)] * 3, in_processes=in_processes)
        elif what == "two agents":
            points.together([confirm(self.agent, 0), confirm(self.other, 1)], in_processes=in_processes)
        else:
            with self.act.refused():
                self.act.confirm(self.agent, seen, ids[0])
        if jobs := self.act.carry_on():
            points.together(jobs * 2, in_processes=in_processes)
        jobs = [world.tick] * 3
        if what == "undo":
            jobs.insert(1, self.undo)
        world.pass_time(self.customer, HOLD + 1)
        points.together(jobs, in_processes=in_processes)
        if what == "readings":
            points.together([lambda: reconcile(only_due=True), reconcile, reconcile], in_processes=in_processes)

    def undo(self) -> None:
        for operation in self.operations().filter(outcome=Outcome.HELD):
            outcomes.withdraw(actor=self.agent, operation=operation)
        for run in self.held_runs():
            runs.withdraw_run(actor=self.agent, run=run)

    def locked(self) -> None:
        if self.chance.random() < 0.5:
            self.arm(*self.act.commands)
        every = CONFIRMING | CLAIMING | SENDING | SETTLING | self.act.where
        name, point = self.chance.choice(sorted(item for item in every.items() if "inside" not in item[0]))
        is_short = self.chance.random() < 0.96
        lock = points.Lock(self.chance.uniform(0.02, 0.12) if is_short else self.chance.uniform(0.5, 1.5))
        gives_up = self.chance.random() < 0.5
        self.tell("locked", name, "and given up" if gives_up else "and waited for")
        for job in (self.attempt(self.agent), self.carry_on, world.tick, world.tick):
            with ExitStack() as stack:
                if gives_up:
                    stack.enter_context(points.impatient())
                stack.enter_context(points.at(point, lock))
                job()
            lock.wait()
            world.pass_time(self.customer, HOLD + 1)

    def stalled(self) -> None:
        """A process that was about to send sleeps for ten minutes. Meanwhile it is given up, and done by another."""
        is_held = settings.MONEY_HOLD > 0
        name = self.chance.choice(
            (["after claim", "after check"] if is_held else ["after intent"]) + ["before send", "before wire"]
        )
        self.tell("stalled", name)
        another = self.attempt(self.other) if self.chance.random() < 0.5 else None

        def sleep() -> None:
            world.pass_time(self.customer, 600)
            for _ in range(settings.SETTLE_READINGS):
                world.tick()
                world.pass_time(self.customer, 60)
            for operation in self.operations().filter(outcome=Outcome.UNKNOWN):
                with self.act.refused():
                    self.decide(operation, happened=False)
            self.carry_on()
            if another:
                another()

        with points.at((CONFIRMING | CLAIMING | SENDING)[name], sleep):
            self.attempt(self.agent)()
            self.carry_on()
            world.pass_time(self.customer, HOLD + 1)
            world.tick()

    # Afterwards

    def operations(self) -> Any:
        return world.operations(self.customer)

    def held_runs(self) -> Any:
        return PlaybookRun.objects.filter(HELD_RUN, lead_id=str(self.customer.lead_id))

    def steps_of(self, subject: Subject) -> list[Any]:
        """What the desk did, or tried, on the payment or subscription."""
        found = self.operations().prefetch_related("steps")
        steps = [step for operation in found for step in operation.steps.all()]
        return [
            step for step in steps if step.kind.startswith(f"{subject.what}.") and step.subject == str(subject.number)
        ]

    def is_done(self) -> bool:
        """Whether the desk says that all of it is done."""
        return all(
            any(step.outcome == Outcome.SUCCEEDED for step in self.steps_of(subject)) for subject in self.act.subjects
        )

    def let_time_pass(self) -> None:
        """The worker makes its rounds, and people go on. Once, somebody tries again; where the desk says no, it is
        done anew."""
        again = self.chance.choice((0, 1, 2, 3, None))
        if settings.MONEY_HOLD:
            world.pass_time(self.customer, HOLD + 1)
            world.tick()
        for number, seconds in enumerate(ROUNDS):
            is_open = self.operations().filter(outcome__in=OPEN).exists() or self.held_runs().exists()
            if not is_open and self.is_done():
                return
            if number == again:
                self.tell("tried again")
                self.attempt(self.other)()
            elif not is_open and not self.act.carry_on():
                return
            world.pass_time(self.customer, seconds)
            world.tick()
            if self.chance.random() < 0.8:
                self.carry_on()

    def finish(self) -> None:
        """Nothing goes wrong any more: what no reading settled is decided by somebody who looks at the bank, and what
        follows from that is done."""
        world.disarm()
        world.tick()
        for _ in range(10):
            if not self.operations().filter(outcome__in=OPEN).exists() and not self.act.carry_on():
                return
            for operation in self.operations().filter(outcome=Outcome.UNKNOWN).prefetch_related("steps"):
                if operation.is_money and operation.waits_for_person:
                    self.ask_a_person(operation)
                elif operation.waits_for_person:  # the tag was given again meanwhile, and a reading cannot tell by whom
                    self.decide(operation, happened=False)
                    self.verdict.by_person += 1
            self.carry_on()
            world.pass_time(self.customer, 400)
            world.tick()

    def ask_a_person(self, operation: Operation) -> None:
        [step] = operation.steps.all()
        subject = next(row for row in self.act.subjects if str(row.number) == step.subject)
        said = sum(row.outcome == Outcome.SUCCEEDED for row in self.steps_of(subject))
        happened = len(subject.done()) > said
        with self.act.refused():  # a reading has just found it
            self.decide(operation, happened=happened)
            self.verdict.by_person += 1
        self.tell("a person decided", step.kind, happened)

    def decide(self, operation: Operation, *, happened: bool) -> None:
        connection = self.other.connection
        outcomes.decide(
            actor=self.other, connection=connection, operation=operation, happened=happened, reason="The bank says so"
        )

    def judge(self) -> None:
        verdict = self.verdict
        for subject in self.act.subjects:
            self.judge_subject(subject)
        for operation in self.operations().prefetch_related("steps"):
            verdict.by_reading += sum(step.settled_by == "reading" for step in operation.steps.all())
            if operation.outcome in OPEN:
                verdict.wrong.append(f"still {operation.outcome}")
            logged = world.entries(operation.pk).exclude(outcome__in=("read", "unread")).order_by("id").last()
            if logged is None or logged.outcome != operation.outcome:
                verdict.wrong.append(f"is {operation.outcome}, the log says {logged and logged.outcome}")
        self.act.judge()
        if verdict.is_bad:
            for operation in self.operations().order_by("created_at").prefetch_related("steps"):
                steps = [(step.kind, step.settled_by, step.words or step.sentence) for step in operation.steps.all()]
                self.tell(operation, steps)

    def judge_subject(self, subject: Subject) -> None:
        verdict, done = self.verdict, subject.done()
        succeeded = [step for step in self.steps_of(subject) if step.outcome == Outcome.SUCCEEDED]
        lost = max(0, min(1, len(done)) - len(succeeded))
        verdict.done += len(done)
        verdict.double += max(0, len(done) - 1)
        verdict.lost += lost
        if len(succeeded) > len(done):
            verdict.wrong.append(f"said done {len(succeeded)} times, was done {len(done)} times")
        for step in self.steps_of(subject):
            if step.kind == "transaction.refund" and step.outcome == Outcome.FAILED and step.settled_by == "reading":
                verdict.wrong.append("a refund failed for a reading, which proves no such thing")
        amounts = [step.amount for step in succeeded if step.amount is not None]
        if amounts and not lost and sum(done) != sum(int(amount * 100) for amount in amounts):
            verdict.wrong.append(f"said {amounts}, moved {done}")

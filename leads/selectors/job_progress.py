"""How far a bulk job is: its counts, what a run takes of Kartra, and when it will end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone

from leads.bulk_actions import Action, actions_of
from leads.models import Job, JobLead
from leads.providers.changes import EditLead

State, Would = JobLead.State, JobLead.Would

# The rate of the last minute tells when a run will end.
_LATELY = timedelta(minutes=1)


@dataclass(frozen=True)
class Counts:
    """How many leads of a job stand how. ``lately`` is how many came to an end in the last minute."""

    by_state: dict[str, int]
    by_would: dict[str, int]
    starts: int = 0
    lately: int = 0

    @property
    def all(self) -> int:
        return sum(self.by_state.values())

    @property
    def leads(self) -> int:
        """Without those that an earlier line names, too."""
        return self.all - self.by_state.get(State.DOUBLE, 0)

    @property
    def unread(self) -> int:
        """What the dry run has not come to yet."""
        return self.by_would.get("", 0)

    @property
    def waiting(self) -> int:
        return self.by_state.get(State.WAITING, 0)

    @property
    def over(self) -> int:
        return self.all - self.waiting

    @property
    def failed(self) -> int:
        return self.by_state.get(State.FAILED, 0)

    @property
    def unknown(self) -> int:
        return self.by_state.get(State.UNKNOWN, 0)

    @property
    def to_do(self) -> int:
        """What a run would change or create, as the dry run found it."""
        return self.by_would.get(Would.CHANGE, 0) + self.by_would.get(Would.CREATE, 0)

    @property
    def words(self) -> str:
        """'4990 done, 8 without a change needed, 2 failed'."""
        labels = {State.SUCCEEDED: "done", State.SAME: "without a change needed", State.MISSING: "not in Kartra",
                  State.DOUBLE: "duplicates", State.FAILED: "failed", State.UNKNOWN: "without a clear answer",
                  State.WAITING: "not started"}  # fmt: skip
        return ", ".join(f"{self.by_state[key]} {word}" for key, word in labels.items() if self.by_state.get(key))


def counts_of(job: Job) -> Counts:
    """One query."""
    lately = Count("pk", filter=Q(done_at__gt=timezone.now() - _LATELY))
    groups = JobLead.objects.filter(job=job).values("state", "would", "starts").annotate(n=Count("pk"), lately=lately)
    by_state: dict[str, int] = {}
    by_would: dict[str, int] = {}
    starts = recent = 0
    for group in groups.order_by():
        by_state[group["state"]] = by_state.get(group["state"], 0) + group["n"]
        by_would[group["would"]] = by_would.get(group["would"], 0) + group["n"]
        starts += group["n"] if group["starts"] else 0
        recent += group["lately"]
    return Counts(by_state, by_would, starts, recent)


@dataclass(frozen=True)
class Filter:
    """``key`` is the word in the address."""

    key: str
    label: str
    count: int


@dataclass(frozen=True)
class Finding:
    """One action, and how many leads the dry run found that it would change."""

    action: Action
    count: int


@dataclass(frozen=True)
class Progress:
    """A job as its page shows it. ``seconds_left`` is None where nobody can tell."""

    job: Job
    counts: Counts
    findings: list[Finding]
    calls: int
    seconds_left: int | None
    ends_at: datetime | None

    @property
    def found(self) -> list[Filter]:
        """What the dry run found, in the order of its words."""
        counts = self.counts.by_would
        return [Filter(f"would-{would}", would.label, counts[would]) for would in Would if counts.get(would)]

    @property
    def outcomes(self) -> list[Filter]:
        """What became of the leads so far."""
        counts = self.counts.by_state
        return [Filter(state, state.label, counts[state]) for state in State if counts.get(state)]

    @property
    def percent(self) -> int:
        done, of = self.done_of
        return 100 * done // of if of else 0

    @property
    def done_of(self) -> tuple[int, int]:
        """Leads read, while they are; leads done, afterwards."""
        is_checking = Job.State.CHECKING in (self.job.state, self.job.resumes_as) and self.job.started_at is None
        counts = self.counts
        return (counts.all - counts.unread, counts.all) if is_checking else (counts.over, counts.all)


def progress_of(job: Job) -> Progress:
    counts = counts_of(job)
    kept = job.findings or [0] * len(job.actions)
    findings = [Finding(action, count) for action, count in zip(actions_of(job.actions), kept, strict=True)]
    calls = _calls(job, counts, findings)
    seconds = _seconds_left(job, counts, calls)
    return Progress(
        job=job,
        counts=counts,
        findings=findings,
        calls=calls,
        seconds_left=seconds,
        ends_at=timezone.now() + timedelta(seconds=seconds) if seconds is not None and job.is_working else None,
    )


def _calls(job: Job, counts: Counts, findings: list[Finding]) -> int:
    """What a run takes of Kartra: a reading for each lead, one call more for each that is changed, and another reading
    where fields are written, which Kartra may ignore. An undo takes about so many."""
    edited = [found.count for found in findings if isinstance(found.action.change, EditLead)]
    if job.undoes and any(isinstance(action.change, EditLead) for action in actions_of(job.undoes.actions)):
        edited = [counts.to_do]
    read_back = max(counts.by_would.get(Would.CREATE, 0), *edited, 0)
    return counts.leads + counts.to_do + read_back


def _seconds_left(job: Job, counts: Counts, calls_in_all: int) -> int | None:
    """By the rate of the last minute, where there is one; else by the pace and the calls a second."""
    if job.is_over:
        return None
    is_reading = job.started_at is None and bool(counts.unread)
    leads = counts.unread if is_reading else counts.waiting
    calls = leads if is_reading or not counts.leads else calls_in_all * leads / counts.leads
    minute = _LATELY.total_seconds()
    has_run_for = (timezone.now() - job.started_at).total_seconds() if job.started_at else 0
    if job.state == Job.State.RUNNING and counts.lately and has_run_for > minute / 4:
        return round(leads * min(minute, has_run_for) / counts.lately)
    return int(max(leads / (job.leads_a_second if is_reading else job.pace), calls / settings.KARTRA_CALLS_PER_SECOND))

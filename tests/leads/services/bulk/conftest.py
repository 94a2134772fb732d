"""Jobs, and workers that run in the test itself."""

import json
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from leads import wiring
from leads.access import Desk
from leads.bulk_actions import Action
from leads.models import Job, JobLead
from leads.pasting import read_pasted
from leads.providers.changes import AssignTag, Change
from leads.services.bulk import making, slices, steering

TAG = "advanced"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace has tests of its own."""
    monkeypatch.setattr(
        slices, "_take_turn", lambda job: 0.0 if Job.objects.filter(pk=job.pk, state=job.state) else None
    )


@pytest.fixture
def manager(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("manager")


def lay_down(desk: Desk, who: str, *changes: Change | Action, **also: Any) -> Job:
    actions = [each if isinstance(each, Action) else Action(each) for each in changes or [AssignTag(TAG)]]
    wanted = {"job_id": uuid4(), "name": "Spring sale", "creates_missing": False, "pace": 20, **also}
    return making.create_job(actor=desk.user, account=desk.account, who=read_pasted(who), actions=actions, **wanted)


def work(job: Job) -> Job:
    """Let one worker work on it until nothing is free."""
    while slices.work(Job.objects.select_related("account", "actor", "approved_by").get(pk=job.pk), 0) == 0.0:
        pass
    job.refresh_from_db()
    return job


def run(desk: Desk, who: str, *changes: Change | Action, **also: Any) -> Job:
    """Laid down, checked, started and worked on."""
    job = work(lay_down(desk, who, *changes, **also))
    return work(steering.start(actor=desk.user, job=job))


def states(job: Job) -> list[str]:
    return list(job.leads.order_by("position").values_list("state", flat=True))


def woulds(job: Job) -> list[str]:
    return list(job.leads.order_by("position").values_list("would", flat=True))


def leads_of(job: Job) -> Sequence[JobLead]:
    return list(job.leads.order_by("position"))


def free_all(job: Job) -> None:
    """Let every lease lapse."""
    job.leads.update(leased_until=None)


def answer_otherwise(monkeypatch: pytest.MonkeyPatch, change: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Let Kartra do what each call asks, and answer what ``change`` makes of the call's body and the answer."""
    app_for = wiring.app_for

    def app(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        post = environ["wsgi.input"].read()
        done = app_for(wiring.sandbox_path())({**environ, "wsgi.input": BytesIO(post)}, lambda *_: None)
        body = json.dumps(change(post.decode(), json.loads(b"".join(done)))).encode()
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
        return [body]

    monkeypatch.setattr(wiring, "app_for", lambda path: app)

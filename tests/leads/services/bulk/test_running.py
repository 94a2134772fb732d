"""A job from pasted text to its last lead: checked, started, each lead an operation of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, Connection
from kartra_admin.lib.errors import AppError
from leads.access import Desk
from leads.models import Job, Operation, OperationStep, Outcome
from leads.providers.changes import (
    AssignTag,
    CreateLead,
    EditLead,
    GivePoints,
    SubscribeToList,
    SubscribeToSequence,
    UnassignTag,
    UnsubscribeFromList,
)
from leads.providers.errors import Unsendable
from leads.providers.kartra.provider import KartraProvider
from leads.selectors import jobs
from leads.services import reading_back
from leads.services.bulk import slices, steering
from leads.services.reconcile import reconcile
from tests.entries import entries_with
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import grow_old, read, send, writes
from tests.leads.services.bulk.conftest import (
    TAG,
    answer_otherwise,
    free_all,
    lay_down,
    leads_of,
    run,
    states,
    work,
    woulds,
)

pytestmark = pytest.mark.django_db
BEN = NOTABLE["ben"]
TWO = f"{ADA.email}\n{BEN.email}"


def test_the_dry_run_reads_and_sends_nothing(manager: Desk, sandbox: Sandbox) -> None:
    send(manager, AssignTag(TAG))
    sandbox.calls()
    job = work(lay_down(manager, f"{TWO}\nnobody@example.com\n#{NOTABLE['deleted'].id}"))
    assert job.state == Job.State.CHECKED
    assert woulds(job) == ["same", "change", "missing", "missing"]
    assert "deleted" in leads_of(job)[3].sentence
    assert sandbox.calls() == [("get_lead",)] * 4
    assert job.findings == [1]
    assert not Operation.objects.exists()


def test_a_run_changes_each_lead_once_in_two_calls(manager: Desk, sandbox: Sandbox) -> None:
    job = work(lay_down(manager, TWO, AssignTag(TAG), SubscribeToList("Newsletter"), GivePoints(5)))
    sandbox.calls()
    job = work(steering.start(actor=manager.user, job=job))
    assert job.state == Job.State.DONE
    assert states(job) == ["succeeded", "succeeded"]
    calls = sandbox.calls()
    assert len(calls) == 4
    assert [call[0] for call in calls].count("get_lead") == 2
    for lead in (ADA, BEN):
        assert TAG in read(manager, lead.id).tags
    assert {row.label for row in Operation.objects.all()} == {"Spring sale"}
    assert len(entries_with("points.give.succeeded", label="Spring sale")) == 2


def test_what_is_so_already_takes_one_call_and_no_operation(manager: Desk, sandbox: Sandbox) -> None:
    send(manager, AssignTag(TAG))
    job = run(manager, TWO)
    assert states(job) == ["same", "succeeded"]
    assert Operation.objects.count() == 1


def test_who_is_unknown_to_kartra_has_an_entry_and_no_operation(manager: Desk, sandbox: Sandbox) -> None:
    gone = NOTABLE["deleted"].id
    job = run(manager, f"{ADA.email}\nnobody@example.com\n{gone}")
    assert states(job) == ["succeeded", "missing", "missing"]
    assert Operation.objects.count() == 1
    (by_id,) = entries_with("job.lead.failed", label="Spring sale")
    assert (by_id.about_id, by_id.outcome, by_id.actor_name) == (gone, "failed", str(manager.user))
    assert "deleted" in by_id.sentence
    (by_line,) = entries_with("job.line.failed", line=2)
    assert by_line.sentence == "Line 2 of bulk job Spring sale not done: Not in Kartra"
    assert "nobody@" not in str(by_line.__dict__)


def test_what_is_so_already_has_an_entry_and_no_operation(manager: Desk, sandbox: Sandbox) -> None:
    send(manager, AssignTag(TAG))
    job = run(manager, f"{ADA.email}\n{BEN.id}")
    assert states(job) == ["same", "succeeded"]
    assert Operation.objects.filter(label="Spring sale").count() == 1
    (entry,) = entries_with("job.lead.succeeded", label="Spring sale")
    assert (entry.about_id, entry.outcome, entry.actor_name) == (ADA.id, "succeeded", str(manager.user))
    assert entry.sentence == "Bulk job Spring sale: No change needed"


def test_nothing_to_change_is_nothing_to_start(manager: Desk) -> None:
    send(manager, AssignTag(TAG))
    job = work(lay_down(manager, ADA.email))
    with pytest.raises(AppError, match="nothing to start"):
        steering.start(actor=manager.user, job=job)


def test_a_lead_named_by_id_and_by_email_is_done_once(manager: Desk, sandbox: Sandbox) -> None:
    job = run(manager, f"{ADA.email}, {ADA.id}", GivePoints(5))
    assert sorted(states(job)) == ["double", "succeeded"]
    assert Operation.objects.count() == 1


def test_the_missing_are_created_with_fields_tags_and_lists(manager: Desk, sandbox: Sandbox) -> None:
    job = run(
        manager,
        "new@example.com\n999999999",
        AssignTag(TAG),
        UnassignTag("vip"),
        SubscribeToList("Newsletter"),
        UnsubscribeFromList("VIP"),
        EditLead({"city": "Austin", "phone": ""}),
        creates_missing=True,
    )
    assert woulds(job) == ["create", "missing"]
    assert states(job) == ["succeeded", "missing"], "an id cannot be created"
    lead = read(manager, leads_of(job)[0].lead_id)
    assert (lead.email, lead.profile["city"], TAG in lead.tags) == ("new@example.com", "Austin", True)
    assert job.findings == [1, 0, 1, 0, 1]


def test_a_deleted_lead_is_not_created_anew(manager: Desk, sandbox: Sandbox) -> None:
    job = run(manager, f"{NOTABLE['deleted'].email}\n{ADA.email}", creates_missing=True)
    assert woulds(job)[0] == states(job)[0] == "missing"
    assert "This lead was deleted in Kartra" in leads_of(job)[0].sentence
    assert ("create_lead",) not in writes(sandbox)
    assert Operation.objects.count() == 1


def test_who_would_get_automations_is_known_beforehand(manager: Desk) -> None:
    job = work(lay_down(manager, TWO, SubscribeToSequence("Win back"), UnassignTag("vip")))
    assert [row.starts for row in leads_of(job)] == [True, True]
    send(manager, AssignTag(TAG), lead_id=BEN.id)
    job = work(lay_down(manager, TWO, AssignTag(TAG)))
    assert [row.starts for row in leads_of(job)] == [True, False]


# What goes wrong


@pytest.mark.parametrize("mode", ["429", "500", "junk", "refused"])
def test_what_cannot_be_read_now_waits_and_is_done_later(manager: Desk, sandbox: Sandbox, mode: str) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    sandbox.arm("get_lead", mode, times=9)
    work(job)
    assert states(job).count("waiting") >= 1
    job.refresh_from_db()
    assert job.sentence
    sandbox.disarm()
    free_all(job)
    assert work(job).state == Job.State.DONE
    assert states(job) == ["succeeded"] * 2
    assert job.sentence == ""


def test_a_lead_whose_answer_makes_no_sense_holds_up_no_other(
    manager: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def senseless(post: str, answer: dict[str, Any]) -> dict[str, Any]:
        details = answer.get("lead_details", {})
        is_ada = details.get("id") == ADA.id
        return {**answer, "lead_details": {**details, "tags": "a word"}} if is_ada else answer

    with monkeypatch.context() as patched:
        answer_otherwise(patched, senseless)
        job = work(lay_down(manager, TWO))
        assert (job.state, job.sentence, woulds(job)) == (Job.State.CHECKED, "", ["failed", "change"])
        assert jobs.leads_page(job, "would-failed", after="", size=9)[0] == leads_of(job)[:1]
        assert ("would-failed", 1) in [(row.key, row.count) for row in jobs.filters_of(job)]
        job = work(steering.start(actor=manager.user, job=job))
        assert (job.state, job.sentence, states(job)) == (Job.State.DONE, "", ["failed", "succeeded"])
        (ada,) = jobs.leads_page(job, "failed", after="", size=9)[0]
        assert ada.sentence == "Kartra's answer about this lead could not be read."
        assert len(entries_with("job.lead.failed") + entries_with("job.line.failed")) == 1
    assert Operation.objects.count() == 1
    job = work(steering.retry(actor=manager.user, job=job))
    assert states(job) == ["succeeded", "succeeded"]


@pytest.mark.parametrize("mode", ["429", "refused"])
def test_what_was_surely_not_sent_is_tried_again_by_itself(manager: Desk, sandbox: Sandbox, mode: str) -> None:
    job = work(lay_down(manager, ADA.email, GivePoints(5)))
    score = read(manager).score or 0
    steering.start(actor=manager.user, job=job)
    sandbox.arm("give_points_to_lead", mode, times=4)
    work(job)
    assert states(job) == ["waiting"]
    sandbox.disarm()
    free_all(job)
    assert work(job).state == Job.State.DONE
    assert states(job) == ["succeeded"]
    assert read(manager).score == score + 5
    assert sorted(row.outcome for row in Operation.objects.all()) == ["failed", "succeeded"]


def test_points_that_were_given_and_answered_by_an_error_without_a_number_are_given_once(
    manager: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = work(lay_down(manager, ADA.email, GivePoints(5)))
    score = read(manager).score or 0
    steering.start(actor=manager.user, job=job)

    def went_wrong(post: str, answer: dict[str, Any]) -> dict[str, Any]:
        error = {"status": "Error", "message": "Something went wrong"}
        return error if "give_points_to_lead" in post else answer

    answer_otherwise(monkeypatch, went_wrong)
    writes(sandbox)
    for _ in range(3):
        work(job)
        free_all(job)
    assert states(job) == ["unknown"]
    assert writes(sandbox) == [("give_points_to_lead",)]
    assert read(manager).score == score + 5


def test_what_kartra_refused_is_left_to_a_person(manager: Desk, sandbox: Sandbox) -> None:
    job = work(lay_down(manager, ADA.email, SubscribeToSequence("No such sequence")))
    steering.start(actor=manager.user, job=job)
    writes(sandbox)
    work(job)
    free_all(job)
    assert work(job).state == Job.State.DONE
    assert states(job) == ["failed"]
    assert len(writes(sandbox)) == 1


def test_what_a_rule_keeps_from_leaving_is_not_tried_again(
    manager: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no number of Kartra's, and the call was never made."""
    job = work(lay_down(manager, ADA.email, GivePoints(5)))
    steering.start(actor=manager.user, job=job)

    def refuse(*_: object, **__: object) -> None:
        raise Unsendable("too much for one call")

    monkeypatch.setattr(KartraProvider, "send", refuse)
    work(job)
    free_all(job)
    assert work(job).state == Job.State.DONE
    assert states(job) == ["failed"]
    assert Operation.objects.count() == 1


def test_an_edit_that_kartra_took_and_ignored_is_left_to_a_person(manager: Desk, sandbox: Sandbox) -> None:
    job = work(lay_down(manager, ADA.email, EditLead({}, {"no_such_field": "x"})))
    steering.start(actor=manager.user, job=job)
    writes(sandbox)
    for _ in range(3):
        work(job)
        free_all(job)
    job.refresh_from_db()
    assert (job.state, states(job)) == (Job.State.DONE, ["failed"])
    assert writes(sandbox) == [("edit_lead",)]
    assert "stored another value" in leads_of(job)[0].sentence


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_an_edit_whose_worker_was_killed_before_he_read_it_back_is_read_back(
    manager: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    job = work(lay_down(manager, ADA.email, EditLead({}, {"no_such_field": "x"})))
    steering.start(actor=manager.user, job=job)
    with monkeypatch.context() as patched:
        patched.setattr(reading_back, "provider_for", kill)
        with pytest.raises(Killed):
            work(job)
    assert Operation.objects.get().outcome == Outcome.SUCCEEDED
    lapsed = timezone.now()
    job.leads.update(leased_until=lapsed)
    if is_cancelled:
        steering.cancel(actor=manager.user, job=job)
        slices.sweep()
        assert states(job) == ["waiting"]
        OperationStep.objects.update(read_back_at=lapsed)
        job.leads.update(leased_until=lapsed)
        reading_back.read_back_due()
        slices.sweep()
    else:
        work(job)
    assert states(job) == ["failed"]
    assert writes(sandbox) == [("edit_lead",)]


def read_again(job: Job) -> Job:
    """The job, once a reading has settled its one lead and whoever comes next has gone on."""
    grow_old(Operation.objects.get())
    reconcile()
    free_all(job)
    work(job)
    free_all(job)
    assert work(job).state == Job.State.DONE
    return job


@pytest.mark.parametrize("mode", ["lost", "500", "junk", "half", "late"])
def test_an_unclear_answer_is_settled_by_reading_before_anything_else(
    manager: Desk, sandbox: Sandbox, mode: str
) -> None:
    job = work(lay_down(manager, ADA.email, GivePoints(5)))
    score = read(manager).score or 0
    steering.start(actor=manager.user, job=job)
    sandbox.arm("give_points_to_lead", mode)
    work(job)
    assert states(job) == ["unknown"]
    assert job.state == Job.State.RUNNING
    assert states(read_again(job)) == ["succeeded"]
    assert read(manager).score == score + 5


@pytest.mark.parametrize("mode", ["lost", "500", "junk", "half", "late"])
def test_a_creation_with_an_unclear_answer_is_made_once_without_a_person(
    manager: Desk, sandbox: Sandbox, mode: str
) -> None:
    job = work(lay_down(manager, "new@example.com", AssignTag("advanced"), GivePoints(5), creates_missing=True))
    steering.start(actor=manager.user, job=job)
    sandbox.arm("create_lead", mode)
    work(job)
    assert states(job) == ["unknown"]
    assert states(read_again(job)) == ["succeeded"]
    lead = read(manager, leads_of(job)[0].lead_id)
    assert (lead.email, lead.score) == ("new@example.com", 5)
    assert "advanced" in lead.tags


def test_what_no_reading_can_tell_ends_the_job_and_waits_for_a_person(
    manager: Desk, sandbox: Sandbox, settings: object
) -> None:
    from leads.services import outcomes

    send(manager, CreateLead("new@kartra.com", {}), lead_id="")  # where a new one would be in the test mode of an App
    job = work(lay_down(manager, "new@example.com", creates_missing=True))
    steering.start(actor=manager.user, job=job)
    sandbox.arm("create_lead", "500")
    work(job)
    Operation.objects.update(readings=3)
    assert work(job).state == Job.State.DONE
    assert states(job) == ["unknown"]
    outcomes.decide(
        operation=Operation.objects.get(),
        actor=manager.user,
        connection=manager.connection,
        happened=False,
        reason="not there",
    )
    slices.sweep()
    assert states(job) == ["failed"], "a person retries what a person has settled"
    job = work(steering.retry(actor=manager.user, job=job))
    assert states(job) == ["succeeded"]


def test_retry_does_only_what_is_left_of_a_lead(manager: Desk, sandbox: Sandbox) -> None:
    job = run(manager, TWO, GivePoints(5), SubscribeToSequence("No such sequence"))
    assert job.state == Job.State.DONE
    assert states(job) == ["failed", "failed"]
    score = read(manager).score
    writes(sandbox)
    job = work(steering.retry(actor=manager.user, job=job))
    assert states(job) == ["failed", "failed"]
    assert read(manager).score == score
    assert [command for call in writes(sandbox) for command in call] == ["subscribe_lead_to_sequence_at_step"] * 2


def test_retry_without_failures_says_so(manager: Desk) -> None:
    job = run(manager, ADA.email)
    with pytest.raises(AppError, match="No lead of this job has failed"):
        steering.retry(actor=manager.user, job=job)
    job.refresh_from_db()
    assert job.state == Job.State.DONE


def test_refused_credentials_stop_the_job_and_lose_nothing(manager: Desk, sandbox: Sandbox, settings: object) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    settings.KARTRA_APP_ID = "WRONG"  # type: ignore[attr-defined]
    job = work(job)
    assert job.state == Job.State.PAUSED
    assert job.sentence
    settings.KARTRA_APP_ID = "SANDBOXAPP"  # type: ignore[attr-defined]
    job = work(steering.resume(actor=manager.user, job=job))
    assert states(job) == ["succeeded"] * 2


def test_credentials_that_do_not_open_stop_the_job_and_fail_no_lead(manager: Desk) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    Connection.objects.update(sealed_key="junk")
    job = work(job)
    assert job.state == Job.State.PAUSED
    assert states(job) == ["waiting", "waiting"]


def test_who_may_no_longer_stops_the_job(manager: Desk, desk_of: Callable[..., Desk]) -> None:
    job = work(lay_down(manager, TWO))
    steering.start(actor=manager.user, job=job)
    manager.user.role = "agent"
    manager.user.save()
    job = work(job)
    assert job.state == Job.State.PAUSED
    assert "may no longer change many leads at once" in job.sentence
    with pytest.raises(AppError, match="may no longer"):
        steering.resume(actor=desk_of("admin").user, job=job)
    assert Operation.objects.count() == 0


def test_a_fault_of_ours_stops_the_job(manager: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from leads.services.bulk import one

    job = work(lay_down(manager, ADA.email))
    steering.start(actor=manager.user, job=job)
    monkeypatch.setattr(one, "send_changes", lambda *_: 1 / 0)
    job = work(job)
    assert job.state == Job.State.PAUSED
    assert "The desk failed" in job.sentence


def test_settled_ones_count_in_the_log_of_the_job(manager: Desk) -> None:
    job = run(manager, TWO)
    entry = AuditEntry.objects.get(action="job.finish.succeeded")
    assert entry.target_id == str(job.pk)
    assert entry.detail["sentence"] == "2 done"
    assert Operation.objects.filter(outcome=Outcome.SUCCEEDED).count() == 2

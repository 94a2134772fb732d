"""Playbooks on the page: composed by an admin, previewed and run by staff, resumed where they stopped."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from leads.access import Desk
from leads.models import Operation, Playbook, PlaybookRun
from leads.providers.changes import UnassignTag
from leads.services import runs
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import HTMX, posted_again, see, send, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
BEN = NOTABLE["ben"].id
STEPS = [{"act": "cancel"}, {"act": "refund"}, {"act": "take-tag", "name": "vip"}]
TYPED = {
    "name": "Leave <b>all</b>",
    "description": "Ends it",
    "act_1": "cancel",
    "name_1": "",
    "act_2": "refund",
    "name_2": "",
    "act_4": "take-tag",
    "name_4": "tags:vip",
    "act_5": "leave-list",
    "name_5": "lists:Newsletter",
}


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    """As without the time to take it back; what is held back has its own tests."""
    settings.MONEY_HOLD = 0


@pytest.fixture
def playbook(desk_of: DeskOf) -> Playbook:
    return Playbook.objects.create(account=desk_of("support").account, name="Cancel and refund", steps=STEPS)


@pytest.fixture
def support(at_desk: AtDesk) -> Client:
    return at_desk("support")


def address(playbook: Playbook, lead_id: str = ADA.id) -> str:
    return f"/leads/{lead_id}/playbooks/{playbook.pk}/"


def form_of(answer: HttpResponse, **changed: str) -> dict[str, str]:
    """What a browser posts from the preview."""
    hidden = {name: posted_again(answer, name)[0] for name in ("operation_id", "seen", "chosen")}
    return {**hidden, "reason": "Other", "note": "She moved away", **changed}


# Composing


def test_an_admin_composes_changes_and_deletes(at_desk: AtDesk) -> None:
    client = at_desk("admin")
    made = client.post("/playbooks/new/", TYPED, follow=True)
    assert made.redirect_chain == [("/playbooks/", 302)]
    assert "Leave &lt;b&gt;all&lt;/b&gt;" in made.content.decode()
    assert "Unsubscribe from list Newsletter" in words(made)
    playbook = Playbook.objects.get()
    assert playbook.steps == [*STEPS, {"act": "leave-list", "name": "Newsletter"}], "empty rows are left out"
    page = client.get(f"/playbooks/{playbook.pk}/edit/").content.decode()
    assert '<option value="tags:vip" selected>' in page
    client.post(f"/playbooks/{playbook.pk}/edit/", {"name": "Out", "act_1": "cancel"})
    playbook.refresh_from_db()
    assert (playbook.name, playbook.steps) == ("Out", [{"act": "cancel"}])
    assert "can still be resumed" in words(client.get(f"/playbooks/{playbook.pk}/delete/"))
    client.post(f"/playbooks/{playbook.pk}/delete/")
    assert not Playbook.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"act_1": "", "act_2": "", "act_4": "", "name_4": "", "act_5": "", "name_5": ""}, "needs one step at least"),
        ({"act_4": ""}, "Choose what to do."),
        ({"name_4": ""}, "Choose a tag."),
        ({"name_4": "lists:Newsletter"}, "Choose a tag."),
        ({"name_1": "tags:vip"}, "Leave this empty"),
        ({"name_4": "tags:no such tag"}, "not among the names read from Kartra"),
        ({"act_3": "give-tag", "name_3": "tags:vip"}, "stands in the playbook already"),
        ({"act_3": "cancel"}, "stands in the playbook already"),
        ({"act_3": "drop-table"}, "not one of the available choices"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_422_and_nothing_lost(at_desk: AtDesk, changed: dict[str, str], said: str) -> None:
    answer = at_desk("admin").post("/playbooks/new/", {**TYPED, **changed})
    assert answer.status_code == 422
    assert said in words(answer)
    assert posted_again(answer, "description") == ["Ends it"]
    assert not Playbook.objects.exists()


def test_a_step_moves_up_without_being_saved(at_desk: AtDesk) -> None:
    answer = at_desk("admin").post("/playbooks/new/", {**TYPED, "up": "2"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert html.index('value="refund" selected') < html.index('value="cancel" selected')
    assert 'role="alert"' not in html
    assert not Playbook.objects.exists()


def test_a_name_is_used_once(at_desk: AtDesk, playbook: Playbook) -> None:
    answer = at_desk("admin").post("/playbooks/new/", {**TYPED, "name": playbook.name})
    assert answer.status_code == 422
    assert "There is a playbook with this name already." in words(answer)


def test_staff_see_them_and_do_not_change_them(support: Client, playbook: Playbook) -> None:
    html = support.get("/playbooks/").content.decode()
    assert "Cancel and refund" in html
    assert "/edit/" not in html
    for path in ("new/", f"{playbook.pk}/edit/", f"{playbook.pk}/delete/"):
        assert support.post(f"/playbooks/{path}", TYPED).status_code == 403


# From the lead page


def test_the_button_is_there_where_there_is_a_playbook(at_desk: AtDesk, support: Client, playbook: Playbook) -> None:
    assert f'href="{address(playbook)}"' in see(support).content.decode()
    assert address(playbook) not in see(at_desk("agent")).content.decode()
    playbook.delete()
    assert "Playbook" not in words(see(support))


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_the_preview_shows_every_step_and_sends_nothing(
    support: Client, playbook: Playbook, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    answer = support.get(address(playbook), headers=headers)
    text = words(answer)
    assert answer.status_code == 200
    assert "Cancel subscription #14833" in text
    assert "Refund 19.95, all of rebill" in text
    assert "Remove tag vip from Ada Moreno." in text
    assert "Run Cancel and refund" in text
    assert "What moves money cannot be taken back once it is sent. The steps run at once, in this order." in text
    assert ("<html" in answer.content.decode()) is not bool(headers)
    assert writes(sandbox) == []


def test_run_then_see_what_came_of_each_step(support: Client, playbook: Playbook, sandbox: Sandbox) -> None:
    preview = support.get(address(playbook))
    answer = support.post(address(playbook), form_of(preview), follow=True)
    run = PlaybookRun.objects.get()
    assert answer.redirect_chain == [(f"/playbook-runs/{run.pk}/", 302)]
    assert words(answer).count("Done") == 4, "the run, and each of its steps"
    assert "She moved away" in words(answer)
    assert "Resume playbook" not in words(answer)
    for operation in run.operations.all():
        assert f'href="/operations/{operation.pk}/"' in answer.content.decode()
    again = support.post(address(playbook), form_of(preview))
    assert again["Location"] == f"/playbook-runs/{run.pk}/", "Back and resubmit"
    assert len(writes(sandbox)) == 3


def test_another_subscription_is_a_link(support: Client, playbook: Playbook) -> None:
    page = support.get(address(playbook)).content.decode()
    assert f'href="{address(playbook)}?of=14700"' in page
    other = support.get(f"{address(playbook)}?of=14700")
    assert "Already cancelled." in words(other)
    assert posted_again(other, "chosen") == ["14700"]


def test_what_cannot_be_done_is_said_and_not_offered(support: Client, playbook: Playbook, sandbox: Sandbox) -> None:
    answer = support.get(address(playbook, BEN))
    assert "This lead has no subscription." in words(answer)
    assert "Run Cancel and refund" not in words(answer)
    posted = support.post(address(playbook, BEN), form_of(answer))
    assert posted.status_code == 422
    assert "Not every step can be done" in words(posted)
    assert writes(sandbox) == []


def test_what_changed_meanwhile_is_shown_again(
    support: Client, playbook: Playbook, desk_of: DeskOf, sandbox: Sandbox
) -> None:
    preview = support.get(address(playbook))
    send(desk_of("support"), UnassignTag("vip"))
    sandbox.calls()
    answer = support.post(address(playbook), form_of(preview))
    assert answer.status_code == 422
    assert "Nothing was sent" in words(answer)
    assert "Already done." in words(answer)
    assert "What has changed since it was shown" in words(answer)
    assert "She moved away" in answer.content.decode(), "nothing typed is lost"
    assert writes(sandbox) == []
    confirmed = support.post(address(playbook), form_of(answer))
    assert confirmed.status_code == 302
    assert len(writes(sandbox)) == 2


@pytest.mark.parametrize(
    "changed",
    [{"reason": ""}, {"reason": "Other", "note": ""}, {"reason": "Because"}, {"seen": "x" * 64}, {"chosen": "14700"}],
    ids=repr,
)
def test_a_form_that_is_not_whole_sends_nothing(
    support: Client, playbook: Playbook, sandbox: Sandbox, changed: dict[str, str]
) -> None:
    answer = support.post(address(playbook), form_of(support.get(address(playbook)), **changed))
    assert answer.status_code == 422
    assert writes(sandbox) == []
    assert not PlaybookRun.objects.exists()


def test_a_reason_is_asked_for_where_money_moves(support: Client, playbook: Playbook, sandbox: Sandbox) -> None:
    assert 'name="reason"' in support.get(address(playbook)).content.decode()
    playbook.steps = [{"act": "take-tag", "name": "vip"}]
    playbook.save()
    preview = support.get(address(playbook))
    assert 'name="reason"' not in preview.content.decode()
    assert "cannot be taken back" not in words(preview)
    assert support.post(address(playbook), form_of(preview)).status_code == 302
    assert writes(sandbox) == [("unassign_tag",)]


def test_a_run_that_stopped_says_why_and_is_resumed(
    support: Client, playbook: Playbook, sandbox: Sandbox, at_desk: AtDesk
) -> None:
    preview = support.get(address(playbook))
    sandbox.arm("refund_transaction", "429", times=50)
    page = support.post(address(playbook), form_of(preview), follow=True)
    run = PlaybookRun.objects.get()
    assert "It stopped before the end" in words(page)
    assert [text for text in ("Done", "Failed", "Not begun") if text in words(page)] == ["Done", "Failed", "Not begun"]
    assert "Cancel and refund for Ada Moreno" in words(support.get("/playbooks/"))
    assert "Playbooks not finished" in words(support.get("/"))
    resume = {"operation_id": posted_again(page, "operation_id")[0]}
    assert at_desk("agent").post(f"/playbook-runs/{run.pk}/resume/", resume).status_code == 403
    for _ in range(2):  # a double click
        last = support.post(f"/playbook-runs/{run.pk}/resume/", resume, follow=True)
    assert "This run has stopped again." in words(last)
    assert Operation.objects.filter(run=run).count() == 3, "cancelled once, refunded in vain twice"
    sandbox.disarm()
    resume = {"operation_id": posted_again(last, "operation_id")[0]}
    last = support.post(f"/playbook-runs/{run.pk}/resume/", resume, follow=True)
    assert "All steps are done." in words(last)
    assert "Playbooks not finished" not in words(support.get("/"))


def test_an_unknown_step_has_to_be_settled_first(support: Client, playbook: Playbook, sandbox: Sandbox) -> None:
    preview = support.get(address(playbook))
    sandbox.arm("modify_subscription_status", "lost")
    page = support.post(address(playbook), form_of(preview), follow=True)
    run = PlaybookRun.objects.get()
    assert "It cannot go on yet" in words(page)
    assert "settled first" in words(page)
    assert "Resume playbook" not in words(page)
    answer = support.post(f"/playbook-runs/{run.pk}/resume/", {"operation_id": str(uuid4())}, follow=True)
    assert len(writes(sandbox)) == 1
    assert answer.status_code == 200


def test_a_run_is_closed_with_a_reason(support: Client, playbook: Playbook, sandbox: Sandbox, at_desk: AtDesk) -> None:
    preview = support.get(address(playbook))
    sandbox.arm("refund_transaction", "429", times=50)
    page = support.post(address(playbook), form_of(preview), follow=True)
    run = PlaybookRun.objects.get()
    close = f"/playbook-runs/{run.pk}/close/"
    assert f'action="{close}"' in page.content.decode()
    assert "Failed Cancel and refund by Support Person" in words(support.get(f"/leads/{ADA.id}/money/"))
    assert at_desk("agent").post(close, {"note": "x"}).status_code == 403
    refused = support.post(close, {"note": " "})
    assert refused.status_code == 422
    assert "This field is required." in words(refused)
    closed = support.post(close, {"note": "She <b>keeps</b> it"}, follow=True)
    assert "Closed. Nothing more of it is done." in words(closed)
    assert "She &lt;b&gt;keeps&lt;/b&gt; it" in closed.content.decode()
    assert "Resume playbook" not in words(closed)
    assert "Close run" not in words(closed)
    assert "Playbooks not finished" not in words(support.get("/"))
    assert run.name not in words(support.get(f"/leads/{ADA.id}/money/"))


# Held back


@pytest.fixture
def _hold(settings: Any) -> None:
    settings.MONEY_HOLD = 10


@pytest.fixture
def held(support: Client, playbook: Playbook, _hold: None) -> PlaybookRun:
    support.post(address(playbook), form_of(support.get(address(playbook))))
    return PlaybookRun.objects.get()


def let_hold_pass() -> None:
    PlaybookRun.objects.update(begin_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.usefixtures("_hold")
def test_the_preview_says_how_long_it_can_be_taken_back(support: Client, playbook: Playbook) -> None:
    text = words(support.get(address(playbook)))
    assert "You can take it back for 10 seconds. Then the steps run in this order." in text


@pytest.mark.usefixtures("_hold")
def test_a_held_run_says_when_it_begins_and_is_withdrawn(
    support: Client, playbook: Playbook, sandbox: Sandbox, at_desk: AtDesk
) -> None:
    sent = form_of(support.get(address(playbook)))
    support.post(address(playbook), sent)
    url = f"/playbook-runs/{PlaybookRun.objects.get().pk}/"
    page = support.get(url)
    text = words(page)
    assert re.search(
        r"Held back begins in \d+ s Take back Nothing was sent to Kartra yet\. It begins at \d\d:\d\d:\d\d", text
    )
    assert text.count("Not begun") == 3
    assert "Resume playbook" not in text
    assert "Close run" not in text
    take_back = f'action="{url}withdraw/" method="post"'
    assert take_back in page.content.decode()
    for shown in ("money", "transactions/99488", "subscriptions/14833"):
        assert take_back in support.get(f"/leads/{ADA.id}/{shown}/").content.decode(), shown
    agent = at_desk("agent")
    assert "withdraw" not in agent.get(url).content.decode()
    assert agent.post(f"{url}withdraw/").status_code == 403
    for _ in range(2):  # a second click
        last = support.post(f"{url}withdraw/", follow=True)
        assert last.redirect_chain == [(url, 302)]
        assert "Taken back. Nothing was sent." in words(last)
    assert "It was taken back by Support Person before it began. Nothing was sent." in words(last)
    assert take_back not in last.content.decode()
    again = support.post(address(playbook), sent, follow=True)  # by Back
    assert "This run was taken back, and nothing was started. To run it, begin anew." in words(again)
    let_hold_pass()
    runs.attend_all()
    assert writes(sandbox) == []
    assert "Playbooks not finished" not in words(support.get("/"))


def test_a_page_that_shows_a_held_run_follows_it(support: Client, held: PlaybookRun, sandbox: Sandbox) -> None:
    url = f"/playbook-runs/{held.pk}/"
    for page in (url, f"/leads/{ADA.id}/money/"):
        html = support.get(page).content.decode()
        [(watch, often)] = re.findall(rf'hx-get="({url}status/[^"]*)" hx-trigger="every (\d)s"', html)
        assert often == "2"
    same = support.get(watch, headers=HTMX)
    assert "begins in" in words(same)
    assert (watch in same.content.decode(), same.get("HX-Trigger")) == (True, None)
    let_hold_pass()
    assert "begins now" in words(support.get(watch, headers=HTMX))
    runs.attend_all()
    assert len(writes(sandbox)) == 3
    moved = support.get(watch, headers=HTMX)
    assert (moved.content, "money-changed" in moved["HX-Trigger"]) == (b"", True)
    last = support.get(url)
    assert words(last).count("Done") == 4, "the run, and each of its steps"
    assert "status/" not in last.content.decode()


def test_what_it_is_to_touch_is_locked_meanwhile(support: Client, held: PlaybookRun) -> None:
    def buttons() -> list[str]:
        html = support.get(f"/leads/{ADA.id}/money/").content.decode()
        return re.findall(r'id="((?:transaction-refund|subscription-\w+)-\d+)"', html)

    touched = {f"transaction-refund-{held.transaction_id}", f"subscription-cancel-{held.subscription_id}"}
    assert not touched & set(buttons())
    assert "is held back, and nothing was sent yet" in words(support.get(f"/leads/{ADA.id}/money/"))
    dialog = support.get(f"/leads/{ADA.id}/transactions/{held.transaction_id}/refund/")
    assert "A refund of it is held back, and nothing was sent yet." in words(dialog)
    support.post(f"/playbook-runs/{held.pk}/withdraw/")
    assert touched <= set(buttons())


def test_taken_back_in_place(support: Client, held: PlaybookRun, sandbox: Sandbox) -> None:
    answer = support.post(f"/playbook-runs/{held.pk}/withdraw/", headers=HTMX)
    assert "Taken back. Nothing was sent." in words(answer)
    assert "money-changed" in answer["HX-Trigger"]
    assert "<html" not in answer.content.decode()


def test_too_late_to_take_it_back(support: Client, held: PlaybookRun, sandbox: Sandbox) -> None:
    let_hold_pass()
    runs.attend_all()
    answer = support.post(f"/playbook-runs/{held.pk}/withdraw/")
    assert answer.status_code == 422
    assert "Too late to take it back: it has begun already." in words(answer)
    assert len(writes(sandbox)) == 3


def test_while_somebody_is_at_it_nothing_is_offered(support: Client, held: PlaybookRun) -> None:
    url = f"/playbook-runs/{held.pk}/"
    PlaybookRun.objects.update(begin_at=None, leased_until=timezone.now() + timedelta(seconds=30))
    page = support.get(url)
    assert "Being done" in words(page)
    assert f'hx-get="{url}status/' in page.content.decode()
    assert not any(text in words(page) for text in ("Resume playbook", "Close run", "Take back"))
    PlaybookRun.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert "Resume playbook" in words(support.get(url)), "whoever was at it was killed"


def test_what_no_worker_begins_is_told(support: Client, held: PlaybookRun) -> None:
    assert "Held back" in words(support.get("/"))
    PlaybookRun.objects.update(begin_at=timezone.now() - timedelta(minutes=6))
    assert re.search(r"Should have begun .*: does the worker run\?", words(support.get("/")))
    page = support.get(f"/playbook-runs/{held.pk}/")
    assert "does the worker run?" in words(page)
    assert "Take back" in words(page)


# Elsewhere


def test_another_account_sees_nothing_of_it(at_desk: AtDesk, support: Client, playbook: Playbook) -> None:
    support.post(address(playbook), form_of(support.get(address(playbook))))
    run = PlaybookRun.objects.get()
    stranger = at_desk("admin", 1)
    for path in (f"/playbooks/{playbook.pk}/edit/", address(playbook), f"/playbook-runs/{run.pk}/"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/playbook-runs/{run.pk}/resume/", {"operation_id": str(uuid4())}).status_code == 404
    assert stranger.post(f"/playbook-runs/{run.pk}/withdraw/").status_code == 404
    assert stranger.post(f"/playbook-runs/{run.pk}/close/", {"note": "Not mine"}).status_code == 404
    assert "No playbooks yet" in words(stranger.get("/playbooks/"))


@pytest.mark.parametrize("number", ["999999", "9" * 30])
def test_one_that_does_not_exist_is_404(at_desk: AtDesk, number: str) -> None:
    client = at_desk("admin")
    assert client.get(f"/playbooks/{number}/edit/").status_code == 404
    assert client.get(f"/leads/{ADA.id}/playbooks/{number}/").status_code == 404


@pytest.mark.parametrize("own_id", ["", "junk"])
def test_without_its_id_nothing_is_sent(support: Client, playbook: Playbook, sandbox: Sandbox, own_id: str) -> None:
    preview = support.get(address(playbook))
    posted: dict[str, Any] = form_of(preview, operation_id=own_id)
    assert support.post(address(playbook), posted).status_code == 422
    assert writes(sandbox) == []


def test_money_asks_for_the_password_again(
    support: Client, playbook: Playbook, sandbox: Sandbox, settings: Any
) -> None:
    form = form_of(support.get(address(playbook)))
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = support.post(address(playbook), form)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")
    resumed = support.post(f"/playbook-runs/{uuid4()}/resume/", {"operation_id": str(uuid4())})
    assert resumed["Location"].startswith("/sign-in/")
    assert writes(sandbox) == []

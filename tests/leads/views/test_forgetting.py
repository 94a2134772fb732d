"""The pages on which an admin has a person forgotten."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts import subjects
from leads.access import Desk
from leads.models import Entry, Forgetting, Import, ImportRow, Job, Recent, Recipe, SavedView
from leads.services import forgetting
from leads.services.imports import running, staging
from tests.leads.conftest import ADA, NOTABLE, Sandbox
from tests.leads.helpers import see, words

pytestmark = pytest.mark.django_db
PAGE, LIST = f"/leads/{ADA.id}/forget/", "/settings/forgotten/"
AtDesk = Callable[..., Client]


@pytest.fixture
def client(at_desk: AtDesk, settings: Any, sandbox: Sandbox) -> Client:
    settings.FORGET_AFTER_DAYS = 7
    return at_desk("admin")


def test_the_page_says_what_goes_what_stays_and_when(client: Client, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("admin")
    SavedView.objects.create(account=desk.account, owner=desk.user, name="Her", query=f"q={ADA.email}")
    Recipe.objects.create(account=desk.account, name=f"As for {ADA.email}", give_tag="x")
    Import.objects.create(account=desk.account, actor=desk.user, file_name=f"{ADA.email}.csv", state="done")
    Job.objects.create(account=desk.account, actor=desk.user, name=f"For {ADA.email}", request_digest="x")
    assert "Forget this person" in words(see(client))
    told = words(client.get(PAGE))
    for part in (
        "What goes:", "What stays:", "7 days", "cannot be undone", "These go as well", "the saved view ‘Her’",
        "These are called ‘removed’ then", f"the bulk job ‘For {ADA.email}’", f"the file ‘{ADA.email}.csv’",
        "Rename or delete these yourself", f"the recipe ‘As for {ADA.email}’",
    ):  # fmt: skip
        assert part in told
    advice = told.partition("Rename or delete these yourself")[2]
    assert "the bulk job" not in advice
    assert "the file" not in advice


@pytest.fixture
def there(client: Client, at_desk: AtDesk, desk_of: Callable[..., Desk]) -> Desk:
    """Another account, in which the same person is met; the admin has met her, too."""
    see(client)
    desk = desk_of("manager", 1)
    see(at_desk("manager", 1), NOTABLE["bindery_ada"].id)
    Entry.objects.filter(account=desk.account).update(name="Adelheid of the Bindery")
    return desk


def test_one_choice_forgets_the_person_in_other_accounts_too(client: Client, there: Desk) -> None:
    number = NOTABLE["bindery_ada"].id
    answer = client.get(PAGE)
    assert f"Lead #{number} {there.account}" in words(answer)
    assert answer.context["form"]["elsewhere"].value() is True
    assert "Adelheid" not in answer.content.decode()
    client.post(PAGE, {"reason": "duty", "elsewhere": "on"})
    told = words(client.get(LIST))
    assert f"Lead #{number} of {there.account} will be forgotten in 7 days" in told
    assert "Adelheid" not in told
    assert [(row.lead_id, row.reason) for row in Forgetting.objects.order_by("pk")] == [
        (ADA.id, "duty"), (number, "duty"),
    ]  # fmt: skip
    assert Forgetting.objects.values("due_at").distinct().count() == 1
    other = Forgetting.objects.get(account=there.account)
    assert client.post(f"{LIST}{other.pk}/withdraw/").status_code == 404, "that is for an admin there"


def test_left_out_the_page_says_where_the_email_can_still_be_found(client: Client, there: Desk) -> None:
    assert "can still be found in that account" in words(client.get(PAGE))
    client.post(PAGE, {"reason": "duty"})
    told = words(client.get(LIST))
    assert f"This email can still be found through {there.account}: Lead #{NOTABLE['bindery_ada'].id}." in told
    assert [row.lead_id for row in Forgetting.objects.all()] == [ADA.id]


def test_who_is_known_in_no_other_account_is_asked_nothing_about_them(client: Client) -> None:
    see(client)
    assert "other accounts" not in words(client.get(PAGE))
    client.post(PAGE, {"reason": "duty"})
    assert "can still be found" not in words(client.get(LIST))


def test_who_never_opened_the_lead_is_told_its_name_all_the_same(client: Client, at_desk: AtDesk) -> None:
    see(at_desk("manager"))
    assert f"Forget Ada Moreno #{ADA.id}" in words(client.get(PAGE))


def test_asked_for_listed_everywhere_and_taken_back(client: Client) -> None:
    see(client)
    assert "Nobody is to be forgotten" in words(client.get(LIST))
    assert client.post(PAGE, {"reason": "asked"})["Location"] == LIST
    assert "will be forgotten in 7 days" in words(client.get(LIST))
    for page in (LIST, "/"):
        told = words(client.get(page))
        assert f"Ada Moreno #{ADA.id}" in told
        assert "The person asked for it" in told
    assert "asked for this already" in words(client.get(PAGE))
    assert "This person is to be forgotten" in words(see(client))
    assert client.post(PAGE, {"reason": "asked"}).status_code == 422
    asked = Forgetting.objects.get()
    assert client.post(f"{LIST}{asked.pk}/withdraw/")["Location"] == LIST
    told = words(client.get(LIST))
    assert f"Lead #{ADA.id} stays." in told
    assert "Taken back by Admin Person" in told
    assert "To be forgotten" not in words(client.get("/"))
    assert "to be forgotten" not in words(see(client))


def test_done_it_is_listed_by_number(client: Client) -> None:
    see(client)
    client.post(PAGE, {"reason": "duty"})
    Forgetting.objects.update(due_at=timezone.now(), waits_for="A file of leads is being imported.")
    assert "It is due and waits: A file of leads is being imported." in words(client.get(LIST))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leads.search_index.wipe", lambda connection: None)  # not within the test's transaction
        assert forgetting.forget_due() == 1
    told = words(client.get(LIST))
    assert f"Lead #{ADA.id}" in told
    assert "Ada" not in told
    assert not Entry.objects.exists()
    client.post(f"{LIST}{Forgetting.objects.get().pk}/withdraw/")
    assert Forgetting.objects.get().state == "done"


def test_without_a_reason_nothing_is_asked_for(client: Client) -> None:
    for reason in ("", "because"):
        assert client.post(PAGE, {"reason": reason}).status_code == 422
    assert not Forgetting.objects.exists()


def test_it_needs_an_admin_who_has_shown_who_he_is(client: Client, client_of: Callable[..., Client]) -> None:
    stale = client_of("admin", stale=True)
    for answer in (stale.get(PAGE), stale.post(PAGE, {"reason": "asked"}), stale.post(f"{LIST}1/withdraw/")):
        assert answer.status_code == 302
        assert "/sign-in/again/" in answer["Location"]
    manager = client_of("manager")
    assert manager.post(PAGE, {"reason": "asked"}).status_code == 403
    assert "Forget this person" not in words(see(client_of("viewer")))
    assert not Forgetting.objects.exists()


def imported(desk: Desk, email: str, name: str) -> Entry:
    source = staging.stage(
        actor=desk.user,
        account=desk.account,
        file=BytesIO(f"E-Mail;Name\n{email};{name}\n".encode()),
        file_name="f.csv",
    )
    running.start(actor=desk.user, source=source, matched=source.matched, take_good=True)
    while running.work(source.pk):
        pass
    return Entry.objects.get(email=email)


def test_who_was_imported_by_email_alone_is_forgotten_too(client: Client, desk_of: Callable[..., Desk]) -> None:
    desk = desk_of("admin")
    entry = imported(desk, "zora@canary.example", "Zora Canary")
    other = imported(desk, "zora@other.example", "Zora Other")
    page = words(client.get("/leads/", {"q": "Zora@canary.example"}))
    assert "Forget this person" in page
    path = f"/directory/{entry.pk}/forget/"
    assert "Forget Zora Canary" in words(client.get(path))
    assert client.post(path, {"reason": "asked"})["Location"] == LIST
    for place in (LIST, "/"):
        assert "Zora Canary" in words(client.get(place))
    assert client.post(path, {"reason": "asked"}).status_code == 422
    Forgetting.objects.update(due_at=timezone.now())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leads.search_index.wipe", lambda connection: None)
        assert forgetting.forget_due() == 1
    assert list(Entry.objects.all()) == [other]
    told = words(client.get(LIST))
    assert "Somebody known by email alone" in told
    assert "Canary" not in told
    assert "Forget this person" not in words(client.get("/leads/", {"q": "zora@canary.example"}))
    assert client.get(path).status_code == 404
    assert client.get("/audit/").status_code == 200
    assert "canary" not in "".join(cells for row in ImportRow.objects.all() for cells in row.cells)


def test_who_got_a_number_meanwhile_is_forgotten_by_it(client: Client, desk_of: Callable[..., Desk]) -> None:
    entry = imported(desk_of("admin"), ADA.email, "Ada")
    client.post(f"/directory/{entry.pk}/forget/", {"reason": "asked"})
    see(client)
    assert Entry.objects.get().lead_id == ADA.id
    assert client.get(f"/directory/{entry.pk}/forget/")["Location"] == PAGE
    Forgetting.objects.update(due_at=timezone.now())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leads.search_index.wipe", lambda connection: None)
        assert forgetting.forget_due() == 1
    assert not Entry.objects.exists()
    assert not Recent.objects.exists()
    assert Forgetting.objects.get().lead_id == ADA.id


def test_who_is_gone_from_kartra_is_forgotten_from_the_page_that_says_so(
    client: Client, at_desk: AtDesk, desk_of: Callable[..., Desk]
) -> None:
    desk = desk_of("admin")
    gone = "987654321"
    assert "Forget this person" not in words(client.get(f"/leads/{gone}/"))
    Entry.objects.create(
        account=desk.account, lead_id=gone, name="Zora", seen_at=timezone.now(), changed_at=timezone.now()
    )
    answer = client.get(f"/leads/{gone}/")
    assert answer.status_code == 404
    assert f'href="/leads/{gone}/forget/"' in answer.content.decode()
    assert "Forget this person" not in words(at_desk("manager").get(f"/leads/{gone}/"))
    Entry.objects.all().delete()
    with transaction.atomic():
        subjects.of_lead(desk.account.pk, gone)
    assert "Forget this person" in words(client.get(f"/leads/{gone}/")), "what is sealed is kept, too"

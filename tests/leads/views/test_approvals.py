"""Approvals: for me to decide, created by me, history; one request with its figures then and now."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from leads.access import Desk, whose_for
from leads.models import Approval, Limit, Operation
from leads.providers.base import LeadRef
from leads.providers.changes import RefundTransaction
from leads.services import approvals, money
from leads.services.money import Terms
from leads.wiring import provider_for
from tests.conftest import SignIn
from tests.leads.conftest import NOTABLE, Sandbox
from tests.leads.helpers import words, writes

pytestmark = pytest.mark.django_db
DeskOf = Callable[..., Desk]
AtDesk = Callable[..., Client]
JON, SALE = NOTABLE["jon"].id, "99601"


@pytest.fixture
def request_(desk_of: DeskOf, settings: Any) -> Approval:
    """Support asks for 150.00."""
    settings.MONEY_HOLD = 0
    desk = desk_of("support")
    Limit.objects.create(role="support", per_transaction=Decimal(100), per_day=Decimal(300))
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose_for(desk, JON), SALE)
    made = approvals.refund_or_request(
        actor=desk.user,
        connection=desk.connection,
        whose=whose_for(desk, JON),
        transaction_id=SALE,
        amount=Decimal(150),
        terms=Terms("<b>Goodwill</b>", "He is kind", sale.digest),
        operation_id=uuid4(),
    )
    assert isinstance(made, Approval)
    return made


def url(request: Approval, act: str = "") -> str:
    return f"/approvals/{request.pk}/{act}"


def test_each_sees_what_concerns_him(at_desk: AtDesk, request_: Approval) -> None:
    mine, for_me = at_desk("support").get("/approvals/"), at_desk("manager").get("/approvals/")
    assert "Your requests 1" in words(mine)
    assert "For you to decide" not in words(mine)
    assert "Per payment: 100.00 Per day: 300.00" in words(mine)
    assert "Left today: 300.00" in words(mine)
    assert "For you to decide 1" in words(for_me)
    assert "&lt;b&gt;Goodwill&lt;/b&gt;" in for_me.content.decode()


def test_the_menu_counts_what_one_may_decide(at_desk: AtDesk, request_: Approval) -> None:
    count = '<span class="menu-count">1<'
    assert count in at_desk("manager").get("/approvals/").content.decode()
    assert count not in at_desk("support").get("/approvals/").content.decode()
    request_.status = "declined"
    request_.save()
    assert "menu-count" not in at_desk("manager").get("/approvals/").content.decode()


def test_home_lists_what_one_may_decide(at_desk: AtDesk, request_: Approval) -> None:
    page = words(at_desk("manager").get("/"))
    assert "For you to decide 1" in page
    assert "Refund 150.00 to" in page
    assert "For you to decide" not in words(at_desk("support").get("/"))


def test_figures_then_and_now(at_desk: AtDesk, desk_of: DeskOf, request_: Approval) -> None:
    client = at_desk("manager")
    page = words(client.get(url(request_)))
    assert "Left 590.00 590.00" in page
    assert "above the limit of 100.00 per payment" in page.casefold()
    assert "He is kind" in page
    provider_for(desk_of("manager").connection).send(LeadRef(id=JON), [RefundTransaction(SALE, amount="10.00")])
    page = words(client.get(url(request_)))
    assert "Left 590.00 580.00" in page
    assert "The payment has changed since this was requested" in page


def test_approve_on_the_page(at_desk: AtDesk, sandbox: Sandbox, request_: Approval) -> None:
    client = at_desk("manager")
    sandbox.calls()
    done = client.post(url(request_, "decide/"), {"do": "approve", "note": "Fine"}, follow=True)
    assert done.redirect_chain == [(url(request_), 302)]
    assert "Approved Manager Person" in words(done)
    assert "Show the outcome" in words(done)
    assert len(writes(sandbox)) == 1
    again = client.post(url(request_, "decide/"), {"do": "approve", "note": ""}, follow=True)
    assert again.status_code == 200
    assert writes(sandbox) == []
    assert "Approved Succeeded" in words(client.get("/approvals/"))


def test_what_was_approved_and_then_failed_does_not_look_done(
    at_desk: AtDesk, desk_of: DeskOf, sandbox: Sandbox, request_: Approval
) -> None:
    sandbox.arm("refund_transaction", "429", times=30)
    manager, support = desk_of("manager"), at_desk("support")
    operation = approvals.approve(actor=manager.user, connection=manager.connection, approval=request_)
    sentence = Operation.objects.get(pk=operation.pk).steps.get().sentence
    page = support.get(url(request_))
    for piece in ("Approved Failed", "Approved, and then not refunded", sentence):
        assert piece in words(page)
    assert 'is-succeeded">Approved' not in page.content.decode()
    assert "Approved Failed" in words(support.get("/approvals/"))
    for piece in ("Needs attention 1", "asked to refund 150.00 of payment #99601", sentence):
        assert piece in words(support.get("/"))
    assert "Nothing needs attention" in words(at_desk("manager").get("/"))


def test_decline_needs_a_note_that_the_requester_reads(at_desk: AtDesk, sandbox: Sandbox, request_: Approval) -> None:
    client = at_desk("manager")
    refused = client.post(url(request_, "decide/"), {"do": "decline", "note": ""})
    assert refused.status_code == 422
    assert "Say why" in words(refused)
    client.post(url(request_, "decide/"), {"do": "decline", "note": "Offer a swap"})
    assert "Offer a swap" in words(at_desk("support").get(url(request_)))
    assert writes(sandbox) == []


@pytest.mark.parametrize("posted", [{}, {"do": "both"}, {"do": "approve", "note": "x" * 501}], ids=repr)
def test_a_damaged_form_decides_nothing(
    at_desk: AtDesk, sandbox: Sandbox, request_: Approval, posted: dict[str, str]
) -> None:
    assert at_desk("manager").post(url(request_, "decide/"), posted).status_code == 422
    request_.refresh_from_db()
    assert request_.status == "waiting"
    assert writes(sandbox) == []


def test_take_back(at_desk: AtDesk, request_: Approval) -> None:
    client = at_desk("support")
    assert "Take back" in words(client.get(url(request_)))
    assert "Take back" not in words(at_desk("manager").get(url(request_)))
    done = client.post(url(request_, "withdraw/"), follow=True)
    assert "Taken back. Nothing was sent." in words(done)
    assert at_desk("manager").post(url(request_, "withdraw/")).status_code == 403
    request_.refresh_from_db()
    assert (request_.status, request_.decided_by) == ("withdrawn", request_.requester)


def test_others_requests_are_not_found(at_desk: AtDesk, user_of: Any, client_of: SignIn, request_: Approval) -> None:
    assert at_desk("agent").get(url(request_)).status_code == 403
    assert at_desk("manager", 1).get(url(request_)).status_code == 404
    assert at_desk("manager", 1).post(url(request_, "decide/"), {"do": "approve"}).status_code == 404
    assert at_desk("admin").get(f"/approvals/{uuid4()}/").status_code == 404


def test_support_sees_only_its_own(at_desk: AtDesk, desk_of: DeskOf, request_: Approval) -> None:
    Approval.objects.filter(pk=request_.pk).update(requester=desk_of("admin").user)
    assert at_desk("support").get(url(request_)).status_code == 404
    assert "Jon" not in words(at_desk("support").get("/approvals/"))


def test_a_stale_session_confirms_before_the_form_shows(
    desk_of: DeskOf, client_of: SignIn, sandbox: Sandbox, request_: Approval
) -> None:
    desk_of("manager")
    client = client_of("manager", stale=True)
    page = client.get(url(request_))
    assert f"/sign-in/again/?next={url(request_)}" in page.content.decode()
    assert 'name="do"' not in page.content.decode()
    answer = client.post(url(request_, "decide/"), {"do": "approve", "note": ""})
    assert answer["Location"].startswith("/sign-in/again/")
    assert writes(sandbox) == []


def test_the_only_approver_reads_how_to_go_on_alone(at_desk: AtDesk, sandbox: Sandbox, request_: Approval) -> None:
    client = at_desk("manager")
    assert "You are the only one who can approve" in words(client.get("/approvals/"))
    Approval.objects.filter(pk=request_.pk).update(
        requester=client.get("/approvals/").wsgi_request.user.pk, requester_role="manager"
    )
    page = words(client.get(url(request_)))
    assert "Your approval waits 15 minutes" in page
    assert "Decline" not in page
    done = words(client.post(url(request_, "decide/"), {"do": "approve", "note": ""}, follow=True))
    assert "It will be sent after the waiting time" in done
    assert "Take back" in done
    at_desk("admin")
    assert "You are the only one" not in words(client.get("/approvals/"))
    assert writes(sandbox) == []


def test_one_who_is_not_alone_gets_no_buttons_for_his_own(at_desk: AtDesk, request_: Approval) -> None:
    at_desk("admin")
    client = at_desk("manager")
    user = client.get("/approvals/").wsgi_request.user
    Approval.objects.filter(pk=request_.pk).update(requester=user.pk, requester_role="manager")
    page = client.get(url(request_))
    assert 'name="do"' not in page.content.decode()
    assert "Admin Person can decide this" in words(page)
    answer = client.post(url(request_, "decide/"), {"do": "approve", "note": ""}, follow=True)
    assert "You cannot approve your own request" in words(answer)


def test_history_has_pages(at_desk: AtDesk, request_: Approval) -> None:
    values = {
        field.attname: getattr(request_, field.attname)
        for field in Approval._meta.concrete_fields
        if field.attname not in ("id", "status", "created_at")
    }
    now = timezone.now()
    rows = Approval.objects.bulk_create(Approval(**values, status="declined") for _ in range(60))
    for number, row in enumerate(rows):  # several at the same moment
        Approval.objects.filter(pk=row.pk).update(created_at=now - timedelta(minutes=number // 4))
    client, seen, address = at_desk("manager"), [], "/approvals/"
    while address:
        page = client.get(address).context["page"]
        seen += [row.pk for row in page.rows]
        address = f"/approvals/?page={page.older}" if page.older else ""
    assert len(seen) == len(set(seen)) == 60
    back = client.get(f"/approvals/?page={page.newer}").context["page"]
    assert [row.pk for row in back.rows] == seen[25:50]
    assert client.get("/approvals/?page=b1").status_code == 400


def test_an_old_one_shows_as_expired_before_anybody_swept(at_desk: AtDesk, request_: Approval) -> None:
    Approval.objects.filter(pk=request_.pk).update(created_at=timezone.now() - timedelta(hours=25))
    page = at_desk("manager").get(url(request_))
    assert "Expired" in words(page)
    assert 'name="do"' not in page.content.decode()
    assert "Nothing is waiting for you" in words(at_desk("manager").get("/approvals/"))


def test_a_sale_that_cannot_be_read_is_said(at_desk: AtDesk, sandbox: Sandbox, request_: Approval) -> None:
    client = at_desk("manager")
    sandbox.arm("*", "junk", 3)
    page = client.get(url(request_))
    assert page.status_code == 200
    assert "could not be read" in words(page)

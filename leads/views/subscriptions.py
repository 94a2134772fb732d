"""One subscription: its page, and pausing, resuming, editing and cancelling it."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.decorators import StaffRequest, require_perm, require_sudo
from kartra_admin.lib.errors import AppError
from leads.access import Desk, desk_for, get_plan_for, whose_for, whose_now_for
from leads.forms.money import Seen
from leads.forms.subscriptions import CancelForm, EditSubscriptionForm, SubscriptionForm, about_plan
from leads.models import Operation, Outcome
from leads.selectors import money_rows, operations
from leads.selectors.playbooks import OPEN, Progress, progress_of
from leads.services import cancelling, limits, money
from leads.services.money import Changed, Plan, Sale
from leads.summaries import summarise
from leads.views._money import after_money, dialog

FORMS: dict[str, type[SubscriptionForm]] = {
    "subscription.pause": SubscriptionForm,
    "subscription.resume": SubscriptionForm,
    "subscription.edit": EditSubscriptionForm,
    "subscription.cancel": CancelForm,
}
TEMPLATES = {
    "subscription.pause": "leads/subscriptions/_pause_dialog.html",
    "subscription.resume": "leads/subscriptions/_resume_dialog.html",
    "subscription.edit": "leads/subscriptions/_edit_dialog.html",
    "subscription.cancel": "leads/subscriptions/_cancel_dialog.html",
}


@require_GET
@require_perm("money.view")
def detail(request: StaffRequest, lead_id: str, subscription_id: str) -> HttpResponse:
    """Everything that is known of one subscription and its payments, read now."""
    desk = desk_for(request.user)
    plan = get_plan_for(desk, lead_id, subscription_id)
    found = money_rows.of_money([plan.group], account=desk.account, lead_id=lead_id, user=request.user)
    context = {
        "lead_id": lead_id,
        "plan": plan,
        "sub": plan.group.the_subscription,
        "item": found.group_of(subscription_id),
        "denials": found.denials,
        "runs": found.runs,
        "operations": operations.list_for_subject(
            desk.account, lead_id, "subscription", subscription_id, viewer=request.user
        ),
    }
    return render(request, "leads/subscriptions/detail.html", context)


@require_http_methods(["GET", "POST"])
@require_perm("subscription.pause")
@require_sudo
def pause(request: StaffRequest, lead_id: str, subscription_id: str) -> HttpResponse:
    return _change(request, lead_id, subscription_id, "subscription.pause")


@require_http_methods(["GET", "POST"])
@require_perm("subscription.pause")
@require_sudo
def resume(request: StaffRequest, lead_id: str, subscription_id: str) -> HttpResponse:
    return _change(request, lead_id, subscription_id, "subscription.resume")


@require_http_methods(["GET", "POST"])
@require_perm("subscription.edit")
@require_sudo
def edit(request: StaffRequest, lead_id: str, subscription_id: str) -> HttpResponse:
    """Change what it charges and when; only what is filled in."""
    return _change(request, lead_id, subscription_id, "subscription.edit")


@require_http_methods(["GET", "POST"])
@require_perm("subscription.cancel")
@require_sudo
def cancel(request: StaffRequest, lead_id: str, subscription_id: str) -> HttpResponse:
    """Cancel it for good, and where that is wanted refund its last payment after it."""
    return _change(request, lead_id, subscription_id, "subscription.cancel")


def _change(request: StaffRequest, lead_id: str, subscription_id: str, kind: str) -> HttpResponse:
    desk = desk_for(request.user)
    about = about_plan(desk.account.pk, lead_id, subscription_id)
    data = request.POST if request.method == "POST" else None
    form = FORMS[kind](data, about=about, kind=kind, subscription_id=subscription_id)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            sent = _send(desk, lead_id, form)
        except Changed as error:
            context["seen"] = form.cleaned_data["seen"]
            form.refuse(error.sentence)
        except AppError as error:
            form.refuse(error.sentence)
        else:
            if not (why := _why_nothing_was_done(sent)):
                return _answer(request, sent)
            form.refuse(why)
    return _dialog(request, desk, form, lead_id, context)


def _send(desk: Desk, lead_id: str, form: SubscriptionForm) -> Operation | Progress:
    """The operation; of a cancellation with a refund, the run of both."""
    asked: dict[str, Any] = {
        "actor": desk.user,
        "connection": desk.connection,
        "whose": whose_for(desk, lead_id),
        "terms": form.terms,
    }
    own_id = form.cleaned_data["operation_id"]
    if isinstance(form, CancelForm) and (last := form.last_payment):
        run = cancelling.cancel_and_refund(subscription_id=form.subscription_id, last=last, run_id=own_id, **asked)
        return progress_of(run)
    return money.change_subscription(change=form.change(), operation_id=own_id, **asked)


def _why_nothing_was_done(sent: Operation | Progress) -> str:
    """The reason to show the dialog again, or ""."""
    if isinstance(sent, Operation):
        return summarise(sent).text if sent.outcome == Outcome.FAILED else ""
    first = sent.steps[0].operation
    if first is None:
        return f"{sent.run.closed_note or 'This is being sent right now.'} Nothing was refunded."
    return f"{summarise(first).text} Nothing was refunded." if first.outcome == Outcome.FAILED else ""


def _answer(request: StaffRequest, sent: Operation | Progress) -> HttpResponse:
    """Each operation with its own outcome, and what has still to come."""
    if isinstance(sent, Operation):
        return after_money(request, sent)
    refund = sent.steps[1]
    if refund.approval:
        messages.info(request, "The refund is above your limit: approval was requested.")
    elif refund.state == OPEN and not sent.is_over:
        waits = f"The refund of {refund.step.amount} waits for the cancellation, and follows once that has succeeded."
        messages.warning(request, f"The refund was not started. {sent.stopped}" if sent.stopped else waits)
    return after_money(request, *(step.operation for step in sent.steps if step.operation))


def _dialog(
    request: StaffRequest, desk: Desk, form: SubscriptionForm, lead_id: str, context: dict[str, Any]
) -> HttpResponse:
    """The form on a fresh reading, and what has changed since the one before."""
    plan = get_plan_for(desk, lead_id, form.subscription_id, whose=whose_now_for(desk, lead_id))
    now = Seen.of_plan(plan)
    form.show(now)
    last = _last_payment(plan)
    if isinstance(form, CancelForm):
        may_refund = last is not None and request.user.has_permission("transaction.refund") and not last.why_not()
        form.offer_refund(last if may_refund else None)
    before = context.pop("seen", None)
    context |= {
        "form": form,
        "plan": plan,
        "sub": plan.group.the_subscription,
        "lead_id": lead_id,
        "last": last,
        "why_not": plan.why_not(form.kind),
        "above": _above(desk, last) if isinstance(form, CancelForm) and last else "",
        "changed": before.differences(now) if before else [],
    }
    return dialog(request, TEMPLATES[form.kind], context)


def _above(desk: Desk, last: Sale) -> str:
    """Above which limit the refund of all that is left would be."""
    return limits.why_above(
        actor=desk.user,
        account=desk.account,
        lead_id=last.whose.lead_id,
        transaction_id=last.payment.transaction.id,
        amount=last.payment.left or Decimal(0),
    )


def _last_payment(plan: Plan) -> Sale | None:
    payment = plan.group.last_payment
    return Sale(plan.whose, plan.account, plan.group, payment) if payment else None

"""One transaction: its page, and refunding it."""

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.decorators import StaffRequest, require_perm, require_sudo
from kartra_admin.lib.errors import AppError
from leads.access import Desk, desk_for, get_sale_for, whose_for, whose_now_for
from leads.forms.money import Outlook, RefundForm, Seen, about_sale
from leads.models import Approval, Operation, Outcome
from leads.selectors import money_rows, operations
from leads.services import approvals, limits
from leads.services.money import Changed
from leads.summaries import can_still_be_withdrawn, summarise
from leads.views._money import after_money, after_request, dialog


@require_GET
@require_perm("money.view")
def detail(request: StaffRequest, lead_id: str, transaction_id: str) -> HttpResponse:
    """Everything that is known of one transaction, read now."""
    desk = desk_for(request.user)
    sale = get_sale_for(desk, lead_id, transaction_id)
    money = money_rows.of_money([sale.group], account=desk.account, lead_id=lead_id, user=request.user)
    context = {
        "lead_id": lead_id,
        "sale": sale,
        "item": money.row_of(transaction_id),
        "denials": money.denials,
        "runs": money.runs,
        "operations": operations.list_for_subject(
            desk.account, lead_id, "transaction", transaction_id, viewer=request.user
        ),
    }
    return render(request, "leads/transactions/detail.html", context)


@require_http_methods(["GET", "POST"])
@require_perm("transaction.refund")
@require_sudo
def refund(request: StaffRequest, lead_id: str, transaction_id: str) -> HttpResponse:
    """Refund all or part, in the dialog or on a page. Above a limit it becomes a request."""
    desk = desk_for(request.user)
    form = _form(desk, request.POST if request.method == "POST" else None, lead_id, transaction_id)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            result = _refund(desk, form, lead_id, transaction_id)
        except Changed as error:
            context["seen"] = form.cleaned_data["seen"]
            form.refuse(error.sentence)
        except AppError as error:
            form.refuse(error.sentence)
        else:
            if isinstance(result, Approval):
                return after_request(request, result)
            if result.outcome != Outcome.FAILED:
                return after_money(request, result)
            form.refuse(summarise(result).text)
    return _dialog(request, desk, form, lead_id, transaction_id, context)


def _form(desk: Desk, data: Any, lead_id: str, transaction_id: str) -> RefundForm:
    return RefundForm(data, about=about_sale(desk.account.pk, lead_id, transaction_id))


def _refund(desk: Desk, form: RefundForm, lead_id: str, transaction_id: str) -> Operation | Approval:
    return approvals.refund_or_request(
        actor=desk.user,
        connection=desk.connection,
        whose=whose_for(desk, lead_id),
        transaction_id=transaction_id,
        amount=form.wanted,
        terms=form.terms,
        operation_id=form.cleaned_data["operation_id"],
    )


def _dialog(
    request: StaffRequest, desk: Desk, form: RefundForm, lead_id: str, transaction_id: str, context: dict[str, Any]
) -> HttpResponse:
    """The form on a fresh reading, and what has changed since the one before."""
    sale = get_sale_for(desk, lead_id, transaction_id, whose=whose_now_for(desk, lead_id))
    now = Seen.of_sale(sale)
    form.show(now)
    # Only a script lets it follow what is typed: on a page of its own nothing may be said of an amount beforehand.
    outlook = form.outlook(now) if request.htmx else Outlook(now)
    before = context.pop("seen", None)
    context |= {
        "form": form,
        "sale": sale,
        "lead_id": lead_id,
        "why_not": sale.why_not(),
        "changed": before.differences(now) if before else [],
        **_outlook(desk, lead_id, transaction_id, outlook),
    }
    return dialog(request, "leads/transactions/_refund_dialog.html", context)


@require_GET
@require_perm("transaction.refund")
def refund_outlook(request: StaffRequest, lead_id: str, transaction_id: str) -> HttpResponse:
    """What will happen with what is typed so far. Reads nothing at the provider: the figures come with the form."""
    desk = desk_for(request.user)
    form = _form(desk, request.GET, lead_id, transaction_id)
    context = {"lead_id": lead_id, **_outlook(desk, lead_id, transaction_id, form.outlook())}
    return render(request, "leads/transactions/_outlook.html", context)


def _outlook(desk: Desk, lead_id: str, transaction_id: str, outlook: Outlook) -> dict[str, Any]:
    """The sentence before the buttons, and the limits that a part or all of it comes up against."""

    def why_above(amount: Decimal | None) -> str:
        if not amount:
            return ""
        return limits.why_above(
            actor=desk.user, account=desk.account, lead_id=lead_id, transaction_id=transaction_id, amount=amount
        )

    return {
        "outlook": outlook,
        "above": why_above(outlook.amount),
        "above_all": why_above(outlook.seen.left if outlook.seen else None),
        "allowance": limits.allowance_of(desk.user),
        "withdrawing": can_still_be_withdrawn(),
    }

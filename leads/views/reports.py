"""The report of refunds and cancellations, month by month."""

from datetime import date, datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.decorators import StaffRequest, require_perm, require_sudo
from kartra_admin.downloads import as_file
from kartra_admin.lib import spreadsheet
from kartra_admin.lib.errors import BadRequest
from leads.access import desk_for
from leads.charts import bar_chart
from leads.selectors import reports
from leads.services.reports import export_month


@require_GET
@require_perm("report.view")
def monthly(request: StaffRequest) -> HttpResponse:
    """One month in detail, and the twelve months that end with it or with the present one."""
    account = desk_for(request.user).account
    month = _month_of(request)
    months = reports.list_months(account, max(month, min(reports.this_month(), reports.after(month, 11))))
    chart = bar_chart(
        "Refunded, month by month",
        "; ".join(f"{row.label}: {row.refunded:,.2f}" for row in months),
        [(f"{row.month:%b}", row.refunded) for row in months],
        marked=f"{month:%b}",
    )
    context = {
        "chart": chart,
        "months": list(reversed(months)),
        "detail": reports.month_in_detail(account, month),
        "earlier": reports.after(month, -1) if month > reports.EARLIEST else None,
        "later": reports.after(month) if month < reports.this_month() else None,
    }
    return render(request, "leads/reports/monthly.html", context)


@require_GET
@require_perm("report.view")
@require_sudo
def export(request: StaffRequest) -> HttpResponse:
    """One month as CSV, row by row."""
    month = _month_of(request)
    rows = export_month(actor=request.user, account=desk_for(request.user).account, month=month)
    return as_file(f"refunds-{month:%Y-%m}.csv", spreadsheet.lines(rows))


def _month_of(request: StaffRequest) -> date:
    """The month asked for, ``2026-11``; the present one for one that is still to come. Raises `BadRequest`."""
    if "month" not in request.GET:
        return reports.this_month()
    try:
        month = datetime.strptime(request.GET["month"], "%Y-%m").date()  # noqa: DTZ007  (a month alone)
    except ValueError:
        raise BadRequest("There is no such month. Write it like 2026-11.") from None
    return min(max(month, reports.EARLIEST), reports.this_month())

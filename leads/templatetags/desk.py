"""Small helpers of the desk's templates."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils import timezone

from kartra_admin.lib.names import initials
from leads import labels, summaries
from leads.models import Finding, JobLead, Operation, OperationStep, Playbook
from leads.playbook_steps import Step, steps_of
from leads.providers.base import Lead, Stamp
from leads.selectors.playbooks import Progress
from leads.services import outcomes, undo

register = template.Library()
register.filter(outcomes.may_withdraw)
register.filter(undo.may_undo)
register.filter(initials)


class Links(NamedTuple):
    """``about`` is the operation's id: a newer message about it takes the place of an older one."""

    undo_url: str = ""
    entry_url: str = ""
    about: str = ""
    undo_label: str = "Undo"


@register.simple_tag
def operation_id() -> str:
    """A fresh id for a form that starts an operation."""
    return str(uuid.uuid4())


@register.filter
def summary(operation: Operation) -> summaries.Summary:
    return summaries.summarise(operation)


@register.filter
def stands(operation: Operation) -> summaries.Standing:
    return summaries.stands(operation)


@register.filter
def run_stands(progress: Progress) -> summaries.Standing:
    return summaries.run_stands(progress)


@register.filter
def is_overdue(operation: Operation) -> bool:
    """Whether money has been in doubt, or lies unsent, for more than an hour."""
    since = operation.sent_at or operation.send_at or operation.created_at
    is_open = operation.is_left_lying or (operation.is_in_doubt and operation.is_money)
    return is_open and timezone.now() - since > timedelta(hours=1)


@register.filter
def what_was_done(operation: Operation) -> str:
    return summaries.what_was_done(operation)


@register.filter
def step_label(step: OperationStep) -> str:
    return summaries.step_label(step)


@register.filter
def differences(step: OperationStep) -> list[dict[str, str]]:
    """Rows for ``components/_diff.html``."""
    keys = dict.fromkeys([*step.before, *step.after])
    return [{"label": key, "before": step.before.get(key, ""), "after": step.after.get(key, "")} for key in keys]


@register.filter
def amount(value: Decimal | None) -> str:
    """Two decimals and no currency, which the provider does not tell; a dash where there is no amount."""
    return "–" if value is None else f"{value:,.2f}"


@register.filter
def day(stamp: Stamp | None) -> str:
    """The date alone, as the provider's clock has it."""
    if stamp is None:
        return "–"
    return f"{stamp.at.day} {stamp.at:%b %Y}" if stamp.at else stamp.text


@register.filter
def clock(stamp: Stamp) -> str:
    """'6 Oct 2026, 11:14 EST', as the provider's clock has it."""
    return f"{day(stamp)}, {stamp.at:%H:%M} {stamp.zone}" if stamp.at else f"{stamp.text} {stamp.zone}"


@register.filter
def ago(moment: datetime | None) -> str:
    """'8 s ago', '3 min ago'; a date once it is older than a day."""
    if moment is None:
        return "never"
    seconds = max(int((timezone.now() - moment).total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 86400:
        return f"{seconds // 3600} h ago"
    local = timezone.localtime(moment)
    return f"{local.day} {local:%b %Y}"


@register.filter
def message_links(extra_tags: str) -> Links:
    """Links of a message about an operation: ``extra_tags`` is its id, and ``undo`` or ``withdraw`` where that may be
    offered."""
    found, _, act = (extra_tags or "").partition(" ")
    if not found:
        return Links()
    undo_url = reverse(f"leads:operation-{act}", args=[found]) if act else ""
    label = "Take back" if act == "withdraw" else "Undo"
    return Links(undo_url, reverse("leads:operation", args=[found]), found, label)


@register.filter
def duration(seconds: int | None) -> str:
    """'less than a minute', 'about a minute', 'about 12 minutes', 'about 2 h 5 min'."""
    if seconds is None:
        return "an unknown time"
    minutes = -(-seconds // 60)
    if seconds < 60:
        return "less than a minute"
    if minutes == 1:
        return "about a minute"
    return f"about {minutes} minutes" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"


@register.filter
def job_lead_mark(row: JobLead) -> summaries.Standing:
    return summaries.job_lead_stands(row)


@register.filter
def job_lead_what(row: JobLead, actions: Sequence[str]) -> str:
    return summaries.job_lead_what(row, actions)


@register.filter
def when(moment: datetime) -> str:
    """'Today 14:02', '9 Oct 10:41', '9 Oct 2025': as exact as is of use, in the desk's time zone."""
    local, today = timezone.localtime(moment), timezone.localdate()
    if local.date() == today:
        return f"Today {local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y}"


@register.filter
def field_kind(kind: str) -> str:
    """A kind of custom field in words."""
    return {"text": "text", "long_text": "long text", "choice": "menu", "radio": "radio buttons"}.get(kind, "choices")


@register.filter
def is_number(text: str) -> bool:
    return text.isdecimal()


class Fact(NamedTuple):
    """One line of the profile. ``kind`` makes the value a badge; ``title`` is the exact value."""

    label: str
    value: str
    kind: str = ""
    note: str = ""
    title: str = ""


@register.filter
def facts(lead: Lead) -> list[Fact]:
    """The profile as staff read it: phone, company and place always, the rest where it is known."""
    profile = lead.profile
    place = ", ".join(filter(None, (profile.get(key) for key in ("city", "state", "country"))))
    phone, company = labels.phone_of(profile), profile.get("company", "")
    always = [Fact("Phone", phone), Fact("Company", company), Fact("Place", place)]
    address = ", ".join(filter(None, (profile.get("address"), profile.get("zip"))))
    shown = ("website", "facebook", "twitter", "linkedin", "time_zone", "sales_tax_id", "picture_url")
    more = [Fact("Address", address), *(Fact(labels.FIELD_LABELS[key], profile.get(key, "")) for key in shown)]
    more += [
        Fact("Source", lead.source),
        Fact("User name", lead.username),
        Fact("IP address", lead.ip, note=lead.ip_country),
        Fact("Notes in Kartra", lead.notes),
    ]
    return [*always, *(fact for fact in more if fact.value), *_standing(lead)]


def _standing(lead: Lead) -> list[Fact]:
    found = []
    if lead.consent:
        stamp = lead.consent.at
        exact = f"{stamp.text} {stamp.zone}" if stamp else ""
        found.append(Fact("Consent", lead.consent.words, "", day(stamp) if stamp else "", exact))
        agreed = {True: "agreed to be contacted", False: "has not agreed to be contacted"}.get(
            lead.consent.agreed_to_contact  # type: ignore[arg-type]
        )
        found += [Fact("Contact", agreed)] if agreed else []
        found += [Fact("Consent came from", lead.consent.ip)] if lead.consent.ip else []
    if lead.blacklisted is not None:
        found.append(
            Fact("Mail", *(("Blacklisted", "failed") if lead.blacklisted else ("Not blacklisted", "succeeded")))
        )
    if lead.deleted:
        found.append(Fact("Deleted", day(lead.deleted_at) if lead.deleted_at else "yes", "failed"))
    return found


@register.filter
def steps(playbook: Playbook) -> list[Step]:
    """The steps of a playbook in words (`Step.order`)."""
    return steps_of(playbook.steps)


@register.filter
def entries_url(finding: Finding) -> str:
    """The entries of the log that a finding is about."""
    days = (timezone.localtime(moment).date().isoformat() for moment in (finding.since, finding.until))
    query = dict(zip(("since", "until"), days, strict=True))
    query |= {"person": str(finding.person_id)} if finding.person_id else {"lead": finding.lead_id}
    return f"{reverse('accounts:audit')}?{urlencode(query | ({'action': finding.act} if finding.act else {}))}"


@register.filter
def axis(value: Decimal) -> str:
    """An amount beside a chart: '1,500', without decimals that say nothing."""
    return f"{value:,.0f}" if value == value.to_integral() else f"{value:,.2f}"

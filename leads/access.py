"""Load a thing and make sure that this person may see it, in one step."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar
from uuid import UUID

from django import shortcuts
from django.db.models import Model, QuerySet

from accounts.models import Account, Connection, User
from accounts.selectors import connections
from accounts.services import access
from leads.models import Approval, Import, Job, Operation, PlaybookRun, Recent, SavedView
from leads.playbook_steps import steps_of
from leads.providers.base import Lead, LeadRef, Money
from leads.providers.errors import Deleted, Misconfigured, NotFound
from leads.selectors import approvals, directory, jobs, refs
from leads.services import finding, leads, money
from leads.services.money import Plan, Sale, Whose
from leads.wiring import provider_for

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Desk:
    """Where a person works: his connection, and the account it opens."""

    user: User
    connection: Connection

    @property
    def account(self) -> Account:
        return self.connection.account


class Absent(Enum):
    """Why there is no lead where one was looked up."""

    UNKNOWN = "unknown"
    DELETED = "deleted"


def desk_for(user: User) -> Desk:
    """Raises `Misconfigured` for a person without credentials, or with some that the provider refuses.

    What is kept of an account is for people whose credentials work: those that were refused are tried once more.
    """
    connection = connections.for_user(user)
    if connection is None:
        raise Misconfigured("You have no Kartra credentials yet, so no lead can be read. Add them in Settings.")
    if connection.is_failing:
        provider_for(connection).check_credentials()
    return Desk(user, connection)


def get_lead_for(desk: Desk, lead_id: str) -> Lead:
    """The lead, read now. Raises `NotFound`, or another `ProviderError` where it could not be read."""
    return provider_for(desk.connection).get_lead(refs.find_ref(desk.connection, lead_id))


def look_up_lead_for(desk: Desk, lead_id: str) -> Lead | Absent:
    """The same, or why there is none."""
    try:
        return get_lead_for(desk, lead_id)
    except Deleted:
        return Absent.DELETED
    except NotFound:
        return Absent.UNKNOWN


def find_lead_for(desk: Desk, ref: LeadRef) -> str | Absent:
    """The id of the lead with this exact email or id, or why there is none."""
    try:
        lead_id = provider_for(desk.connection).find_lead_id(ref)
    except Deleted:
        return Absent.DELETED
    except NotFound:
        return Absent.UNKNOWN
    if ref.email:
        finding.note_found(desk.account, lead_id, ref.email)
    return lead_id


def get_money_for(desk: Desk, lead_id: str) -> Money:
    """The lead's transactions and subscriptions, read now; the log says who saw them, as of all money below."""
    found = provider_for(desk.connection).get_money(LeadRef(id=lead_id))
    leads.record_visit(actor=desk.user, account=desk.account, lead_id=lead_id)
    return found


def whose_for(desk: Desk, lead_id: str) -> Whose:
    """The lead by the name under which this person last saw him; read now where he never did."""
    found = Recent.objects.filter(account=desk.account, user=desk.user, lead_id=lead_id).first()
    lead = found or look_up_lead_for(desk, lead_id)
    return Whose(lead_id) if isinstance(lead, Absent) else Whose(lead_id, lead.name, lead.email)


def whose_now_for(desk: Desk, lead_id: str) -> Whose:
    """The lead by the name that he has now. Before money is moved nobody is to read an old one."""
    lead = look_up_lead_for(desk, lead_id)
    if isinstance(lead, Absent):
        return Whose(lead_id)
    leads.note_name(actor=desk.user, account=desk.account, lead=lead)
    return Whose(lead_id, lead.name, lead.email)


def get_sale_for(desk: Desk, lead_id: str, transaction_id: str, *, whose: Whose | None = None) -> Sale:
    """One payment of this lead, read now. Raises `NotFound` for another lead's, or another `ProviderError`."""
    whose = whose or whose_for(desk, lead_id)
    sale = money.read_sale(provider_for(desk.connection), desk.account, whose, transaction_id)
    leads.record_visit(actor=desk.user, account=desk.account, lead_id=lead_id)
    return sale


def get_plan_for(desk: Desk, lead_id: str, subscription_id: str, *, whose: Whose | None = None) -> Plan:
    """One subscription of this lead, read now. Raises as `get_sale_for` does."""
    whose = whose or whose_for(desk, lead_id)
    plan = money.read_plan(provider_for(desk.connection), desk.account, whose, subscription_id)
    leads.record_visit(actor=desk.user, account=desk.account, lead_id=lead_id)
    return plan


def get_object_or_404(desk: Desk, found: type[Row] | QuerySet[Row], **which: object) -> Row:
    """The one row of the desk's account with these fields. Raises Http404 for another account's as where there is
    none."""
    return shortcuts.get_object_or_404(found, account=desk.account, **which)


def get_operation_for(desk: Desk, operation_id: UUID) -> Operation:
    """Raises Http404 for an operation of another account, `Denied` for one on money to who sees none."""
    operations = Operation.objects.select_related("actor", "account", "undoes", "undoes_step", "approved_by")
    operations = operations.prefetch_related("steps__undone_by", "steps__decided_by", "undone_by")
    operation = get_object_or_404(desk, operations, id=operation_id)
    if operation.is_money:
        access.require(desk.user, "money.view")
    return operation


def get_saved_view_for(desk: Desk, view_id: int) -> SavedView:
    """One's own, or one that is shared. Raises Http404 for every other."""
    return get_object_or_404(desk, directory.list_views(desk.account, desk.user), pk=view_id)


def get_run_for(desk: Desk, run_id: UUID) -> PlaybookRun:
    """Raises Http404 for a run of another account, `Denied` for one that moves money to who sees none."""
    run = get_object_or_404(desk, PlaybookRun.objects.select_related("account", "actor"), pk=run_id)
    if any(step.is_money for step in steps_of(run.steps)):
        access.require(desk.user, "money.view")
    return run


def get_job_for(desk: Desk, job_id: UUID) -> Job:
    """Raises Http404 for a bulk job of another account."""
    return get_object_or_404(desk, jobs.with_people(), pk=job_id)


def get_approval_for(desk: Desk, approval_id: UUID) -> Approval:
    """One's own request, or any of the account for who may decide. Raises Http404 for every other."""
    own = {} if desk.user.has_permission("approval.decide") else {"requester": desk.user}
    return get_object_or_404(desk, approvals.with_people(), pk=approval_id, **own)


def get_import_for(desk: Desk, import_id: int) -> Import:
    """Raises Http404 for an import of another account, or one whose file is still being read."""
    imports = Import.objects.select_related("account", "actor").exclude(state=Import.State.READING)
    return get_object_or_404(desk, imports, pk=import_id)

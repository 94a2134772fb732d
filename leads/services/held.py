"""Sending what was held back, once the time to take it back is over: claimed by one, read and checked again."""

import logging
from uuid import UUID

from django.utils import timezone

from accounts.models import Account, Connection, User
from accounts.services import access
from kartra_admin.lib.errors import Conflict
from leads import effects
from leads.change_permissions import PERMISSIONS
from leads.models import Operation
from leads.providers.errors import Refused
from leads.services import _operations
from leads.services.money import Changed, Whose, read_plan, read_sale, require_told
from leads.wiring import provider_for

logger = logging.getLogger(__name__)


def send_due_operations(*, only: UUID | None = None) -> int:
    """Send what was held back long enough, or just that one if it was. Gives how many were due. Safe at any time, many
    at once: each is claimed by one.
    """
    due = Operation.objects.due(timezone.now()).select_related("account", "actor", "approved_by").order_by("send_at")
    found = list(due.filter(pk=only) if only else due)
    for operation in found:
        try:
            send_held(operation)
        except Exception:  # the others are not to wait for it
            logger.exception("could not send operation %s", operation.pk)
    return len(found)


def connection_for(account: Account, person: User) -> Connection:
    """The person's own credentials for the account. Money is never moved in his name with a colleague's: to take his
    away stops what he confirmed. Raises `Conflict`."""
    own = Connection.objects.select_related("account", "user").filter(account=account, user=person)
    if connection := own.filter(user__is_active=True).first():
        return connection
    raise Conflict(f"{person} was deactivated, or no longer has credentials for the account. Nothing was sent.")


def send_held(operation: Operation) -> Operation:
    """Send what was held back long enough, if nobody else does. The sale is read again first: it may have changed."""
    if not _operations.claim(operation):
        operation.refresh_from_db()
        return operation
    try:
        connection = connection_for(operation.account, operation.actor)
        _check_again(operation, connection)
    except Exception as error:
        sentence = getattr(error, "sentence", "It could not be checked again, so it was not sent.")
        _operations.refuse(operation, sentence)
        if not hasattr(error, "sentence"):
            raise
        return operation
    return _operations.send(operation, connection)


def _check_again(operation: Operation, connection: Connection) -> None:
    """Raise AppError where the operation must not be sent any more."""
    step = operation.steps.get()
    access.require(operation.actor, PERMISSIONS[step.kind])
    whose = Whose(operation.lead_id, operation.lead_name, operation.lead_email)
    provider = provider_for(connection)
    if step.kind == "transaction.refund":
        sale = read_sale(provider, operation.account, whose, step.subject)
        why_not = sale.why_not_whose
        now = {label: sale.figures[label] for label in ("Refunded", "Left")}
    else:
        plan = read_plan(provider, operation.account, whose, step.subject)
        require_told(plan)
        why_not = plan.why_not_whose
        now = effects.state_of(step.change, plan.group.the_subscription)
    if why_not:
        raise Refused(why_not)
    if now != step.before:
        raise Changed

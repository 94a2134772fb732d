"""Work in the background. A task takes ids and calls a service; each may run twice, late, or in two workers at once.

The rows are what counts: a queued task is only a nudge at the right second, and the sweeps, once a minute, find what a
killed worker or a lost queue left behind.
"""

from uuid import UUID

from django_tasks import task
from huey import crontab
from huey.contrib.djhuey import HUEY, db_periodic_task

from leads.services import approvals, money, reconcile


@task
def send_operation(operation_id: str) -> None:
    """Send one operation whose time to take it back is over."""
    money.send_due_operations(only=UUID(operation_id))


@task
def settle_operation(operation_id: str) -> None:
    """Read for the outcome of one operation."""
    reconcile.reconcile(only_due=True, only=UUID(operation_id))


@db_periodic_task(crontab())
def send_due() -> None:
    money.send_due_operations()


@db_periodic_task(crontab())
def settle_due() -> None:
    reconcile.reconcile(only_due=True)


@db_periodic_task(crontab())
def sweep_approvals() -> None:
    """Send what its only approver let through and has cooled; close what nobody decided in time."""
    approvals.run_cooled()
    approvals.expire_old()


@db_periodic_task(crontab())
def decide_due() -> None:
    """Run what a lone approver approved and let cool, and close what nobody decided in time."""
    approvals.run_cooled()
    approvals.expire_old()


@db_periodic_task(crontab(hour="4", minute="0"))
def prune() -> None:
    """Forget what the engine keeps of each task. Nobody asks for it: what was done stands with the operation."""
    HUEY.storage.flush_results()

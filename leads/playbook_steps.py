"""What a playbook is composed of: acts, the parts in which they travel, and the ids of what was done.

A step is kept as JSON, ``{"act", "name"}``; with a run it also carries what was shown and confirmed: ``subject`` (the
subscription or the payment), ``seen`` (the digest of its figures), ``amount``, ``skipped``, which says why the step
needs no doing, and ``stopped``, which says why it was not begun.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID, uuid5

from leads.change_permissions import PERMISSIONS
from leads.providers import changes
from leads.providers.changes import Change

CANCEL, REFUND = "cancel", "refund"


@dataclass(frozen=True)
class Act:
    """``words`` name it in the form, ``order`` says it with the name; ``kind`` is that of its change; ``catalogue``
    holds the names to choose from.

    ``make`` builds the change of a step that concerns the lead itself; None for money, which has its own services.
    """

    words: str
    order: str
    kind: str
    catalogue: str = ""
    make: Callable[[str], Change] | None = None


ACTS: dict[str, Act] = {
    CANCEL: Act("Cancel subscription", "Cancel the subscription", "subscription.cancel"),
    REFUND: Act("Refund last payment", "Refund all that is left of the last payment", "transaction.refund"),
    "take-tag": Act("Remove tag", "Remove tag {name}{whose}", "tag.unassign", "tags", changes.UnassignTag),
    "give-tag": Act("Add tag", "Add tag {name}{whom}", "tag.assign", "tags", changes.AssignTag),
    "leave-list": Act(
        "Leave list", "Unsubscribe{who} from list {name}", "list.unsubscribe", "lists", changes.UnsubscribeFromList
    ),
    "leave-sequence": Act(
        "Leave sequence", "Remove{who} from sequence {name}", "sequence.unsubscribe", "sequences",
        changes.UnsubscribeFromSequence,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step of a playbook or of a run of it; see the module for what a run adds."""

    act: str
    name: str = ""
    subject: str = ""
    seen: str = ""
    amount: str = ""
    skipped: str = ""
    stopped: str = ""

    @property
    def is_money(self) -> bool:
        return ACTS[self.act].make is None

    @property
    def order(self) -> str:
        """'Remove tag vip'."""
        return self.order_for("")

    def order_for(self, person: str) -> str:
        """'Remove tag vip from Ada Moreno'."""
        whose, whom, who = (f" from {person}", f" to {person}", f" {person}") if person else ("", "", "")
        return ACTS[self.act].order.format(name=self.name, whose=whose, whom=whom, who=who)

    @property
    def permission(self) -> str:
        return PERMISSIONS[ACTS[self.act].kind]

    @property
    def change(self) -> Change:
        """What is sent for a step that concerns the lead itself. Raises ValueError for money."""
        make = ACTS[self.act].make
        if make is None:
            raise ValueError("money goes through its own services")
        return make(self.name)

    def as_json(self) -> dict[str, str]:
        return {key: value for key, value in vars(self).items() if value}


def steps_of(kept: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [Step(**step) for step in kept]


@dataclass(frozen=True)
class Part:
    """What travels in one call: a money step alone, or the neighbouring steps that concern the lead itself."""

    number: int
    first: int
    steps: tuple[Step, ...]

    @property
    def is_money(self) -> bool:
        return self.steps[0].is_money


def parts_of(steps: Sequence[Step]) -> list[Part]:
    """Depends on the acts alone, so that a part keeps its number however much of it is skipped."""
    groups = groupby(enumerate(steps), key=lambda pair: pair[0] if pair[1].is_money else "lead")
    parts = []
    for number, (_, group) in enumerate(groups):
        pairs = list(group)
        parts.append(Part(number, pairs[0][0], tuple(step for _, step in pairs)))
    return parts


def attempt_id(run_id: UUID, part: int, attempt: int) -> UUID:
    """The id of the operation of this part. The same for everybody who tries it, so that the database lets one do it.

    A further attempt has an id of its own; it is made only where the one before surely did nothing.
    """
    return uuid5(run_id, f"part {part} attempt {attempt}")

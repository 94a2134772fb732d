"""What is unusual enough for somebody to look at it: one table, read with the desk's numbers from UNUSUAL.

A finding accuses nobody. It says what there was more of than the number, within the time, for one person or one lead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from accounts import audit_actions


@dataclass(frozen=True)
class Rule:
    """``number`` of ``what`` ``within`` a time make a finding; a number of 0 switches the rule off.

    ``acts`` are the acts that are counted, with ``outcomes`` the entries of them that came to one of these. What is
    counted is marked in the audit log. ``by_lead`` counts for each lead, not each person; ``everywhere`` over all
    accounts, and what has none.
    """

    name: str
    title: str
    what: str
    number: int
    within: timedelta
    acts: tuple[str, ...]
    outcomes: tuple[str, ...] = ()
    by_lead: bool = False
    everywhere: bool = False


_REFUND = ("transaction.refund",)
_MONEY = (*_REFUND, "subscription.cancel", "subscription.pause", "subscription.resume", "subscription.edit")
_EXPORTS = ("directory.export", "report.export", "job.export", "import.export", "audit.export", "audit.pack")
_TAKEN = ("succeeded", "failed")  # one that was broken off has given some; what was refused has given nothing

RULES = (
    Rule("lead", "Many refunds to one lead", "refunds in 30 days", 4, timedelta(days=30), _REFUND, by_lead=True),
    Rule("person", "Many refunds by one person", "refunds in 24 hours", 25, timedelta(hours=24), _REFUND),
    Rule("hours", "Money moved outside working hours", "acts on money in one night", 3, timedelta(hours=12), _MONEY),
    Rule("limit", "Refunds just below the limit", "such refunds in 7 days", 4, timedelta(days=7), _REFUND),
    Rule("exports", "Many exports", "exports in 24 hours", 6, timedelta(hours=24), _EXPORTS, _TAKEN, everywhere=True),
    Rule("views", "Many leads viewed", "leads viewed in an hour", 150, timedelta(hours=1), ("lead.view",), ("viewed",)),
)
BY_NAME = {rule.name: rule for rule in RULES}

# A refund of that share of the limit per payment, or more, is just below it.
JUST_BELOW = 0.9


def is_of(rule: Rule, action: str) -> bool:
    """Whether an entry of this action is one that the rule is about."""
    return audit_actions.stem(action) in rule.acts and (not rule.outcomes or action.endswith(rule.outcomes))


def numbered(numbers: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules that are on, with these numbers in place of their own. Raises ValueError, in words, for odd ones."""
    if unknown := set(numbers) - set(BY_NAME):
        raise ValueError(f"there is no rule {', '.join(sorted(unknown))}")
    for name, number in numbers.items():
        if not (number.isascii() and number.isdecimal() and len(number) < 7):
            raise ValueError(f"{name} must be a whole number")
    rules = (replace(rule, number=int(numbers.get(rule.name, rule.number))) for rule in RULES)
    return tuple(rule for rule in rules if rule.number)

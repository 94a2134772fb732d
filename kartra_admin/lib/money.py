"""Amounts as people type them. Understood, or refused; never misread."""

import re
from decimal import Decimal

from kartra_admin.lib.errors import AppError

_PLAIN = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,2})?")
_GROUPED = re.compile(
    r"([1-9][0-9]{0,2})((?:,[0-9]{3})+)(?:\.([0-9]{2}))?|([1-9][0-9]{0,2})((?:\.[0-9]{3})+)(?:,([0-9]{2}))?"
)
_EITHER = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
CENT = Decimal("0.01")


class AmountUnclear(AppError):
    """What was typed is no amount, or could mean two."""


def parse_amount(text: str) -> Decimal:
    """A positive amount with at most two decimals: ``20``, ``19.95``, ``19,95``, ``1,000.00``, ``1.000,00``.

    Raises `AmountUnclear` for everything else. ``1.000`` and ``1,000`` are refused, since they mean one in one country
    and a thousand in another.
    """
    text = text.strip()
    if not text:
        raise AmountUnclear("Type an amount, such as 19.95. An empty amount refunds nothing.")
    if _EITHER.fullmatch(text):
        raise AmountUnclear(
            f"{text} can be read in two ways: as thousands, or with three decimals. Write thousands without a mark, "
            "such as 1000.00, and at most two decimals, such as 19.95."
        )
    if _PLAIN.fullmatch(text):
        amount = Decimal(text.replace(",", "."))
    elif match := _GROUPED.fullmatch(text):
        head, groups, cents = match.groups()[:3] if match[1] else match.groups()[3:]
        amount = Decimal(f"{head}{re.sub('[.,]', '', groups)}.{cents or '00'}")
    else:
        raise AmountUnclear("This is not an amount. Use digits and at most two decimals, such as 19.95.")
    if amount <= 0:
        raise AmountUnclear("The amount must be more than 0.00.")
    return amount.quantize(CENT)


def plain(amount: Decimal) -> str:
    """The amount as providers take it: digits, a dot, two decimals."""
    return f"{amount.quantize(CENT):f}"

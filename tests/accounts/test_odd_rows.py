"""What no form of ours would write, put into the tables past the desk: each is found, and the entry is named."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from accounts import append_only
from accounts.evidence.chain import FIELDS
from accounts.models import Account
from accounts.services import audit, checkpoints
from tests.accounts.test_chain import rewrite

pytestmark = pytest.mark.django_db

# By database, what is set in its place: ``{}`` is the column itself. Where it changes nothing, that is left out.
ANYWHERE = {
    "sqlite": (
        "CAST({} AS BLOB)", "x'ff'", "CAST(x'ff' AS TEXT)", "CAST({} || x'ff' AS TEXT)", "{} || char(0)",
        "{} || char(0) || 'x'", "{} || ' '", "' ' || {}", "{} || 'x'", "upper({}) || lower({})", "'nan'", "9e999",
        "1.5", "'20.00x'", "''", "zeroblob(3)", "hex({})", "quote({})", "7", "'a' || {}",
    ),
    "postgresql": ("NULL", "'1'", "'7.25'", "'x'", "''", "'x' || {}", "{} || ' '"),
}  # fmt: skip
OF_COLUMN = {
    "sqlite": {
        "at": (
            "{} || '+05:00'", "{} || ' BC'", "{} || 'Z'", "replace({}, ' ', 'T')", "substr({}, 1, 22)",
            "substr({}, 1, 10)", "julianday({})", "{} || '000'",
            "'-' || substr({}, 2)", "substr({}, 1, 19) || ',' || substr({}, 21)",
            "'2026-13-45 99:99:99.000000'",
        ),
        "amount": ("'20.00x'", "amount || 'x'", "amount + 0.001", "-amount", "'2e1 '", "amount || char(0) || 'x'"),
        "operation_id": (
            "upper({})", "substr({}, 1, 8) || '-' || substr({}, 9)", "'{{' || {} || '}}'", "substr({}, 1, 20)",
            "substr({}, 1, 8) || '-' || substr({}, 9, 4) || '-' || substr({}, 13, 4) || '-' || substr({}, 17, 4) || '-'"
            " || substr({}, 21)",
        ),
    },
    "postgresql": {
        "at": (
            "(({} AT TIME ZONE 'UTC')::text || ' BC')::timestamp AT TIME ZONE 'UTC'", "'infinity'", "'-infinity'",
            "{} + interval '1 microsecond'", "{} + interval '5 hours'", "'12026-01-01'",
        ),
        "amount": ("'NaN'", "{} + 0.01", "-{}", "0"),
        "operation_id": ("gen_random_uuid()",),
    },
}  # fmt: skip


# Entries that have one.
LIKELY = {"amount": [1, 3, 5, 7, 9, 11], "operation_id": [1, 2, 4, 5, 7, 8, 10, 11]}


@pytest.fixture
def log() -> list[int]:
    """Its numbers. Some are to the second, of some lead, with an amount or an operation."""
    Account.objects.create(name="The Studio", fingerprint="f" * 64)
    for number in range(1, 13):
        audit.record(
            action="transaction.refund.succeeded",
            outcome="succeeded",
            detail={"amount": "20.10"} if number % 2 else {},
            operation_id="0b0f5a3e-1111-4222-8333-9444455555ab" if number % 3 else None,  # type: ignore[arg-type]
        )
    rewrite(4, at=datetime(2026, 11, 1, 9, 30, tzinfo=UTC))
    checkpoints.sign()
    call_command("auditverify")
    append_only.lift(connection)
    return list(range(1, 13))


def found() -> str:
    """What `auditverify` says is wrong; "" where it says that nothing is."""
    try:
        call_command("auditverify")
    except CommandError as error:
        return str(error)
    return ""


def odd_values() -> Iterator[tuple[str, str]]:
    for column in (*FIELDS[1:], "hash"):
        for value in (*ANYWHERE[connection.vendor], *OF_COLUMN[connection.vendor].get(column, ())):
            yield column, value.format(*[column] * value.count("{}"))


def stored(number: int, column: str) -> object:
    kind = {"sqlite": f"typeof({column}) || quote(CAST({column} AS BLOB))", "postgresql": f"{column}::text"}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {kind[connection.vendor]} FROM accounts_auditentry WHERE id = {number}")
        return cursor.fetchone()


def put(number: int, column: str, value: str) -> bool:
    """Whether the database took it, and it is another one."""
    before = stored(number, column)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE accounts_auditentry SET {column} = {value} WHERE id = {number}")
    except DatabaseError:
        return False
    return stored(number, column) != before


def test_whatever_stands_in_a_column_is_found_and_its_entry_named(log: list[int]) -> None:
    chance, tried = random.Random(11), 0
    for column, value in odd_values():
        with transaction.atomic():
            number = chance.choice(LIKELY.get(column, log))
            if put(number, column, value):
                tried += 1
                assert found().startswith(f"Entry {number}: "), (column, value)
            transaction.set_rollback(True)
    assert found() == ""
    assert tried > (250 if connection.vendor == "sqlite" else 50), tried


@pytest.mark.parametrize("number", [3, 12])
def test_of_two_odd_ones_the_first_is_named(log: list[int], number: int) -> None:
    odd = {"sqlite": "CAST(x'ff' AS TEXT)", "postgresql": "'odd'"}[connection.vendor]
    assert put(12, "actor_name", odd)
    assert put(number, "body", odd)
    assert found().startswith(f"Entry {number}: ")


@pytest.mark.parametrize("column", ["at", "number", "count", "hash", "root", "previous", "key", "signature"])
def test_a_checkpoint_that_cannot_be_read_is_named_by_the_first_entry_it_signs(log: list[int], column: str) -> None:
    audit.record(action="session.start.failed", outcome="failed", target_name="nobody")
    checkpoints.sign()
    for value in ("x'ff'", "CAST(x'ff' AS TEXT)", "'x'", f"{column} || ' BC'", f"{column} || 'x'"):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE accounts_checkpoint SET {column} = {value} WHERE id = 2")
                assert found().startswith("Entry 13: "), value
                transaction.set_rollback(True)
        except DatabaseError:
            assert connection.vendor == "postgresql"
    assert found() == ""

"""Numbers without gaps and a chain without a break: by many processes, through rollbacks and kills; and the command."""

import errno
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.core import mail
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import anchors, append_only, subjects
from accounts.evidence import merkle
from accounts.evidence.chain import START, hash_of
from accounts.models import Account, AnchorAttempt, AuditEntry, ChainHead, Checkpoint, SigningTurn
from accounts.selectors import checkpoints as checkpoint_selectors
from accounts.selectors import evidence
from accounts.services import audit, checkpoints
from kartra_admin.settings import BASE_DIR
from tests.entries import WrittenAfterAnEntry, forget, insert_stray


def write(count: int = 1) -> AuditEntry:
    return [audit.record(action="session.start.failed", outcome="failed", target_name=f"{n}") for n in range(count)][-1]


def verified(**options: Any) -> str:
    said = StringIO()
    call_command("auditverify", stdout=said, **options)
    return said.getvalue()


def tamper(number: int, **changes: Any) -> None:
    """As somebody does who owns the database."""
    append_only.lift(connection)
    models.QuerySet.update(AuditEntry.objects.filter(pk=number), **changes)
    append_only.install(connection)


# Appending


def kill_while_it_writes(writer: subprocess.Popen[str]) -> None:
    assert writer.stdout
    for _ in range(8):
        assert writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)


@pytest.mark.django_db(transaction=True)
def test_many_processes_killed_and_rolled_back_leave_no_gap_and_no_break(settings: Settings) -> None:
    Account.objects.create(name="The Studio", fingerprint="f" * 64)
    name = str(connection.settings_dict["NAME"])
    environment = {**os.environ, "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS)}
    command = [sys.executable, "-m", "tests.accounts.appending", name]
    writers = [
        subprocess.Popen([*command, *of_one], cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True)
        for of_one in (["0"], ["1"], ["2", "24"], ["3", "24"])
    ]
    with ThreadPoolExecutor() as each:
        list(each.map(kill_while_it_writes, writers[:2]))
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [-signal.SIGKILL, -signal.SIGKILL, 0, 0]
    numbers = list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 2 * 18 + 2 * 6
    assert "are as they were written" in verified()
    assert {entry.about_id for entry in AuditEntry.objects.readable()} <= set("01234")


@pytest.mark.django_db
def test_what_rolls_back_takes_its_number_back() -> None:
    first = write()
    with transaction.atomic():
        write()
        transaction.set_rollback(True)
    assert write().pk == first.pk + 1
    assert f"{first.pk + 1} entries" in verified()


@pytest.mark.django_db
def test_something_written_after_an_entry_is_noticed_in_tests() -> None:
    with transaction.atomic():
        write()
        with pytest.raises(WrittenAfterAnEntry):
            Account.objects.update(name="Late")


@pytest.mark.django_db
def test_all_of_a_lead_is_sealed_and_the_amount_is_not() -> None:
    account = Account.objects.create(name="The Studio", fingerprint="f" * 64)
    entry = audit.record(
        action="transaction.refund.succeeded", outcome="succeeded", account=account, target_kind="lead",
        target_id="4174086", target_name="Ada Moreno <ada@example.com>", before={"Left": "20.00"},
        detail={"amount": "20.00", "reason": "Ada asked"},
    )  # fmt: skip
    row = AuditEntry.objects.values().get(pk=entry.pk)
    assert not any(word in str(row) for word in ("Ada", "ada@", "4174086", "Left"))
    assert (str(row["amount"]), row["target_id"]) == ("20.00", "")
    fresh = AuditEntry.objects.get(pk=entry.pk)
    assert (fresh.about_id, fresh.target_name, fresh.before) == ("4174086", entry.target_name, {"Left": "20.00"})
    assert fresh.subject
    forget(fresh.subject)
    fresh = AuditEntry.objects.get(pk=entry.pk)
    assert (fresh.about_id, fresh.target_name, fresh.before) == ("", "a forgotten person", None)
    assert "are as they were written" in verified()


@pytest.mark.django_db
def test_an_entry_before_the_lead_has_an_id_is_found_by_the_operation_it_became() -> None:
    account = Account.objects.create(name="The Studio", fingerprint="f" * 64)
    with pytest.raises(ValueError, match="its operation"):
        audit.record(action="lead.view.viewed", outcome="viewed", account=account, target_kind="lead")
    operation = "0b0f5a3e-1111-4222-8333-944445555566"
    entry = audit.record(
        action="lead.create.requested", outcome="requested", account=account, target_kind="lead",
        target_name="Ada", operation_id=operation,  # type: ignore[arg-type]
    )  # fmt: skip
    whole = subjects.of_lead(account.pk, "77")
    assert entry.subject
    subjects.join(entry.subject, whole)
    assert entry.subject_id in subjects.family([whole.pk])


# Verifying


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["actor_name", "body", "hash", "ip", "outcome", "subject_id"])
def test_one_changed_field_is_named(field: str) -> None:
    write(5)
    tamper(3, **{field: 9 if field == "subject_id" else "forged"})
    with pytest.raises(CommandError, match="Entry 3: its fields"):
        verified()


@pytest.mark.django_db
def test_a_removed_entry_and_a_cut_tail_are_named() -> None:
    write(5)
    append_only.lift(connection)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditentry WHERE id = 5")
        with pytest.raises(CommandError, match="Entry 5: it is missing: the head"):
            verified()
        cursor.execute("DELETE FROM accounts_auditentry WHERE id = 2")
    append_only.install(connection)
    with pytest.raises(CommandError, match="Entry 2: it is missing"):
        verified()


@pytest.mark.django_db
@pytest.mark.parametrize(("numbers", "first"), [([-3, 0, 9], -3), ([0], 0), ([4], 4), ([9, 7], 7)])
def test_an_entry_outside_the_chain_is_named(numbers: list[int], first: int) -> None:
    write(3)
    checkpoints.sign()
    for number in numbers:
        insert_stray(number)
    with pytest.raises(CommandError, match=f"Entry {first}: it is not of the chain") as refused:
        verified()
    assert refused.value.returncode == 1


@pytest.mark.django_db
def test_an_entry_before_the_chain_is_named_before_a_changed_one() -> None:
    write(3)
    tamper(1, ip="forged")
    insert_stray(9)
    with pytest.raises(CommandError, match="Entry 1: its fields"):
        verified()
    insert_stray(-1)
    with pytest.raises(CommandError, match="Entry -1: it is not of the chain"):
        verified()


@pytest.mark.django_db
def test_an_empty_log_is_whole() -> None:
    assert "0 entries" in verified()
    checkpoints.sign()
    assert "0 entries and 1 checkpoints" in verified()


def grow(upto: int) -> None:
    """The log to so many entries, a checkpoint for each two hundred."""
    entry, before = AuditEntry.objects.latest("pk"), AuditEntry.objects.latest("pk").hash
    values = {field.attname: getattr(entry, field.attname) for field in AuditEntry._meta.local_concrete_fields}
    for first in range(entry.pk + 1, upto + 1, 200):
        rows = []
        for number in range(first, min(first + 200, upto + 1)):
            row = AuditEntry(**{**values, "id": number, "body": f'{{"detail": "{number}{"x" * 500}"}}'})
            row.hash = before = hash_of(row.as_evidence(), before)
            rows.append(row)
        AuditEntry.objects.bulk_create(rows)
        ChainHead.objects.update(number=rows[-1].pk, hash=before)
        checkpoints.sign()


@pytest.mark.django_db
def test_no_query_asks_for_more_numbers_than_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a database without statistics sorts all the rest for each. A gap is crossed at once, however wide."""
    for number in range(10):
        audit.record(action="session.end.succeeded", outcome="succeeded", actor_name=str(number))
    insert_stray(10**15)
    asked: list[int] = []
    read = evidence._read

    def note(columns: str, after: int, upto: int, *limit: int) -> list[tuple[Any, ...]]:
        asked.append(upto - after)
        return read(columns, after, upto, *limit)

    monkeypatch.setattr(evidence, "_AT_ONCE", 3)
    monkeypatch.setattr(evidence, "_read", note)
    assert [fields["id"] for fields, _ in evidence.rows(upto=10**15)] == [*range(1, 11), 10**15]
    assert max(asked) == 3
    assert len(asked) <= 7


@pytest.mark.django_db(transaction=True)
def test_ten_times_the_log_is_verified_in_the_same_memory(settings: Settings) -> None:
    """20,000 of these entries held at once would be some 28 MB more."""
    environment = {**os.environ, "AUDIT_SIGNING_KEY": settings.AUDIT_SIGNING_KEY}
    command = [sys.executable, "-m", "tests.accounts.verifying", str(connection.settings_dict["NAME"])]
    peaks = []
    write()
    for count in (2_000, 20_000):
        grow(count)
        done = subprocess.run(
            command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        said, peak = done.stdout.splitlines()
        assert f"{count:,} entries" in said
        peaks.append(int(peak))
    assert peaks[1] - peaks[0] < 4 * 1024, peaks


# Checkpoints


@pytest.mark.django_db
def test_checkpoints_come_by_number_by_time_and_when_nothing_was_written(settings: Settings) -> None:
    settings.AUDIT_CHECKPOINT_ENTRIES, settings.AUDIT_CHECKPOINT_MINUTES = 3, 60
    assert checkpoints.sign_if_due()
    write(2)
    assert checkpoints.sign_if_due() is None
    write()
    by_number = checkpoints.sign_if_due()
    assert by_number
    assert (by_number.number, by_number.count) == (3, 3)
    assert by_number.root == merkle.root(AuditEntry.objects.order_by("pk").values_list("hash", flat=True))
    settings.AUDIT_CHECKPOINT_MINUTES = 0
    empty = checkpoints.sign_if_due()
    assert empty
    assert (empty.number, empty.count) == (3, 0)
    assert "3 entries and 3 checkpoints" in verified()


@pytest.mark.django_db
def test_of_two_who_sign_at_once_one_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    original = merkle.root

    def meanwhile(leaves: Any) -> str:
        monkeypatch.setattr(merkle, "root", original)
        checkpoints.sign()
        return original(leaves)

    monkeypatch.setattr(merkle, "root", meanwhile)
    assert checkpoints.sign().pk == 1
    assert Checkpoint.objects.count() == 1


@pytest.mark.django_db
def test_the_database_keeps_checkpoints_as_they_are() -> None:
    checkpoints.sign()
    for sql in ("UPDATE accounts_checkpoint SET number = 9", "DELETE FROM accounts_checkpoint"):
        with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


# Somebody who has the database and no key


def take_out_checkpoints(*, keep: int = 0) -> None:
    append_only.lift(connection)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_checkpoint WHERE id > %s", [keep])
    append_only.install(connection)


def rewrite(number: int, **changes: Any) -> None:
    """Change an entry, hash it and all after it anew, and move the head."""
    tamper(number, **changes)
    before = AuditEntry.objects.get(pk=number - 1).hash if number > 1 else START
    for entry in AuditEntry.objects.filter(pk__gte=number).order_by("pk"):
        before = hash_of(entry.as_evidence(), before)
        tamper(entry.pk, hash=before)
    ChainHead.objects.update(hash=before)


@pytest.fixture
def rewritten(settings: Settings, tmp_path: Path) -> Path:
    """A folder that holds checkpoints 1 to 4 of a log whose second entry was changed, and its checkpoints taken out."""
    settings.AUDIT_ANCHORS = [str(tmp_path)]
    for _ in range(4):
        write()
        checkpoints.sign()
        checkpoints.send_out()
    take_out_checkpoints()
    rewrite(2, ip="192.0.2.9")
    return tmp_path


@pytest.mark.django_db
def test_checkpoints_taken_out_of_the_database_are_missed_everywhere(
    rewritten: Path, settings: Settings, client_of: Callable[[str], Client]
) -> None:
    with pytest.raises(CommandError, match="Entry 1: checkpoint 1 was kept outside, of 1 entries, and is not here"):
        verified()
    settings.AUDIT_ANCHORS = []  # the note that they were sent is enough
    with pytest.raises(CommandError, match="Checkpoint 4 was sent outside, and is not here"):
        verified()
    for sign in (checkpoints.sign, checkpoints.attend):
        with pytest.raises(checkpoints.Gone, match="Checkpoint 4 of the audit log was sent out"):
            sign()
    assert not Checkpoint.objects.exists()
    assert [message.id for message in run_checks(tags=["kartra_admin"])] == ["kartra_admin.gone_checkpoint"]
    assert "and the database lost it" in client_of("admin").get("/settings/health/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("again", [1, 4, 5])
def test_a_folder_is_believed_before_the_database_about_what_it_holds(rewritten: Path, again: int) -> None:
    """The notes of what was sent are gone too, and the worker has signed the forgery."""
    AnchorAttempt.objects.all().delete()
    for _ in range(again):
        checkpoints.sign()
    checkpoints.send_out()
    assert "belongs to another log" in checkpoint_selectors.standing().failing[0].error
    assert len(list(rewritten.iterdir())) == 4
    with pytest.raises(CommandError, match="kept outside"):
        verified()


@pytest.mark.django_db
def test_a_folder_that_is_emptied_or_gone_is_no_proof(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    settings.AUDIT_ANCHORS = [str(folder)]
    write()
    assert "1 entries and 0 checkpoints are as they were written." in verified()
    checkpoints.sign()
    checkpoints.send_out()
    assert "1 of them beside what was kept outside" in verified()
    (folder / "checkpoint-00000001.json").unlink()
    with pytest.raises(CommandError, match="There are no checkpoints in"):
        verified()
    folder.rmdir()
    with pytest.raises(CommandError, match="No such file or directory"):
        verified()


@pytest.mark.django_db
def test_a_folder_that_is_there_again_is_no_longer_said_to_fail(settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_ANCHORS = [str(tmp_path / "kept")]
    (tmp_path / "kept").mkdir()
    checkpoints.sign()
    checkpoints.send_out()
    (tmp_path / "kept").rename(tmp_path / "elsewhere")
    checkpoints.send_out()
    assert "No such file" in checkpoint_selectors.standing().failing[0].error
    (tmp_path / "elsewhere").rename(tmp_path / "kept")
    checkpoints.send_out(at_once=True)
    assert checkpoint_selectors.standing().failing == []


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["folder", "mailto:auditor@example.com"])
def test_a_note_of_what_was_never_signed_is_said_and_does_not_stop_the_sending(
    place: str, settings: Settings, tmp_path: Path
) -> None:
    settings.AUDIT_ANCHORS = [str(tmp_path) if place == "folder" else place]
    key = anchors.key_of(settings.AUDIT_ANCHORS[0])
    checkpoints.sign()
    AnchorAttempt.objects.create(key=key, place=place, checkpoint_id=10**9)
    assert "It is said to have checkpoint 1000000000" in checkpoint_selectors.standing().failing[0].error
    with pytest.raises(checkpoints.Gone):
        checkpoints.sign()
    checkpoints.send_out()
    assert len(mail.outbox) + len(list(tmp_path.iterdir())) == 1
    assert AnchorAttempt.objects.latest("pk").checkpoint_id == 1
    assert checkpoint_selectors.failing_places() != []


@pytest.mark.django_db
def test_a_checkpoint_that_nobody_sends_is_said_to_be_late(settings: Settings) -> None:
    settings.AUDIT_ANCHORS = ["mailto:auditor@example.com"]
    now = timezone.now()
    with patch("django.utils.timezone.now", lambda: now - checkpoint_selectors.LATE - timedelta(seconds=1)):
        checkpoints.sign()
        assert checkpoint_selectors.failing_places() == []
    assert [(one.place, one.error) for one in checkpoint_selectors.failing_places()] == [
        ("mailto:auditor@example.com", "Checkpoint 1 has not left yet")
    ]
    checkpoints.send_out()
    assert checkpoint_selectors.failing_places() == []


@pytest.mark.django_db
def test_entries_that_nothing_signs_for_long_are_named(settings: Settings) -> None:
    settings.AUDIT_CHECKPOINT_MINUTES = 30
    now, key = timezone.now(), checkpoint_selectors.present_key()

    def at(minutes: int) -> Any:
        return patch("django.utils.timezone.now", lambda: now + timedelta(minutes=minutes))

    def write_at(minutes: int) -> None:
        rewrite(write().pk, at=now + timedelta(minutes=minutes))

    write_at(0)
    write_at(1)
    with at(59):
        assert "2 entries and 0 checkpoints" in verified()
    with at(61), pytest.raises(CommandError, match="Entry 1: nothing signs it, and there is no checkpoint"):
        verified()
    checkpoints.sign()
    with at(1000):
        assert "2 entries and 1 checkpoints" in verified()  # nothing was written meanwhile
    write_at(1000)
    write_at(1059)
    with at(1059):
        assert "4 entries" in verified()
    with at(1061), pytest.raises(CommandError, match="Entry 3: nothing signs it, since the last checkpoint"):
        verified()
    with at(9000):
        assert "4 entries" in verified(key=[key])  # last night's copy, verified elsewhere
    write_at(1061)
    with at(9000), pytest.raises(CommandError, match="Entry 3: nothing signs it"):
        verified(key=[key])


# Places outside


@pytest.mark.django_db
def test_a_folder_gets_each_once_and_proves_an_old_database(settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_ANCHORS = [str(tmp_path)]
    write(2)
    checkpoints.sign()
    checkpoints.send_out()
    write(2)
    checkpoints.sign()
    checkpoints.send_out()
    checkpoints.send_out()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-00000001.json", "checkpoint-00000002.json"]
    assert AnchorAttempt.objects.filter(error="").count() == 2
    assert "beside what was kept outside" in verified(anchors=[tmp_path])
    append_only.lift(connection)  # as it was before the last two entries
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditentry WHERE id > 2")
        cursor.execute("DELETE FROM accounts_checkpoint WHERE id > 1")
    append_only.install(connection)
    models.QuerySet.update(ChainHead.objects.all(), number=2, hash=AuditEntry.objects.get(pk=2).hash)
    with pytest.raises(CommandError, match="Entry 3: checkpoint 2 was kept outside, of 4 entries"):
        verified()
    AnchorAttempt.objects.filter(checkpoint_id=2).delete()
    settings.AUDIT_ANCHORS = []
    assert "2 entries and 1 checkpoints" in verified()
    settings.AUDIT_ANCHORS = [str(tmp_path)]
    with pytest.raises(CommandError, match="Entry 3: checkpoint 2 was kept outside, of 4 entries"):
        verified(anchors=[tmp_path])
    write()
    AnchorAttempt.objects.all().delete()
    checkpoints.sign()
    checkpoints.send_out()
    assert "another log" in AnchorAttempt.objects.get().error


def test_a_file_in_a_folder_is_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content before it gets its name, and its name before the delivery ends."""
    done: list[tuple[str, list[str]]] = []

    def sync(handle: int) -> None:
        done.append((os.readlink(f"/proc/self/fd/{handle}"), sorted(path.name for path in tmp_path.glob("*.json"))))

    monkeypatch.setattr(os, "fsync", sync)
    anchors.deliver(str(tmp_path), [{"id": 1}, {"id": 2}])
    one, two = "checkpoint-00000001.json", "checkpoint-00000002.json"
    part = f".{os.getpid()}.part"
    assert done == [
        (f"{tmp_path}/checkpoint-00000001{part}", []),
        (f"{tmp_path}/checkpoint-00000002{part}", [one]),
        (str(tmp_path), [one, two]),
    ]
    assert (tmp_path / one).read_text() == '{"id": 1}\n'


def test_a_disk_that_fails_at_the_end_is_no_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(anchors.NotDelivered, match="Input/output error"):
        anchors.deliver(str(tmp_path), [{"id": 1}])


@pytest.mark.django_db
def test_a_folder_with_junk_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There are no checkpoints"):
        verified(anchors=[tmp_path])
    for junk in ("{", "[]", "{}", '{"id": 1, "number": "x"}', '{"id": 1, "number": 5}'):
        (tmp_path / "checkpoint-00000001.json").write_text(junk)
        with pytest.raises(CommandError, match="no checkpoint"):
            verified(anchors=[tmp_path])


@pytest.mark.django_db
def test_a_mail_carries_what_has_not_left_yet(settings: Settings) -> None:
    settings.AUDIT_ANCHORS = ["mailto:auditor@example.com"]
    checkpoints.sign()
    checkpoints.sign()
    checkpoints.send_out()
    (sent,) = mail.outbox
    kept = [json.loads(line) for line in str(sent.body).splitlines() if line.startswith("{")]
    assert (sent.to, [one["id"] for one in kept]) == (["auditor@example.com"], [1, 2])


@pytest.mark.django_db
def test_a_mail_server_that_says_nothing_is_not_waited_for_long(settings: Settings) -> None:
    assert settings.EMAIL_TIMEOUT == 10
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_TIMEOUT, settings.AUDIT_ANCHORS = 0.2, ["mailto:auditor@example.com"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        checkpoints.sign()
        checkpoints.send_out()
    assert AnchorAttempt.objects.get().error == "SMTPServerDisconnected"


@pytest.mark.django_db
def test_a_worker_whose_place_is_slow_is_not_joined_by_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def slowly(place: str, rows: anchors.Checkpoints) -> None:
        sent.append([row["id"] for row in rows])
        if len(sent) == 1:
            checkpoints.attend()  # the next minute's

    monkeypatch.setattr(anchors, "deliver", slowly)
    settings.AUDIT_ANCHORS, settings.AUDIT_CHECKPOINT_MINUTES = ["mailto:auditor@example.com"], 0
    checkpoints.attend()
    assert sent == [[1]]
    checkpoints.attend()
    assert sent == [[1], [2]]


@pytest.mark.django_db
def test_who_signs_now_while_a_worker_sends_leaves_the_sending_to_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client_of: Callable[[str], Client]
) -> None:
    sent, pages, client = [], [], client_of("auditor")

    def slowly(place: str, rows: anchors.Checkpoints) -> None:
        sent.append([row["id"] for row in rows])
        if len(sent) == 1:
            pages.append(client.post(reverse("accounts:audit-sign"), follow=True).content.decode())

    monkeypatch.setattr(anchors, "deliver", slowly)
    settings.AUDIT_ANCHORS = ["mailto:auditor@example.com"]
    checkpoints.attend()
    assert sent == [[1]]
    assert "Checkpoint 2 is signed" in pages[0]
    assert "will include it within a few minutes" in pages[0]
    checkpoints.attend()
    assert sent == [[1], [2]]


@pytest.mark.django_db
def test_a_turn_that_broke_is_free_and_one_of_a_killed_worker_lapses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(checkpoints, "sign_if_due", lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            checkpoints.attend()
    checkpoints.attend()
    assert Checkpoint.objects.count() == 1
    settings.AUDIT_CHECKPOINT_MINUTES = 0
    for minutes, count in ((1, 1), (-1, 2)):
        SigningTurn.objects.update(leased_until=timezone.now() + timedelta(minutes=minutes))
        checkpoints.attend()
        assert Checkpoint.objects.count() == count


@pytest.mark.django_db
def test_two_places_with_one_label_both_get_each(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(anchors, "deliver", lambda place, rows: got.append((place, [row["id"] for row in rows])))
    long = f"mailto:{'a' * 60}@{'.'.join(['b' * 60] * 3)}."
    places = ["https://example.com/one?key=1", "https://example.com/two", f"{long}example", f"{long}invalid"]
    assert len({anchors.label(place) for place in places}) == 2
    settings.AUDIT_ANCHORS = places
    for _ in range(2):
        checkpoints.sign()
        checkpoints.send_out()
        checkpoints.send_out()
    assert got == [(place, [number]) for number in (1, 2) for place in places]


@pytest.mark.django_db
def test_a_place_that_fails_is_shown_tried_again_and_stops_nothing(
    settings: Settings, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    folder = tmp_path / "not mounted"
    settings.AUDIT_ANCHORS = [str(folder)]
    client = client_of("auditor")
    answer = client.post(reverse("accounts:audit-sign"), follow=True)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Checkpoint 1 is signed" in page
    assert "None has been sent outside yet" in page
    assert "No such file or directory" in page
    assert "are not reaching the outside places" in client.get("/").content.decode()
    assert "Sending fails" in client_of("admin").get("/settings/health/").content.decode()
    checkpoints.send_out()
    assert AnchorAttempt.objects.count() == 1  # so soon it is not tried again by itself
    folder.mkdir()
    page = client.post(reverse("accounts:audit-sign"), follow=True).content.decode()
    assert "are not reaching the outside places" not in page
    assert "One was last sent outside" in page
    assert "Signed and sent" in client_of("admin").get("/settings/health/").content.decode()
    assert len(list(folder.iterdir())) == 2
    assert AuditEntry.objects.filter(action="checkpoint.sign.requested").count() == 2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ca.pem``, which nobody knows yet, and ``server.pem`` with key, signed by it for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("authority")
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Desk test CA", "127.0.0.1")]
    now = timezone.now()
    made = []
    for name, key, extension in (
        (names[0], keys[0], x509.BasicConstraints(ca=True, path_length=0)),
        (names[1], keys[1], x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])),
    ):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=True)
        dated = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        made.append(dated.sign(keys[0], hashes.SHA256()).public_bytes(Encoding.PEM))
    secret = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ca.pem").write_bytes(made[0])
    (folder / "server.pem").write_bytes(made[1] + secret)
    return folder


class Listener(BaseHTTPRequestHandler):
    """Keeps what is posted to it, and answers with the status that its server was told."""

    server: "Place"

    def do_POST(self) -> None:
        self.server.got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


class Place(HTTPServer):
    """A place outside that speaks TLS on this machine."""

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.got: list[tuple[str, Any]] = []
        self.status = 200
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *args: Any) -> None:
        """Who does not trust the certificate hangs up."""


@pytest.fixture
def place(authority: Path) -> Iterator[Place]:
    with Place(authority / "server.pem") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.django_db
def test_an_https_address_gets_what_has_not_left_yet_over_tls_that_is_checked(
    settings: Settings, place: Place, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_ANCHORS = [f"https://127.0.0.1:{place.server_port}/hook?key=secret"]
    checkpoints.sign()
    checkpoints.sign()
    checkpoints.send_out()
    assert AnchorAttempt.objects.get().error == "ConnectError"  # nobody it trusts signed that certificate
    assert place.got == []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    place.status = 500
    checkpoints.send_out(at_once=True)
    assert AnchorAttempt.objects.latest("pk").error == "It answered 500"
    place.status = 302
    checkpoints.send_out(at_once=True)
    assert AnchorAttempt.objects.latest("pk").error == "It answered 302"  # and was not followed
    place.status = 201
    checkpoints.send_out(at_once=True)
    assert AnchorAttempt.objects.latest("pk").error == ""
    assert place.got[-1] == ("/hook?key=secret", [row.as_evidence() for row in Checkpoint.objects.order_by("pk")])
    checkpoints.sign()
    checkpoints.send_out()
    checkpoints.send_out()
    assert [[row["id"] for row in rows] for _, rows in place.got] == [[1, 2], [1, 2], [1, 2], [3]]
    assert {path for path, _ in place.got} == {"/hook?key=secret"}
    assert "secret" not in AnchorAttempt.objects.latest("pk").place


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["https://example.com:x/", "https://a..b/", "https://example.com/\x01"])
def test_an_address_that_cannot_be_used_is_noted_and_stops_nothing(
    address: str, settings: Settings, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    settings.AUDIT_ANCHORS = [address, str(tmp_path)]
    answer = client_of("auditor").post(reverse("accounts:audit-sign"), follow=True)
    assert "Checkpoint 1 is signed" in answer.content.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001.json"]
    failed, arrived = AnchorAttempt.objects.order_by("pk")
    assert (failed.key, arrived.error) == (anchors.key_of(address), "")
    assert failed.error in ("InvalidURL", "UnicodeError")


@pytest.mark.django_db
def test_a_file_that_is_no_text_is_noted_and_stops_nothing(settings: Settings, tmp_path: Path) -> None:
    spoilt, sound = tmp_path / "spoilt", tmp_path / "sound"
    spoilt.mkdir()
    sound.mkdir()
    (spoilt / "checkpoint-00000001.json").write_bytes(b"\xff\xfe")
    settings.AUDIT_ANCHORS = [str(spoilt), str(sound)]
    checkpoints.sign()
    checkpoints.send_out()
    assert "another log" in AnchorAttempt.objects.exclude(error="").get().error
    assert len(list(sound.iterdir())) == 1


def test_what_is_secret_in_an_address_is_not_shown() -> None:
    assert anchors.label("https://user:secret@example.com/hook?key=secret") == "https://example.com"

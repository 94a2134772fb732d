"""Numbers without gaps and a chain without a break: by many processes, through rollbacks and kills; and the command."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import anchors, append_only, subjects
from accounts.evidence import merkle
from accounts.models import Account, AnchorAttempt, AuditEntry, ChainHead, Checkpoint, SigningKey, SigningTurn
from accounts.services import audit, checkpoints
from kartra_admin.settings import BASE_DIR
from tests.entries import WrittenAfterAnEntry, forget, insert_stray

KEYS = ("a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=", "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=")


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


@pytest.mark.django_db(transaction=True)
def test_many_processes_killed_and_rolled_back_leave_no_gap_and_no_break(settings: Settings) -> None:
    Account.objects.create(name="The Studio", fingerprint="f" * 64)
    name = str(connection.settings_dict["NAME"])
    environment = {**os.environ, "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS)}
    command = [sys.executable, "-m", "tests.accounts.appending", name]
    writers = [
        subprocess.Popen(
            [*command, str(seed), "400" if seed < 2 else "24"],
            cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True,
        )
        for seed in range(4)
    ]  # fmt: skip
    for doomed in writers[:2]:
        assert doomed.stdout
        for _ in range(8):
            assert doomed.stdout.readline()
        doomed.send_signal(signal.SIGKILL)
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
def test_checkpoints_of_an_older_key_still_verify(settings: Settings) -> None:
    for key in KEYS:
        settings.AUDIT_SIGNING_KEY = key
        write()
        checkpoints.sign()
    old, new = SigningKey.objects.order_by("pk").values_list("public", flat=True)
    assert old != new
    assert "2 checkpoints" in verified()
    with pytest.raises(CommandError, match="a key that is not known"):
        verified(key=[new])


@pytest.mark.django_db
def test_the_database_keeps_checkpoints_as_they_are() -> None:
    checkpoints.sign()
    for sql in ("UPDATE accounts_checkpoint SET number = 9", "DELETE FROM accounts_checkpoint"):
        with pytest.raises(Exception, match="written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


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
    assert "beside what was kept outside" in verified(anchors=tmp_path)
    append_only.lift(connection)  # as it was before the last two entries
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditentry WHERE id > 2")
        cursor.execute("DELETE FROM accounts_checkpoint WHERE id > 1")
    append_only.install(connection)
    models.QuerySet.update(ChainHead.objects.all(), number=2, hash=AuditEntry.objects.get(pk=2).hash)
    assert "2 entries and 1 checkpoints" in verified()
    with pytest.raises(CommandError, match="Entry 3: checkpoint 2 was kept outside, of 4 entries"):
        verified(anchors=tmp_path)
    write()
    AnchorAttempt.objects.all().delete()
    checkpoints.sign()
    checkpoints.send_out()
    assert "another log" in AnchorAttempt.objects.get().error


@pytest.mark.django_db
def test_a_folder_with_junk_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There are no checkpoints"):
        verified(anchors=tmp_path)
    for junk in ("{", "[]", "{}", '{"id": 1, "number": "x"}', '{"id": 1, "number": 5}'):
        (tmp_path / "checkpoint-00000001.json").write_text(junk)
        with pytest.raises(CommandError, match="no checkpoint"):
            verified(anchors=tmp_path)


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
    assert "None has left the house yet" in page
    assert "No such file or directory" in page
    assert "do not leave the house" in client.get("/").content.decode()
    assert "Does not leave" in client_of("admin").get("/settings/health/").content.decode()
    checkpoints.send_out()
    assert AnchorAttempt.objects.count() == 1  # so soon it is not tried again by itself
    folder.mkdir()
    page = client.post(reverse("accounts:audit-sign"), follow=True).content.decode()
    assert "do not leave the house" not in page
    assert "One last left the house" in page
    assert "Signed and sent" in client_of("admin").get("/settings/health/").content.decode()
    assert len(list(folder.iterdir())) == 2
    assert AuditEntry.objects.filter(action="checkpoint.sign.requested").count() == 2


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

"""Whose signatures the log is proved by: the key of the settings, and what it vouches for. No row of the database."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test import Client
from pytest_django import Settings

from accounts import append_only
from accounts.evidence import checkpoints as evidence
from accounts.evidence import exported, merkle, script
from accounts.evidence.chain import START, hash_of
from accounts.models import AuditEntry, ChainHead, Checkpoint, KeyVoucher
from accounts.selectors.checkpoints import present_key
from accounts.services import audit, checkpoints, exports, packs
from tests.entries import entries_with

pytestmark = pytest.mark.django_db


FIRST, SECOND, THIRD, STRANGER = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"1", b"2", b"3", b"s"))


def public(key: str) -> str:
    return evidence.public_keys(key)[0]


def write(count: int = 2) -> None:
    for _ in range(count):
        audit.record(action="session.start.failed", outcome="failed", target_name="nobody")


def verified(**options: Any) -> str:
    said = io.StringIO()
    call_command("auditverify", stdout=said, **options)
    return said.getvalue()


def rotate() -> None:
    call_command("rotatekeys", stdout=io.StringIO())


def wrong() -> list[str | None]:
    return [message.id for message in run_checks(tags=["kartra_admin"]) if message.is_serious()]


def signed_on_top(key: str, **changes: Any) -> dict[str, Any]:
    """The checkpoint that follows the last one, signed by whoever has this key."""
    last, head = Checkpoint.objects.last(), ChainHead.objects.get()
    since = last.number if last else 0
    hashes = AuditEntry.objects.filter(pk__gt=since).order_by("pk").values_list("hash", flat=True)
    fields = {
        "id": (last.pk if last else 0) + 1, "number": head.number, "hash": head.hash,
        "at": "2026-01-01T00:00:00.000000Z", "count": head.number - since, "root": merkle.root(hashes),
        "previous": evidence.hash_of(last.as_evidence()) if last else START,
    }  # fmt: skip
    return evidence.signed_by(evidence.private_key(key), fields | changes)


def insert(checkpoint: dict[str, Any]) -> None:
    Checkpoint.objects.bulk_create([Checkpoint(**checkpoint)])


@pytest.fixture
def turned(settings: Settings) -> Settings:
    """Two checkpoints of the first key, one of the second, one of the third; the third alone is in the settings."""
    settings.AUDIT_SIGNING_KEY = FIRST
    write()
    checkpoints.sign()
    write()
    checkpoints.sign()
    for key, old in ((SECOND, FIRST), (THIRD, SECOND)):
        settings.AUDIT_SIGNING_KEY = f"{key},{old}"
        rotate()
        settings.AUDIT_SIGNING_KEY = key
    return settings


# The key comes from outside of the database


def test_a_log_written_anew_under_a_key_of_its_writer_is_refused(settings: Settings) -> None:
    """Whoever owns the database hashes everything anew, signs it, and puts his own key wherever keys stand."""
    write(5)
    checkpoints.sign()
    append_only.lift(connection)
    before = START
    for entry in AuditEntry.objects.order_by("pk"):
        forged = {**entry.as_evidence(), "ip": "192.0.2.1"}
        before = hash_of(forged, before)
        models.QuerySet.update(AuditEntry.objects.filter(pk=entry.pk), ip="192.0.2.1", hash=before)
    ChainHead.objects.update(hash=before)
    models.QuerySet.delete(Checkpoint.objects.all())
    append_only.install(connection)
    insert(signed_on_top(STRANGER))
    own, present = evidence.private_key(STRANGER), present_key()
    KeyVoucher.objects.create(**evidence.vouch(own, public(STRANGER)))
    KeyVoucher.objects.create(**{**evidence.vouch(own, public(STRANGER)), "by": present, "signature": "00" * 64})
    KeyVoucher.objects.create(older=public(STRANGER), by=present, signature="no hex")
    with pytest.raises(CommandError, match="Entry 1: checkpoint 1 is signed with a key that is not known"):
        verified()
    assert wrong() == ["kartra_admin.signing_key"]
    assert "5 entries" in verified(key=[public(STRANGER)])  # it is the key alone that is wrong with it


def test_nothing_is_signed_on_top_of_a_checkpoint_that_is_not_ours(client_of: Callable[[str], Client]) -> None:
    write()
    checkpoints.sign()
    forged = signed_on_top(STRANGER)
    insert(forged)
    with pytest.raises(checkpoints.NotOurs):
        checkpoints.sign_if_due() or checkpoints.sign()
    page = client_of("auditor").post("/audit/sign/")
    assert (page.status_code, "Checkpoint 2 of the audit log is not signed with" in page.content.decode()) == (
        422,
        True,
    )
    assert "which signed checkpoint 2, the last one" in client_of("admin").get("/settings/health/").content.decode()
    assert "Not ours" in client_of("admin").get("/settings/keys/").content.decode()
    assert Checkpoint.objects.count() == 2


def test_nothing_is_signed_on_top_of_a_false_signature() -> None:
    write()
    checkpoints.sign()
    insert({**signed_on_top(STRANGER), "key": present_key()})
    with pytest.raises(checkpoints.NotOurs):
        checkpoints.sign()
    assert wrong() == ["kartra_admin.signing_key"]


def test_another_key_without_a_turn_is_refused_at_the_start(settings: Settings) -> None:
    settings.AUDIT_SIGNING_KEY = FIRST
    write()
    checkpoints.sign()
    assert wrong() == []
    settings.AUDIT_SIGNING_KEY = SECOND
    assert wrong() == ["kartra_admin.signing_key"]
    with pytest.raises(checkpoints.NotOurs):
        checkpoints.sign()
    with pytest.raises(CommandError, match="a key that is not known"):
        verified()
    settings.AUDIT_SIGNING_KEY = f"{SECOND},{FIRST}"
    assert wrong() == []


# Turning it


def test_a_turn_is_in_the_log_and_the_present_key_alone_verifies_all(turned: Settings) -> None:
    assert [row.key for row in Checkpoint.objects.order_by("pk")] == [
        public(FIRST), public(FIRST), public(SECOND), public(THIRD)
    ]  # fmt: skip
    assert wrong() == []
    assert "4 checkpoints" in verified()
    assert "4 checkpoints" in verified(key=[public(THIRD)])
    (one,) = entries_with("keys.turn.succeeded", older=public(FIRST), newer=public(SECOND))
    assert one.sentence == f"Rotated the signing key of the log, from {public(FIRST)} to {public(SECOND)}"
    assert entries_with("keys.turn.succeeded", older=public(SECOND), newer=public(THIRD))
    rotate()
    assert AuditEntry.objects.filter(action="keys.turn.succeeded").count() == 2


def test_an_older_key_does_not_speak_for_newer_ones(turned: Settings) -> None:
    for older in (FIRST, SECOND):
        with pytest.raises(CommandError, match="a key that is not known"):
            verified(key=[public(older)])


def test_a_log_that_ends_with_an_older_key_is_refused(turned: Settings) -> None:
    """The older key may have been turned because somebody got hold of it: he cuts off what came after, and goes on."""
    append_only.lift(connection)
    models.QuerySet.delete(Checkpoint.objects.filter(pk__gt=2))
    append_only.install(connection)
    write()
    insert(signed_on_top(FIRST))
    with pytest.raises(CommandError, match="Entry 5: checkpoint 3, the last, is signed with an older key"):
        verified()
    assert "3 checkpoints" in verified(key=[public(FIRST)])


def test_the_first_signature_of_a_new_key_turns_it_too(settings: Settings) -> None:
    """Also where nobody runs `rotatekeys`: no key signs without an entry that says so."""
    settings.AUDIT_SIGNING_KEY = FIRST
    checkpoints.sign()
    settings.AUDIT_SIGNING_KEY = f"{SECOND},{FIRST}"
    made = checkpoints.sign()
    assert (made.key, made.number) == (public(SECOND), AuditEntry.objects.get(action="keys.turn.succeeded").pk)


def test_a_lost_key_is_named_by_its_public_half(settings: Settings) -> None:
    settings.AUDIT_SIGNING_KEY = FIRST
    checkpoints.sign()
    settings.AUDIT_SIGNING_KEY = f"{SECOND}, {public(FIRST).upper()}"
    rotate()
    settings.AUDIT_SIGNING_KEY = SECOND
    assert "2 checkpoints" in verified()


def test_a_key_that_never_signed_is_not_vouched_for(settings: Settings) -> None:
    settings.AUDIT_SIGNING_KEY = f"{SECOND},{STRANGER}"
    rotate()
    assert not KeyVoucher.objects.exists()


def test_a_false_voucher_does_not_keep_the_true_one_out(settings: Settings) -> None:
    settings.AUDIT_SIGNING_KEY = FIRST
    checkpoints.sign()
    KeyVoucher.objects.create(older=public(FIRST), by=public(SECOND), signature="00" * 64)
    settings.AUDIT_SIGNING_KEY = f"{SECOND},{FIRST}"
    rotate()
    settings.AUDIT_SIGNING_KEY = SECOND
    assert "2 checkpoints" in verified()


def test_vouchers_are_not_changed(turned: Settings) -> None:
    with pytest.raises(Exception, match="written once"):
        KeyVoucher.objects.update(older=public(STRANGER))


@pytest.mark.parametrize("older", ["short", "g" * 64, "ab" * 31, THIRD[:-3]])
def test_an_older_key_that_is_none_is_refused(settings: Settings, older: str) -> None:
    settings.AUDIT_SIGNING_KEY = f"{FIRST},{older}"
    assert wrong() == ["kartra_admin.audit_signing_key"]
    with pytest.raises(CommandError, match="cannot be read"):
        verified()


# Elsewhere


def exported_file(person: Any) -> bytes:
    entries = AuditEntry.objects.all()
    return b"".join(exports.export(actor=person, entries=entries, words="everything", form="ndjson"))


def test_an_export_over_two_turns_verifies_elsewhere_with_the_present_key_alone(
    turned: Settings, user_of: Callable[[str], Any], tmp_path: Path
) -> None:
    write()
    data = exported_file(user_of("auditor"))
    assert {json.loads(line)["checkpoint"]["key"] for line in data.splitlines() if b'{"checkpoint"' in line} == {
        public(FIRST), public(SECOND), public(THIRD)
    }  # fmt: skip
    (tmp_path / "verify.py").write_text(script.source())
    (tmp_path / "log.ndjson").write_bytes(data)
    (tmp_path / "keys.txt").write_text(packs.keys_text())
    command = [sys.executable, "-I", "verify.py", "log.ndjson", "keys.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert exported.read_keys(str(tmp_path / "keys.txt")) == [public(THIRD)]
    assert f"# {public(FIRST)}\n" in packs.keys_text()
    for key in (FIRST, SECOND, STRANGER):
        (tmp_path / "keys.txt").write_text(public(key))
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "signed with another key" in done.stdout) == (1, True)


def test_an_export_ends_with_the_present_key_whatever_it_vouches_for(
    turned: Settings, user_of: Callable[[str], Any]
) -> None:
    """A file made with an older key that got about, with the vouchers of a true file in its header."""
    turned.AUDIT_SIGNING_KEY = f"{FIRST},{SECOND},{THIRD}"
    data = exported_file(user_of("auditor"))
    with pytest.raises(exported.Bad, match="the end: signed with another key"):
        exported.Reader([public(THIRD)]).read(io.BytesIO(data))


@pytest.mark.parametrize("vouchers", [7, [7], [{}], [{"by": [], "older": "", "signature": ""}], {"by": 1}])
def test_vouchers_that_are_none_are_told(
    turned: Settings, user_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, vouchers: object
) -> None:
    monkeypatch.setattr(exports, "vouchers", lambda: vouchers)
    with pytest.raises(exported.Bad, match=r"line \d+: (cannot be read|checkpoint 1: signed with another key)"):
        exported.Reader([public(THIRD)]).read(io.BytesIO(exported_file(user_of("auditor"))))

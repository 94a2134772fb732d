"""Exports and evidence packs: what is in them, that they verify elsewhere, and that whatever was changed is named."""

import csv
import gc
import hashlib
import io
import itertools
import json
import random
import re
import subprocess
import sys
import tracemalloc
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import append_only
from accounts.evidence import chain, checkpoints, exported, merkle, script
from accounts.evidence.exported import Bad, Reader
from accounts.models import Account, AuditEntry, ChainHead, Checkpoint, User
from accounts.selectors import exports as selectors
from accounts.selectors.checkpoints import present_key
from accounts.services import audit, exports, packs
from accounts.services import checkpoints as signing
from kartra_admin.lib.errors import AppError
from tests.accounts.test_chain import rewrite
from tests.conftest import SignIn
from tests.entries import append, entries_about, entries_with, forget, insert_stray

pytestmark = pytest.mark.django_db
UserOf = Callable[[str], User]
JANE = {"target_kind": "lead", "target_id": "4174091", "target_name": "Jane Smith <jane@example.com>"}


@pytest.fixture
def auditor(client_of: SignIn) -> Client:
    return client_of("auditor")


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(name="The Studio", fingerprint="f" * 64)


def tell(account: Account | None = None, **given: Any) -> AuditEntry:
    return audit.record(
        **{"action": "tag.assign.succeeded", "outcome": "succeeded", "account": account, **JANE, **given}
    )


@pytest.fixture
def log(account: Account, user_of: UserOf) -> Account:
    """Ada's and Jane's entries, the desk's own, with checkpoints between them."""
    for number in range(7):
        tell(account, before={"Tags": "a"}, after={"Tags": f"a, {number}é"}, detail={"subject": f"tag {number}"})
        tell(account, target_id="77", target_name="Ada Moreno", actor=user_of("agent"), operation_id=uuid.UUID(int=9))
        audit.record(action="staff.edit.succeeded", outcome="succeeded", target_name="=1+1", actor=user_of("agent"))
        if number % 3 == 0:
            signing.sign()
    return account


def body(answer: HttpResponse) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer)


def exported_by(client: Client, form: str = "ndjson", **query: object) -> bytes:
    return body(client.get(reverse("accounts:audit-export", args=[form]), query))


def verify(data: bytes, keys: list[str] | None = None) -> exported.Found:
    return Reader([present_key()] if keys is None else keys).read(io.BytesIO(data))


def told(data: bytes) -> list[dict[str, Any]]:
    """The lines of entries, their fields by name."""
    rows = [row for line in data.splitlines() if "entry" in (row := json.loads(line))]
    return [{**row, "entry": dict(zip(exported.FIELDS, row["entry"], strict=True))} for row in rows]


def alone(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """The script, in a folder of its own, without what is installed beside it being ours."""
    return subprocess.run(
        [sys.executable, "-I", "verify.py", *names], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def elsewhere(tmp_path: Path, auditor: Client) -> Path:
    (tmp_path / "verify.py").write_bytes(auditor.get(reverse("accounts:audit-verifier")).content)
    return tmp_path


def test_an_export_of_everything_verifies_without_the_desk(log: Account, auditor: Client, elsewhere: Path) -> None:
    data = exported_by(auditor)
    (elsewhere / "log.ndjson").write_bytes(data)
    (elsewhere / "keys.txt").write_bytes(auditor.get(reverse("accounts:audit-keys")).content)
    done = alone(elsewhere, "log.ndjson", "keys.txt")
    assert (done.returncode, done.stderr) == (0, "")
    count = len(told(data))
    assert f"GOOD  {count} entries of {settings.SITE_URL}, everything" in done.stdout
    assert "none is missing" in done.stdout
    assert f"{count} proved by" in done.stdout
    assert "accounts" not in {line.split()[1] for line in script.source().splitlines() if line.startswith("from ")}


def test_rows_are_as_they_are_stored_with_the_opened_form_beside(log: Account, auditor: Client) -> None:
    rows = told(exported_by(auditor))
    for row in rows:
        entry = AuditEntry.objects.get(pk=row["entry"]["id"])
        before = row["entry"].pop("previous")
        assert row["entry"] == entry.as_evidence()
        assert row["hash"] == entry.hash == chain.hash_of(row["entry"], before)
        assert row["opened"] == {"sentence": entry.sentence, "told": entry.told}
    jane = next(row for row in rows if row["opened"]["told"]["target_id"] == "4174091")
    assert "Jane" not in json.dumps(jane["entry"])
    assert jane["opened"]["told"]["after"] == {"Tags": "a, 0é"}


def test_a_filter_leaves_gaps_and_each_entry_still_has_its_own_hash(log: Account, auditor: Client) -> None:
    data = exported_by(auditor, lead="jane@example.com")
    found = verify(data)
    assert [row["opened"]["told"]["target_id"] for row in told(data)] == ["4174091"] * 7
    assert (found.entries, found.missing) == (7, 12)
    assert found.proved == 7


def test_last_month_is_exported_and_verified_elsewhere(auditor: Client, elsewhere: Path) -> None:
    """From its first moment to its last, by the clock of the desk, amid checkpoints that sign what lies around it."""
    end = timezone.localtime().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last_day = end - timedelta(days=1)
    begin = last_day.replace(day=1)
    moment = timedelta(microseconds=1)
    times = (begin - timedelta(days=40), begin - moment, begin, begin + timedelta(days=9), end - moment, end)
    numbers = []
    for at in times:
        numbers.append(append(at=at, action="lead.view").pk)
        if at.day == 10:
            signing.sign()
    _, _, first, _, last, _ = numbers
    data = exported_by(auditor, since=f"{begin:%Y-%m-%d}", until=f"{last_day:%Y-%m-%d}")
    assert [row["entry"]["id"] for row in told(data)] == numbers[2:5]
    (elsewhere / "keys.txt").write_bytes(auditor.get(reverse("accounts:audit-keys")).content)
    (elsewhere / "month.ndjson").write_bytes(data)
    done = alone(elsewhere, "month.ndjson", "keys.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"GOOD  3 entries of {settings.SITE_URL}, From: {begin:%Y-%m-%d}, To: {last_day:%Y-%m-%d}, " in done.stdout
    assert f"numbers {first} to {last}, none is missing" in done.stdout
    assert "3 proved by 2 signed checkpoints" in done.stdout
    for place, begins, line, number in lines_of_entries(data):
        at = begins + line.index(b"lead.view")
        (elsewhere / "month.ndjson").write_bytes(data[:at] + b"h" + data[at + 1 :])
        done = alone(elsewhere, "month.ndjson", "keys.txt")
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == f"BAD  line {place}: entry {number}: is not what its hash was made of\n"


@pytest.mark.parametrize("at_once", [1, 2, 10_000])
def test_a_rewritten_entry_is_found_in_a_filtered_export_though_later_ones_are_signed(
    log: Account, auditor: Client, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Whoever wrote it hashed it, and all after it, anew; and the desk goes on signing what comes. Named
    is the first of the file that was signed together with it."""
    monkeypatch.setattr(exports, "_PROVED_AT_ONCE", at_once)
    assert verify(exported_by(auditor, lead="jane@example.com")).proved == 7
    jane = [row["entry"]["id"] for row in told(exported_by(auditor, lead="jane@example.com"))]
    bad = AuditEntry.objects.filter(pk__in=jane).order_by("pk")[2]
    append_only.lift(connection)
    rewrite(bad.pk, ip="192.0.2.9")
    for _ in range(3):
        tell(log)
        signing.sign()
    with pytest.raises(Bad, match=f"entry {jane[1]}: its proof does not lead to checkpoint"):
        verify(exported_by(auditor, lead="jane@example.com"))


def test_what_left_by_mail_finds_an_old_log_and_another_one_on_the_desk_and_without_it(
    log: Account, auditor: Client, elsewhere: Path, settings: Any
) -> None:
    settings.AUDIT_ANCHORS = ["mailto:auditor@example.com"]
    (elsewhere / "keys.txt").write_bytes(auditor.get(reverse("accounts:audit-keys")).content)
    (elsewhere / "old.ndjson").write_bytes(exported_by(auditor))
    signed = Checkpoint.objects.count()
    old = AuditEntry.objects.get(pk=Checkpoint.objects.latest("pk").number)
    for _ in range(2):
        tell(log)
        signing.sign()
        signing.send_out()
    kept = elsewhere / "mails.txt"
    kept.write_text("\r\n".join(f"Subject: {sent.subject}\r\n\r\n{sent.body}" for sent in mail.outbox), newline="")
    (elsewhere / "new.ndjson").write_bytes(exported_by(auditor))
    for name in ("old", "new"):  # the older one was made before what was kept
        done = alone(elsewhere, f"{name}.ndjson", "keys.txt", "mails.txt")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert f"beside {signed + 2} checkpoints that were kept outside" in done.stdout
    call_command("auditverify", anchors=[kept])

    append_only.lift(connection)  # as it was before those two, from a backup, without a note of what was sent
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_auditentry WHERE id > %s", [old.pk])
        cursor.execute("DELETE FROM accounts_checkpoint WHERE id > %s", [signed])
        cursor.execute("DELETE FROM accounts_anchorattempt")
    ChainHead.objects.update(number=old.pk, hash=old.hash)
    (elsewhere / "restored.ndjson").write_bytes(exported_by(auditor))
    assert alone(elsewhere, "restored.ndjson", "keys.txt").returncode == 0
    done = alone(elsewhere, "restored.ndjson", "keys.txt", "mails.txt")
    assert done.returncode == 1
    assert re.search(rf"line 1: checkpoint {signed + 1}, of \d+ entries, was kept outside", done.stdout)
    with pytest.raises(CommandError, match=f"Entry [0-9]+: checkpoint {signed + 1} was kept outside"):
        call_command("auditverify", anchors=[kept])

    for _ in range(4):  # and goes on
        tell(log)
        signing.sign()
    (elsewhere / "restored.ndjson").write_bytes(exported_by(auditor))
    done = alone(elsewhere, "restored.ndjson", "keys.txt", "mails.txt")
    assert (done.returncode, "kept outside" in done.stdout) == (1, True)
    kept.write_text("{}")
    assert "BAD  mails.txt: holds something" in alone(elsewhere, "new.ndjson", "keys.txt", "mails.txt").stdout


def test_a_file_that_leaves_entries_unproved_is_not_called_good(
    log: Account, auditor: Client, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As older desks made them: of a filtered file only the last entry has a proof."""
    monkeypatch.setattr(exports, "_to_prove", lambda scope, *rest: [scope.last])
    (elsewhere / "log.ndjson").write_bytes(exported_by(auditor, lead="jane@example.com"))
    (elsewhere / "keys.txt").write_bytes(auditor.get(reverse("accounts:audit-keys")).content)
    done = alone(elsewhere, "log.ndjson", "keys.txt")
    assert (done.returncode, "GOOD" in done.stdout) == (3, False)
    assert re.match(r"PART  [1-6] of 7 entries", done.stdout)


def test_an_export_of_nothing_verifies(log: Account, auditor: Client) -> None:
    assert verify(exported_by(auditor, lead="nobody@example.com")).entries == 0


def test_an_export_ends_with_the_chain_whatever_stands_beyond(log: Account, auditor: Client) -> None:
    for number in (-1, AuditEntry.objects.count() + 50):
        insert_stray(number)
    for form in ("ndjson", "csv"):
        head, signed = ChainHead.objects.get().number, Checkpoint.objects.count()
        data = exported_by(auditor, form)
        assert Checkpoint.objects.count() <= signed + 1
        if form == "ndjson":
            assert verify(data).entries == len(told(data)) == head
        else:
            assert [row[0] for row in csv.reader(data.decode("utf-8-sig").splitlines())][1:] == [
                str(number + 1) for number in range(head)
            ]


def test_what_the_chain_does_not_reach_is_never_signed_for(log: Account) -> None:
    beyond = ChainHead.objects.get().number + 1
    insert_stray(beyond)
    signed = Checkpoint.objects.count()
    with pytest.raises(AppError, match=f"Entry {beyond} is beyond the end.*run auditverify"):
        exports.sign_upto(beyond)
    assert Checkpoint.objects.count() == signed


def test_what_a_forgotten_person_was_told_of_is_not_exported(log: Account, auditor: Client) -> None:
    subject = entries_about("4174091")[0].subject
    assert subject
    forget(subject)
    data = exported_by(auditor)
    assert verify(data).entries == len(told(data)) > 20
    assert not any(value in data for value in (b"Jane", b"jane@", b"4174091", b"tag 3"))
    assert not any(value in exported_by(auditor, "csv") for value in (b"Jane", b"jane@", b"4174091", b"tag 3"))


# One byte, anywhere.


def test_a_byte_edited_anywhere_is_told_with_its_line(log: Account, auditor: Client) -> None:
    data = exported_by(auditor)
    verify(data)
    rng = random.Random(5)
    for _ in range(400):
        at = rng.randrange(len(data))
        forged = bytearray(data)
        forged[at] = rng.choice([byte for byte in range(256) if byte != data[at]])
        with pytest.raises(Bad) as bad:
            verify(bytes(forged))
        line = data[:at].count(b"\n") + 1
        assert str(bad.value).startswith(f"line {line}: "), (at, bad.value)


@pytest.mark.parametrize("field", [*chain.FIELDS, "previous"])
def test_an_edited_field_names_the_entry_though_the_sums_were_made_anew(
    log: Account, auditor: Client, field: str
) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if number_of(line) == 8)
    row = json.loads(lines[place])
    row["entry"][exported.FIELDS.index(field)] = 9 if field in ("id", "subject_id", "account_id", "actor_id") else "f"
    lines[place] = resummed(row)
    with pytest.raises(Bad, match=r"line \d+: entry 8: "):
        verify(b"".join(lines))


def number_of(line: bytes) -> int | None:
    row = json.loads(line)
    return row["entry"][1] if "entry" in row else None


def resummed(row: dict[str, Any], *, rehash: bool = False) -> bytes:
    """The line of this row, as somebody who knows the format would forge it."""
    row.pop("sum", None)
    if "entry" in row:
        text = json.dumps(row["entry"], separators=(",", ":"))
        if rehash:
            row["hash"] = hashlib.sha256(text.encode()).hexdigest()
        rest = json.dumps({name: row[name] for name in ("hash", "proof", "opened")}, separators=(",", ":"))
        line = f'{{"entry":{text},{rest[1:-1]}'
    else:
        line = json.dumps(row, separators=(",", ":"))[:-1]
    return f'{line},"sum":"{hashlib.sha256(line.encode()).hexdigest()}"}}\n'.encode()


def test_a_rewritten_entry_is_found_at_the_next_one(log: Account, auditor: Client) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if number_of(line) == 8)
    row = json.loads(lines[place])
    row["entry"][exported.FIELDS.index("actor_name")] = "Somebody Else"
    lines[place] = resummed(row, rehash=True)
    with pytest.raises(Bad, match="entry 9: does not follow the entry before it"):
        verify(b"".join(lines))


def test_the_last_entry_rewritten_does_not_lead_to_its_checkpoint(log: Account, auditor: Client) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    row = json.loads(lines[-2])
    row["entry"][exported.FIELDS.index("actor_name")] = "Somebody Else"
    lines[-2] = resummed(row, rehash=True)
    with pytest.raises(Bad, match=f"entry {row['entry'][1]}: "):
        verify(b"".join(lines))


def test_what_is_told_beside_an_entry_cannot_be_changed_with_its_sum(log: Account, auditor: Client) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    sealed = next(n for n, line in enumerate(lines) if b"Jane" in line)
    clear = next(n for n, line in enumerate(lines) if b'"target_name":"=1+1"' in line)
    for place, said in ((sealed, "the end: this is not the file"), (clear, "what is told of it is not what it says")):
        forged, row = list(lines), json.loads(lines[place])
        row["opened"]["told"]["target_name"] = "Mary"
        forged[place] = resummed(row)
        with pytest.raises(Bad, match=said):
            verify(b"".join(forged))


def test_entries_cut_out_swapped_doubled_or_cut_off_are_named(log: Account, auditor: Client) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if number_of(line) == 5)
    after = lines[place + 1]
    for forged, said in (
        ([*lines[:place], *lines[place + 1 :]], "entry 5: is missing"),
        ([*lines[:place], after, lines[place], *lines[place + 2 :]], "entry 5: is missing"),
        ([*lines[: place + 1], *lines[place:]], "entry 5: stands after entry 5"),
        (lines[:place], "the file ends here, where entry 5 should stand"),
        (lines[:-2], f"the file ends here, where entry {len(told(b''.join(lines)))} should stand"),
        (lines[:-1], "the file ends here, where the end of the file should stand"),
        ([*lines, lines[-1]], "there is more after the end"),
        (lines[1:], "the header should stand here"),
        ([], "the file ends here, where the header should stand"),
    ):
        with pytest.raises(Bad, match=said):
            verify(b"".join(forged))


def test_checkpoints_swapped_forged_or_signed_by_another_are_named(log: Account, auditor: Client) -> None:
    data = exported_by(auditor)
    lines = data.splitlines(keepends=True)
    places = [n for n, line in enumerate(lines) if line.startswith(b'{"checkpoint"')]
    first, second = places[:2]
    swapped = list(lines)
    swapped[first], swapped[second] = lines[second], lines[first]
    with pytest.raises(Bad, match=r"entry 1: the checkpoint that covers it is missing"):
        verify(b"".join(swapped))
    checkpoint = json.loads(lines[second])["checkpoint"]
    for change, said in (
        ({"hash": "0" * 64}, "its signature is false"),
        ({"root": "0" * 64}, "its signature is false"),
        ({"number": checkpoint["number"] + 1}, "its signature is false"),
    ):
        forged = [*lines[:second], resummed({"checkpoint": {**checkpoint, **change}}), *lines[second + 1 :]]
        with pytest.raises(Bad, match=f"line {second + 1}: checkpoint {checkpoint['id']}: {said}"):
            verify(b"".join(forged))
    mine = Ed25519PrivateKey.generate()
    own = checkpoints.signed_by(mine, {name: checkpoint[name] for name in checkpoints.SIGNED})
    forged = [*lines[:second], resummed({"checkpoint": own}), *lines[second + 1 :]]
    with pytest.raises(Bad, match="signed with another key than those given"):
        verify(b"".join(forged))
    with pytest.raises(Bad, match="signed with another key than those given"):
        verify(data, [checkpoints.public_key(mine)])


# What the log says of it.


def entries_of(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_an_export_is_in_the_log_with_its_filter_its_count_and_its_hash(
    log: Account, auditor: Client, user_of: UserOf, form: str
) -> None:
    data = exported_by(auditor, form, lead="jane@example.com", action="tag.assign", since="2020-01-01")
    asked, done = entries_of("audit.export.requested")[-1], entries_of("audit.export.succeeded")[-1]
    words = "Action: Add tag, Lead or person: not shown here, From: 2020-01-01"
    assert asked.detail == {"filters": words, "format": form.upper(), "rows": 7}
    assert done.detail == {**asked.detail, "sha256": hashlib.sha256(data).hexdigest()}
    for entry in (asked, done):
        assert entry.actor_id == user_of("auditor").pk
        assert (entry.ip, entry.request_id) == ("127.0.0.1", asked.request_id)
        assert "jane" not in entry.body.lower()


def test_a_download_that_is_broken_off_is_told_as_that(log: Account, auditor: Client) -> None:
    answer = auditor.get(reverse("accounts:audit-export", args=["ndjson"]))
    stream = answer.streaming_content  # type: ignore[attr-defined]
    taken = [next(stream) for _ in range(8)]
    assert entries_of("audit.export.succeeded") == []
    for close in answer._resource_closers:  # as the server does when nobody takes any more
        close()
    (failed,) = entries_of("audit.export.failed")
    given = sum(line.startswith(b'{"entry"') for line in taken)
    assert given - 1 <= failed.detail["rows"] <= given
    assert failed.outcome == "failed"
    assert "sha256" not in failed.detail
    assert failed.request_id == entries_of("audit.export.requested")[0].request_id


def test_a_download_that_nobody_takes_writes_nothing_when_memory_is_tidied(log: Account, auditor: Client) -> None:
    """It would do so amid whatever query is running, on the same connection, and wait for itself."""
    auditor.get(reverse("accounts:audit-export", args=["ndjson"]))
    gc.collect()
    assert entries_of("audit.export.failed") == []


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_download_that_is_left_before_its_first_line_is_told_as_that(
    log: Account, auditor: Client, form: str
) -> None:
    answer = auditor.get(reverse("accounts:audit-export", args=[form]))
    assert entries_of("audit.export.failed") == []
    for close in answer._resource_closers:
        close()
    (failed,) = entries_of("audit.export.failed")
    assert failed.detail["rows"] == 0
    assert not entries_of("audit.export.succeeded")


@pytest.mark.parametrize(
    "url",
    [
        "ndjson/?outcome=maybe", "csv/?person=999999", "ndjson/?since=2024-02-02&until=2024-02-01",
        "ndjson/?operation=x", "xlsx/", "csv/?action=no.such",
    ],
)  # fmt: skip
def test_forged_filters_are_refused_and_logged(log: Account, auditor: Client, url: str) -> None:
    before = AuditEntry.objects.count()
    answer = auditor.get(f"/audit/export/{url}")
    assert answer.status_code == 400
    assert "nothing was exported" in answer.content.decode()
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")[before:]] == ["audit.export.denied"]


def test_csv_is_safe_to_open(log: Account, auditor: Client) -> None:
    tell(log, target_name="@SUM(1)", before={"Note": "=HYPERLINK(1)"}, after={"Note": "+1"}, detail={"subject": "-2"})
    data = exported_by(auditor, "csv").decode()
    rows = list(csv.DictReader(io.StringIO(data.removeprefix("\ufeff"), newline="")))
    assert len(rows) == AuditEntry.objects.get(action="audit.export.requested").pk - 1
    assert {row["About"] for row in rows} >= {"'=1+1", "'@SUM(1)", JANE["target_name"]}
    assert rows[-1]["Before"] == "Note: =HYPERLINK(1)"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row.values())


def test_an_entry_that_somebody_spoilt_goes_out_as_it_is_and_is_found(log: Account, auditor: Client) -> None:
    spoilt = AuditEntry.objects.get(pk=4)
    append_only.lift(connection)
    models.QuerySet.update(AuditEntry.objects.filter(pk=4), body="no JSON é", subject=None)
    append_only.install(connection)
    data = exported_by(auditor)
    assert spoilt.hash.encode() in data
    with pytest.raises(Bad, match="entry 4: is not what its hash was made of"):
        verify(data)


def test_a_stale_sign_in_is_asked_again(client_of: SignIn) -> None:
    stale = client_of("auditor", stale=True)
    for url in ("/audit/export/csv/", "/audit/1/evidence/", f"/audit/operation/{uuid.uuid4()}/evidence/"):
        assert stale.get(url)["Location"].startswith("/sign-in/again/")
    assert not AuditEntry.objects.filter(action__startswith="audit.").exists()


def test_the_export_asks_for_what_it_gives_a_few_hundred_at_a_time(
    log: Account, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            exported_by(auditor)
        return len(seen)

    few = queries()
    for number in range(60):
        tell(log, target_id=str(number))
    assert queries() == few  # with a new checkpoint as before
    monkeypatch.setattr(selectors, "AT_ONCE", 20)
    answer = auditor.get(reverse("accounts:audit-export", args=["ndjson"]))
    with CaptureQueriesContext(connection) as seen:
        lines = answer.streaming_content  # type: ignore[attr-defined]
        while not next(lines).startswith(b'{"entry"'):
            pass
    read = [query["sql"] for query in seen if "LIMIT 20" in query["sql"] and "accounts_auditentry" in query["sql"]]
    assert len(read) == 1
    list(lines)


def test_reading_and_writing_take_no_more_memory_for_more(db: None) -> None:
    key = Ed25519PrivateKey.generate()

    def peak(count: int) -> int:
        tracemalloc.start()
        reader = Reader([checkpoints.public_key(key)])
        assert reader.read(made_up(key, count)).proved == count
        peaked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peaked

    peak(10)
    assert peak(5000) < peak(500) + 20_000


def made_up(key: Ed25519PrivateKey, count: int) -> Iterator[bytes]:
    """A file of that many entries, each with its own checkpoint."""
    writer, before, previous = exported.Writer(), chain.START, chain.START
    header = {"desk": "", "about": "", "at": "", "first": 1, "last": count, "count": count}
    yield writer.header(header).encode()
    for number in range(1, count + 1):
        fields: dict[str, Any] = {**dict.fromkeys(chain.FIELDS), "id": number, "body": "{}"}
        own = chain.hash_of(fields, before)
        signed = {"id": number, "number": number, "hash": own, "at": "", "count": 1, "root": merkle.root([own])}
        checkpoint = checkpoints.signed_by(key, {**signed, "previous": previous})
        previous = checkpoints.hash_of(checkpoint)
        yield writer.checkpoint(checkpoint).encode()
        yield writer.entry(fields, before, own, proof=None, sentence="", told="{}").encode()
        before = own
    yield writer.end(key).encode()


# Packs.


def unpacked(answer: HttpResponse, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(body(answer))) as pack:
        assert pack.testzip() is None
        assert set(pack.namelist()) == {"entries.ndjson", "verify.py", "public-keys.txt", "report.html"}
        pack.extractall(folder)
    return folder


@pytest.fixture
def pack(log: Account, auditor: Client, tmp_path: Path) -> Path:
    entry = entries_about("4174091")[2]
    return unpacked(auditor.get(reverse("accounts:audit-pack", args=[entry.pk])), tmp_path / "pack")


def check(pack: Path) -> subprocess.CompletedProcess[str]:
    return alone(pack, "entries.ndjson", "public-keys.txt")


def test_a_pack_of_a_lead_holds_that_lead_alone_each_entry_with_its_proof(pack: Path) -> None:
    rows = told((pack / "entries.ndjson").read_bytes())
    assert {row["opened"]["told"]["target_id"] for row in rows} == {"4174091"}
    assert len(rows) == 7
    assert all(isinstance(row["proof"], list) for row in rows)
    done = check(pack)
    assert (done.returncode, done.stderr) == (0, "")
    assert "GOOD  7 entries" in done.stdout
    assert "7 proved by" in done.stdout
    report = (pack / "report.html").read_text()
    assert report.count("<article>") == 7
    for text in ("Jane Smith &lt;jane@example.com&gt;", "a, 3é", "verify.py entries.ndjson public-keys.txt", "4174091"):
        assert text in report
    assert "Ada Moreno" not in report + (pack / "entries.ndjson").read_text()
    assert not any(sign in report for sign in ("<script", "src=", "href=", "url(", "@import"))


def test_a_pack_is_in_the_log_sealed_as_the_lead_is(log: Account, auditor: Client) -> None:
    entry = entries_about("4174091")[0]
    data = body(auditor.get(reverse("accounts:audit-pack", args=[entry.pk])))
    made = entries_about("4174091").last()
    assert made is not None
    assert (made.action, made.subject_id) == ("audit.pack.succeeded", entry.subject_id)
    assert made.detail == {"about": "one lead", "rows": 7, "sha256": hashlib.sha256(data).hexdigest()}
    assert "Jane" not in made.body


def test_a_pack_of_an_operation_holds_its_entries(log: Account, auditor: Client, tmp_path: Path) -> None:
    operation = uuid.UUID(int=9)
    url = reverse("accounts:audit-pack-operation", args=[operation])
    pack = unpacked(auditor.get(url), tmp_path / "pack")
    assert {row["entry"]["operation_id"] for row in told((pack / "entries.ndjson").read_bytes())} == {str(operation)}
    assert check(pack).returncode == 0
    assert entries_with("audit.pack.succeeded", about=f"operation {operation}", rows=7)


def test_a_pack_of_an_entry_about_no_lead_holds_it_alone(log: Account, auditor: Client, tmp_path: Path) -> None:
    entry = AuditEntry.objects.filter(action="staff.edit.succeeded")[0]
    pack = unpacked(auditor.get(reverse("accounts:audit-pack", args=[entry.pk])), tmp_path / "pack")
    assert [row["entry"]["id"] for row in told((pack / "entries.ndjson").read_bytes())] == [entry.pk]
    assert check(pack).returncode == 0


def test_a_pack_of_a_forgotten_person_proves_and_tells_nothing(log: Account, auditor: Client, tmp_path: Path) -> None:
    entry = entries_about("4174091")[0]
    assert entry.subject
    forget(entry.subject)
    pack = unpacked(auditor.get(reverse("accounts:audit-pack", args=[entry.pk])), tmp_path / "pack")
    assert check(pack).returncode == 0
    text = (pack / "report.html").read_text() + (pack / "entries.ndjson").read_text()
    assert "a forgotten person" in text
    assert not any(value in text for value in ("Jane", "jane@", "4174091", "tag 3"))


def test_markup_in_a_pack_is_text(log: Account, auditor: Client, tmp_path: Path) -> None:
    name = "<img src=x onerror=go()>"
    entry = tell(log, target_id="5", target_name=name, before={name: name}, after={}, detail={"subject": name})
    pack = unpacked(auditor.get(reverse("accounts:audit-pack", args=[entry.pk])), tmp_path / "pack")
    report = (pack / "report.html").read_text()
    assert "<img" not in report
    assert "&lt;img src=x onerror=go()&gt;" in report


def test_a_byte_edited_in_a_pack_is_told(pack: Path) -> None:
    data, rng = (pack / "entries.ndjson").read_bytes(), random.Random(6)
    for name in ("report.html", "verify.py"):
        other = bytearray((pack / name).read_bytes())
        other[-1] ^= 1
        with pytest.raises(Bad, match=name):
            changed(pack, name, bytes(other))
    for _ in range(200):
        at = rng.randrange(len(data))
        forged = bytearray(data)
        forged[at] ^= 1 << rng.randrange(8)
        with pytest.raises(Bad, match=f"^line {data[:at].count(10) + 1}: "):
            verify(bytes(forged))
    number = told(data)[4]["entry"]["id"]
    (pack / "entries.ndjson").write_bytes(data.replace(b",%d," % number, b",%d," % (number + 1), 1))
    done = check(pack)
    assert (done.returncode, done.stderr) == (1, "")
    assert f": entry {number}: is not what its hash was made of" in done.stdout


@pytest.fixture(params=["whole", "filtered", "pack"])
def file(request: pytest.FixtureRequest, log: Account, auditor: Client) -> bytes:
    """One of each kind; the last two leave entries out."""
    if request.param == "pack":
        answer = auditor.get(reverse("accounts:audit-pack", args=[entries_about("4174091")[2].pk]))
        return zipfile.ZipFile(io.BytesIO(body(answer))).read("entries.ndjson")
    return exported_by(auditor, **({"lead": "jane@example.com"} if request.param == "filtered" else {}))


def said_of(file: bytes, at: int, put: bytes, cut: int = 1) -> str:
    """What the verifier says once these bytes stand at this place, instead of ``cut`` that did."""
    with pytest.raises(Bad) as bad:
        verify(file[:at] + put + file[at + cut :])
    return str(bad.value)


def lines_of_entries(file: bytes) -> list[tuple[int, int, bytes, int]]:
    """Of each line of an entry: its place, where it begins, its text and the entry's number."""
    found, begins = [], 0
    for place, line in enumerate(file.splitlines(keepends=True), start=1):
        if number := number_of(line):
            found.append((place, begins, line, number))
        begins += len(line)
    return found


def test_whatever_byte_of_an_entry_is_edited_its_line_and_its_number_are_told(file: bytes) -> None:
    rng, lines = random.Random(8), lines_of_entries(file)
    for place, begins, line, number in (lines[3], lines[-1]):
        for at in range(len(line) - 1):
            put = rng.choice([byte for byte in range(32, 127) if byte != line[at]])
            said = said_of(file, begins + at, bytes([put]))
            assert said.startswith(f"line {place}: entry {number}: "), (line[max(0, at - 9) : at + 9], chr(put), said)


def test_an_edited_number_is_told_as_it_was(file: bytes) -> None:
    """The sum of the line says which it was, however many of its digits are others."""
    lines = lines_of_entries(file)
    for place, begins, line, number in (lines[1], lines[3], lines[-1]):
        at, old = begins + line.index(b",%d," % number), b",%d," % number
        puts = [old[:byte] + bytes([put]) + old[byte + 1 :] for byte in range(len(old)) for put in range(32, 127)]
        for put in {*puts, b",,", b",1%d," % number, b",%d0," % number, b",77,", b",-%d," % number} - {old}:
            assert said_of(file, at, put, len(old)).startswith(f"line {place}: entry {number}: "), put


def test_a_number_that_is_lost_is_told_by_the_one_before_unless_the_file_has_no_gaps(file: bytes) -> None:
    lines = lines_of_entries(file)
    is_whole = len(lines) == lines[-1][3]
    for (*_, before), (place, begins, line, number) in itertools.pairwise(lines[:-1]):
        cut = len(b"%d" % number) + 3
        said = said_of(file, begins + line.index(b",%d," % number), b"x" * cut, cut)
        name = f"entry {number}" if is_whole else f"the entry after {before}"
        assert said == f"line {place}: {name}: cannot be read"


def test_an_edited_line_that_is_no_entry_is_not_told_as_one(file: bytes) -> None:
    begins, names = 0, {b'{"h': "the header", b'{"c': "a checkpoint", b'{"e': "the end of the file"}
    for place, line in enumerate(file.splitlines(keepends=True), start=1):
        if not line.startswith(b'{"entry"'):
            for at in range(9):
                said = said_of(file, begins + at, b"x")
                assert said == f"line {place}: cannot be read as {names[line[:3]]}", line[:20]
        begins += len(line)


def changed(pack: Path, name: str, data: bytes) -> None:
    """As it is said of a pack in which this file is another; it is put back."""
    own = (pack / name).read_bytes()
    (pack / name).write_bytes(data)
    try:
        exported.check_files(json.loads((pack / "entries.ndjson").read_text().splitlines()[0])["header"], str(pack))
    finally:
        (pack / name).write_bytes(own)


def test_a_forged_proof_is_named(pack: Path) -> None:
    lines = (pack / "entries.ndjson").read_bytes().splitlines(keepends=True)
    places = [n for n, line in enumerate(lines) if line.startswith(b'{"entry"')]
    proofs = [json.loads(lines[n])["proof"] for n in places]
    rows = [json.loads(lines[n]) for n in places]
    number = rows[1]["entry"][1]
    for proof in ([], proofs[1][:-1], proofs[1][::-1], [["L", "0" * 64]], [["L", "no hex"]], "x", proofs[2]):
        forged = [*lines[: places[1]], resummed({**rows[1], "proof": proof}), *lines[places[1] + 1 :]]
        with pytest.raises(Bad, match=rf"line {places[1] + 1}: entry {number}: (its proof|cannot be read)"):
            verify(b"".join(forged))
    rows[1]["entry"][exported.FIELDS.index("actor_name")] = "Somebody Else"
    forged = [*lines[: places[1]], resummed(rows[1], rehash=True), *lines[places[1] + 1 :]]
    with pytest.raises(Bad, match=f"entry {number}: its proof does not lead to checkpoint"):
        verify(b"".join(forged))


def test_another_key_and_no_key_and_no_file_are_said(pack: Path) -> None:
    other = checkpoints.public_key(Ed25519PrivateKey.generate())
    (pack / "other.txt").write_text(f"# not theirs\n{other}\n")
    (pack / "junk.txt").write_text("no key\n")
    wrong = alone(pack, "entries.ndjson", "other.txt")
    assert (wrong.returncode, "signed with another key" in wrong.stdout) == (1, True)
    for names in (("entries.ndjson", "junk.txt"), ("none.ndjson", "other.txt"), ("entries.ndjson",)):
        done = alone(pack, *names)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert done.stderr


@pytest.mark.parametrize(
    "url", ["/audit/99999999/evidence/", "/audit/0/evidence/", f"/audit/operation/{uuid.UUID(int=404)}/evidence/"]
)
def test_there_is_no_pack_of_nothing(log: Account, auditor: Client, url: str) -> None:
    before = AuditEntry.objects.count()
    answer = auditor.get(url)
    assert answer.status_code == 422
    assert "nothing to prove" in answer.content.decode()
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")[before:]] == ["audit.pack.denied"]


def test_a_pack_is_bounded(log: Account, auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MOST", 6)
    answer = auditor.get(reverse("accounts:audit-pack", args=[entries_about("4174091")[0].pk]))
    assert answer.status_code == 422
    assert "7 entries about this, and a pack takes 6" in answer.content.decode()


def test_a_lead_of_another_account_is_not_in_the_pack(log: Account, auditor: Client, tmp_path: Path) -> None:
    other = Account.objects.create(name="Elsewhere", fingerprint="e" * 64)
    entry = tell(other, target_name="Another Person")
    pack = unpacked(auditor.get(reverse("accounts:audit-pack", args=[entry.pk])), tmp_path / "pack")
    rows = told((pack / "entries.ndjson").read_bytes())
    assert [row["opened"]["told"]["target_name"] for row in rows] == ["Another Person"]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 64, 100])
def test_proofs_of_many_are_those_of_each(count: int) -> None:
    leaves = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    found = merkle.proofs(iter(leaves), range(0, count, 2))
    assert set(found) == set(range(0, count, 2))
    for place, proof in found.items():
        assert merkle.is_proved(leaves[place], proof, merkle.root(leaves))
        assert not merkle.is_proved(leaves[place - 1], proof, merkle.root(leaves)) or count == 1

"""Exports and evidence packs: what is in them, that they verify elsewhere, and that whatever was changed is named."""

import hashlib
import io
import json
import random
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.evidence import chain, checkpoints, exported, script
from accounts.evidence.exported import Bad, Reader
from accounts.models import Account, AuditEntry, User
from accounts.selectors.exports import public_keys
from accounts.services import audit
from accounts.services import checkpoints as signing
from tests.conftest import SignIn
from tests.entries import entries_about, forget

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
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


def exported_by(client: Client, form: str = "ndjson", **query: object) -> bytes:
    return body(client.get(reverse("accounts:audit-export", args=[form]), query))


def verify(data: bytes, keys: list[str] | None = None) -> exported.Found:
    return Reader(public_keys() if keys is None else keys).read(io.BytesIO(data))


def told(data: bytes) -> list[dict[str, Any]]:
    return [row for line in data.splitlines() if "entry" in (row := json.loads(line))]


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
    assert found.proved < 7


def test_an_export_of_nothing_verifies(log: Account, auditor: Client) -> None:
    assert verify(exported_by(auditor, lead="nobody@example.com")).entries == 0


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
    place = next(n for n, line in enumerate(lines) if '"id":8,' in line.decode())
    row = json.loads(lines[place])
    row["entry"][field] = 9 if field in ("id", "subject_id", "account_id", "actor_id") else "f" * 64
    lines[place] = resummed(row)
    with pytest.raises(Bad, match=r"line \d+: entry 8: "):
        verify(b"".join(lines))


def resummed(row: dict[str, Any], *, rehash: bool = False) -> bytes:
    """The line of this row, as somebody who knows the format would forge it."""
    row.pop("sum", None)
    if "entry" in row:
        text = json.dumps(row["entry"], sort_keys=True, separators=(",", ":"))
        if rehash:
            row["hash"] = hashlib.sha256(text.encode()).hexdigest()
        rest = json.dumps({name: row[name] for name in ("hash", "proof", "opened")}, separators=(",", ":"))
        line = f'{{"entry":{text},{rest[1:-1]}'
    else:
        line = json.dumps(row, separators=(",", ":"))[:-1]
    return f'{line},"sum":"{hashlib.sha256(line.encode()).hexdigest()}"}}\n'.encode()


def test_a_rewritten_entry_is_found_at_the_next_one(log: Account, auditor: Client) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if '"id":8,' in line.decode())
    row = json.loads(lines[place])
    row["entry"]["actor_name"] = "Somebody Else"
    lines[place] = resummed(row, rehash=True)
    with pytest.raises(Bad, match="entry 9: does not follow the entry before it"):
        verify(b"".join(lines))


def test_the_last_entry_rewritten_does_not_lead_to_its_checkpoint(log: Account, auditor: Client) -> None:
    lines = exported_by(auditor).splitlines(keepends=True)
    row = json.loads(lines[-2])
    row["entry"]["actor_name"] = "Somebody Else"
    lines[-2] = resummed(row, rehash=True)
    with pytest.raises(Bad, match=f"entry {row['entry']['id']}: "):
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
    place = next(n for n, line in enumerate(lines) if '"id":5,' in line.decode())
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

"""Entries get gapless numbers, what they tell of leads is sealed, and each is chained to the one before it."""

import hashlib
import hmac
import json
from datetime import UTC
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import django.db.models.deletion
from cryptography.fernet import Fernet
from django.core.serializers.json import DjangoJSONEncoder
from django.db import migrations, models

from accounts import append_only, seals
from accounts.evidence.chain import FIELDS, START, hash_of
from kartra_admin.lib import folding
from kartra_admin.lib.crypto import Keyring

AT_ONCE = 500
KEPT = 1000


def install(apps, schema_editor):
    append_only.install(schema_editor.connection)


def lift(apps, schema_editor):
    append_only.lift(schema_editor.connection)


def seal_and_chain(apps, schema_editor):
    entries = apps.get_model("accounts", "AuditEntry").objects
    head, number = START, 0
    book = Book(apps)
    last = 0
    while rows := list(entries.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        for row in rows:
            last, number = row.pk, number + 1
            told = {
                "target_id": row.target_id,
                "target_name": row.target_name,
                "before": row.before,
                "after": row.after,
                "detail": row.detail,
            }
            subject = book.subject_of(row)
            if subject:
                book.learn(subject, row.target_name)
            fields = {name: getattr(row, name) for name in FIELDS if name != "subject_id"}
            fields |= {
                "id": number,
                "subject_id": subject,
                "target_id": "" if subject else row.target_id,
                "amount": amount_of(row.detail.get("amount")),
                "body": book.seal(subject, json.dumps(told, cls=DjangoJSONEncoder, separators=(",", ":")), number),
            }
            head = hash_of(
                fields
                | {
                    "at": row.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
                    "operation_id": str(row.operation_id) if row.operation_id else None,
                    "amount": None if fields["amount"] is None else f"{fields['amount']:.2f}",
                },
                head,
            )
            # Numbers only get smaller, in order, so none is taken.
            entries.filter(pk=row.pk).update(**fields, hash=head)
    apps.get_model("accounts", "ChainHead").objects.create(pk=1, number=number, hash=head)


def amount_of(text):
    try:
        amount = Decimal(str(text))
        return round(amount, 2) if abs(amount) < Decimal("1e10") else None
    except InvalidOperation:
        return None


class Book:
    """The subjects of the entries, as `accounts.subjects` finds and makes them."""

    def __init__(self, apps):
        self.subjects = apps.get_model("accounts", "Subject").objects
        self.terms = apps.get_model("accounts", "SubjectTerm").objects
        self.index = apps.get_model("accounts", "IndexKey").objects
        self.entries = apps.get_model("accounts", "AuditEntry").objects
        # Of the last few people only, for there may be a hundred thousand.
        self.found_or_made = lru_cache(KEPT)(self._found_or_made)
        self.ring_of = lru_cache(KEPT)(self._ring_of)

    def digest(self, text):
        if not hasattr(self, "key"):
            if not self.index.exists():
                made = seals.keyring().seal(Fernet.generate_key().decode(), bound_to=seals.of_index())
                self.index.create(pk=1, sealed_key=made)
            self.key = seals.keyring().open(self.index.get().sealed_key, bound_to=seals.of_index()).encode()
        return hmac.digest(self.key, text.encode(), hashlib.sha256).hex()

    def subject_of(self, row):
        if row.target_kind != "lead" or not (row.target_id and row.account_id or row.operation_id):
            return None
        if row.target_id and row.account_id:
            return self.found_or_made(f"lead:{row.account_id}:{row.target_id}")
        part = self.found_or_made(f"operation:{row.operation_id}")
        whole = self.entries.filter(operation_id=row.operation_id, target_kind="lead", account_id=row.account_id)
        whole = whole.exclude(target_id="").first()
        if whole:
            self.subjects.filter(pk=part).update(part_of_id=self.subject_of(whole))
        return part

    def _found_or_made(self, name):
        digest = self.digest(name)
        found = self.subjects.filter(digest=digest).first()
        if found is None:
            key = Fernet.generate_key().decode()
            sealed = seals.keyring().seal(key, bound_to=seals.of_subject())
            found = self.subjects.create(digest=digest, sealed_key=sealed)
        return found.pk

    def _ring_of(self, subject):
        sealed = self.subjects.get(pk=subject).sealed_key
        return Keyring([seals.keyring().open(sealed, bound_to=seals.of_subject())])

    def seal(self, subject, text, number):
        return self.ring_of(subject).seal(text, bound_to=f"entry:{number}") if subject else text

    def learn(self, subject, text):
        words = set()
        for part in text.split():
            bare = part.strip("<>()[],;")
            words |= {folding.email_word(bare)} if "@" in bare else set(folding.split(bare))
        for word in sorted(words - {""}):
            self.terms.get_or_create(subject_id=subject, digest=self.digest(f"term:{word}"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_subjects")]

    operations = [
        migrations.RunPython(lift, install),
        migrations.CreateModel(
            name="ChainHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField()),
                ("hash", models.CharField(max_length=64)),
            ],
        ),
        migrations.AlterField("auditentry", "id", models.BigIntegerField(primary_key=True, serialize=False)),
        migrations.AddField(
            "auditentry",
            "subject",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="entries",
                to="accounts.subject",
            ),
        ),
        migrations.AddField("auditentry", "amount", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
        migrations.AddField("auditentry", "body", models.TextField(default=""), preserve_default=False),
        migrations.AddField("auditentry", "hash", models.CharField(default="", max_length=64), preserve_default=False),
        migrations.RunPython(seal_and_chain),
        migrations.RemoveField("auditentry", "target_name"),
        migrations.RemoveField("auditentry", "before"),
        migrations.RemoveField("auditentry", "after"),
        migrations.RemoveField("auditentry", "detail"),
        migrations.AddIndex("auditentry", models.Index(fields=["subject_id", "id"], name="accounts_audit_subject")),
        migrations.RunPython(install, lift),
    ]

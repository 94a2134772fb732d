"""The log gets words to be found by, filters that people keep, and an index for each filter."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_checkpoints")]

    operations = [
        migrations.CreateModel(
            name="AuditTerm",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "digest", "entry_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.BigIntegerField()),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="terms",
                        to="accounts.auditentry",
                    ),
                ),
                (
                    "subject",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.subject",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["subject"],
                        condition=models.Q(subject__isnull=False),
                        name="accounts_term_subject",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(blank=True, max_length=2000)),
                ("is_shared", models.BooleanField(default=False)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "name"), name="accounts_saved_filter_name"),
                ],
            },
        ),
        migrations.AddIndex("auditentry", models.Index(fields=["account_id", "id"], name="accounts_audit_account")),
        migrations.AddIndex("auditentry", models.Index(fields=["ip", "id"], name="accounts_audit_ip")),
        migrations.AddIndex(
            "auditentry",
            models.Index(
                fields=["id", "amount"], condition=models.Q(amount__isnull=False), name="accounts_audit_amount"
            ),
        ),
    ]

"""Tell a replayed request from another one; start with limits and reasons that an admin may change."""

from decimal import Decimal

from django.db import migrations, models

REASONS = ["Late access", "Not as expected", "Bought twice", "Technical trouble", "Goodwill"]
# role: for one refund, a day, on one lead in 30 days, how many a day
LIMITS = {"support": (100, 300, 200, 10), "manager": (1000, 3000, 2000, 50)}


def fill(apps, schema_editor):
    Reason, Limit = apps.get_model("leads", "Reason"), apps.get_model("leads", "Limit")
    for position, text in enumerate(REASONS):
        Reason.objects.get_or_create(text=text, defaults={"position": position})
    for role, (one, day, lead, count) in LIMITS.items():
        amounts = {"per_transaction": Decimal(one), "per_day": Decimal(day), "per_lead": Decimal(lead)}
        Limit.objects.get_or_create(role=role, person=None, defaults={**amounts, "count_per_day": count})


class Migration(migrations.Migration):
    dependencies = [("leads", "0002_money")]

    operations = [
        migrations.AddField(
            "approval", "request_digest", models.CharField(default="", max_length=64), preserve_default=False
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]

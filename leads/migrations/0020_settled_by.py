"""What an outcome rests on was told by 'reading' or a name; a settled step says now which of three it is, and who."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SETTLED = ("succeeded", "failed")


def fill(apps, schema_editor):
    """Who decided is named by the entry of the log that was written with the decision."""
    steps = apps.get_model("leads", "OperationStep").objects
    entries = apps.get_model("accounts", "AuditEntry").objects
    decided = steps.filter(outcome__in=SETTLED).exclude(settled_by__in=("", "reading"))
    for step in decided.only("operation_id", "kind", "outcome", "settled_by"):
        told = entries.filter(operation_id=step.operation_id, action=f"{step.kind}.{step.outcome}")
        entry = told.filter(actor_id__isnull=False, actor_name=step.settled_by[:100]).order_by("id").last()
        steps.filter(pk=step.pk).update(
            settled_by="person" if entry else "answer",  # which came late, after the decision
            decided_by_id=entry.actor_id if entry else None,
        )
    steps.filter(outcome__in=SETTLED, settled_by="").update(settled_by="answer")
    steps.exclude(outcome__in=SETTLED).exclude(settled_by="").update(settled_by="")


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_first_factor'),
        ('leads', '0019_run_held'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='operationstep',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='operationstep',
            name='settled_by',
            field=models.CharField(blank=True, choices=[('answer', 'the answer to the call, or the certainty that it never left'), ('reading', 'a reading of what stands there now'), ('person', 'a person, with a reason')], max_length=7),
        ),
        migrations.AddConstraint(
            model_name='operationstep',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('settled_by', ''), _negated=True), ('outcome__in', ('succeeded', 'failed'))), models.Q(models.Q(('outcome__in', ('succeeded', 'failed')), _negated=True), ('settled_by', '')), _connector='OR'), name='leads_step_settled_by'),
        ),
        migrations.AddConstraint(
            model_name='operationstep',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', False), ('settled_by', 'person')), models.Q(models.Q(('settled_by', 'person'), _negated=True), ('decided_by', None)), _connector='OR'), name='leads_step_decided_by'),
        ),
    ]

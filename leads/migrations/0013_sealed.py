import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_subjects"), ("leads", "0012_health")]

    operations = [
        migrations.AddField(
            model_name='approval',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='approval',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='event',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='event',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='import',
            name='key_name',
            field=models.UUIDField(default=uuid.uuid4, editable=False),
        ),
        migrations.AddField(
            model_name='import',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='import',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='importrow',
            name='email_digest',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='importrow',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='importrow',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='job',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='job',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='joblead',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='joblead',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='note',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='note',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='operation',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='operation',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='operationstep',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='operationstep',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='playbookrun',
            name='is_closed',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='playbookrun',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='playbookrun',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
        migrations.AddField(
            model_name='recent',
            name='sealed',
            field=models.TextField(default='', editable=False),
        ),
        migrations.AddField(
            model_name='recent',
            name='whose',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.subject'),
        ),
    ]

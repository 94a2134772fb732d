"""What was taken back is 'withdrawn' of everything, not 'recalled' here and 'taken' there."""

from django.db import migrations, models


def rename(apps, schema_editor):
    apps.get_model("leads", "Approval").objects.filter(status="recalled").update(status="withdrawn")
    apps.get_model("leads", "Forgetting").objects.filter(state="taken").update(state="withdrawn")


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0021_words'),
    ]

    operations = [
        migrations.RunPython(rename, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='approval',
            name='status',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('cooling', 'Cooling off'), ('approved', 'Approved'), ('declined', 'Declined'), ('withdrawn', 'Taken back'), ('expired', 'Expired')], default='waiting', max_length=10),
        ),
        migrations.AlterField(
            model_name='forgetting',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('withdrawn', 'Taken back'), ('done', 'Forgotten')], default='waiting', max_length=10),
        ),
    ]

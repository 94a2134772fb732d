"""Nothing tells when a lead was first met."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0024_among_many'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='entry',
            name='met_at',
        ),
    ]

"""What is open, held or money is found among very many operations, on SQLite too."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0013_withdrawn'),
        ('leads', '0023_not_taken'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='operation',
            name='leads_operation_unsettled',
        ),
        migrations.RemoveIndex(
            model_name='operation',
            name='leads_operation_held',
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('outcome', 'pending'), ('outcome', 'unknown'), _connector='OR'), fields=['account', 'created_at'], name='leads_operation_unsettled'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('outcome', 'held')), fields=['account', 'send_at'], name='leads_operation_held'),
        ),
        migrations.AddIndex(
            model_name='operationstep',
            index=models.Index(condition=models.Q(('lock', ''), _negated=True), fields=['kind', 'operation'], name='leads_step_money'),
        ),
    ]

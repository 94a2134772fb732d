"""Digests of bulk jobs were unkeyed: whoever guessed name, acts and leads of a small one could confirm an email."""

from django.db import migrations


def clear(apps, schema_editor):
    """They told a form that was sent twice, which is over for these."""
    apps.get_model("leads", "Job").objects.update(request_digest="")


class Migration(migrations.Migration):
    dependencies = [("leads", "0017_event_acts")]

    operations = [migrations.RunPython(clear, migrations.RunPython.noop)]

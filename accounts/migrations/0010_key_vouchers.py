from django.db import migrations, models

from accounts import append_only


def install(apps, schema_editor):
    append_only.install(schema_editor.connection)


class Migration(migrations.Migration):
    """A public key was trusted for standing in a table; now the present key vouches for those before it.

    Which keys signed stands in the checkpoints themselves. An older one is not vouched for here, for who put it there is
    not known: its owner names it once behind the present one in ``AUDIT_SIGNING_KEY``.
    """

    dependencies = [
        ("accounts", "0009_anchors"),
    ]

    operations = [
        migrations.DeleteModel(name="SigningKey"),
        migrations.CreateModel(
            name="KeyVoucher",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("older", models.CharField(max_length=64)),
                ("by", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=128, unique=True)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.RunPython(install, migrations.RunPython.noop),
    ]

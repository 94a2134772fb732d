from django.db import migrations, models


class Migration(migrations.Migration):
    """Attempts are known by their place, no longer by its label. Those made before are dropped: whose they were is not
    known, and each place gets once more what it may have."""

    dependencies = [
        ("accounts", "0008_using_the_log"),
    ]

    operations = [
        migrations.DeleteModel(name="AnchorAttempt"),
        migrations.CreateModel(
            name="AnchorAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("place", models.CharField(max_length=200)),
                ("checkpoint_id", models.BigIntegerField()),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("error", models.CharField(default="", max_length=300)),
            ],
            options={
                "indexes": [models.Index(fields=["key", "id"], name="accounts_anchor_place")],
            },
        ),
        migrations.CreateModel(
            name="SigningTurn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("leased_until", models.DateTimeField()),
            ],
        ),
    ]

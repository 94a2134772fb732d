"""Bind the seals of second factors to whose they are, so that none opens in somebody else's row."""

from typing import Any

from django.db import migrations

from accounts import seals

_FIELDS = ("secret", "seed")


def bind(apps: Any, schema_editor: Any) -> None:
    """Raises `SealBroken` where a key is missing, without which nothing starts either."""
    for row in apps.get_model("mfa", "Authenticator").objects.exclude(type="webauthn").order_by("pk"):
        for field in filter(row.data.get, _FIELDS):
            opened = seals.keyring().open(row.data[field], bound_to="second factor")
            row.data[field] = seals.keyring().seal(opened, bound_to=f"second factor:{row.user_id}")
        row.save(update_fields=["data"])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_withdrawn"), ("mfa", "0003_authenticator_type_uniq")]

    operations = [migrations.RunPython(bind)]

"""The tests' settings, with Django's admin to compare with, and a database of its own."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, MIDDLEWARE, TEMPLATES  # noqa: F401  (for what reads this)

INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin"]
DATABASES["default"]["TEST"] = {
    "NAME": f"{DATABASES['default']['NAME']}_bench".replace(".sqlite3_bench", "_bench.sqlite3")
}

"""The product's settings for tests: fast hashing, plain static files, the sandbox, nothing beyond loopback."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("DEMO", "true")
os.environ["KARTRA_API_URL"] = "sandbox:"
os.environ["KARTRA_CALLS_PER_SECOND"] = "5000"
if "DATA_DIR" not in os.environ:
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="kartra-admin-tests-")
    atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)
data = Path(os.environ["DATA_DIR"])
worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if worker and data.name != worker:  # workers share no file
    data = data / worker
os.environ["DATA_DIR"] = str(data)
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{data / 'db.sqlite3'}"
os.environ["CACHE_URL"] = os.environ.get("TEST_CACHE_URL") or "locmemcache://"

from kartra_admin.settings import *  # noqa: E402, F403

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, since threads cannot share a database in memory without sharing its one connection and transaction.
    DATABASES["default"]["TEST"] = {"NAME": str(data / "test.sqlite3")}  # noqa: F405
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"  # noqa: F405
else:
    DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"  # noqa: F405
    del DATABASES["default"]["OPTIONS"]["pool"]  # noqa: F405  (its connections outlive a test; tests/leads/test_pool.py has one)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True  # asks the disk when a file is wanted, instead of listing all for each test client

# Nothing runs behind a test's back: what is queued is only listed, by `django_tasks.default_task_backend.results`.
TASKS = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend", "QUEUES": []}}
HUEY = {"huey_class": "huey.MemoryHuey", "immediate": False}

"""The WSGI entry point that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.db import connections

from kartra_admin import checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kartra_admin.settings")

application = get_wsgi_application()
checks.refuse_unsound()
connections.close_all()  # this thread serves nobody

"""``manage.py worker``: do the background work until told to end. Any number may run, on one machine or several."""

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from huey.consumer_options import ConsumerConfig


class Command(BaseCommand):
    help = "Send what was held back, settle what is in doubt. SIGTERM lets what runs end first."

    def handle(self, *args: Any, **options: Any) -> None:
        from huey.contrib.djhuey import HUEY  # late: this opens the queue

        from leads import tasks  # noqa: F401  (registers)

        config = ConsumerConfig(**settings.HUEY["consumer"])
        config.validate()
        logging.getLogger(__name__).info("The worker is ready")
        HUEY.create_consumer(**config.values).run()

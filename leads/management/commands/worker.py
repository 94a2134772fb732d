"""``manage.py worker``: do the background work until told to end. Any number may run, on one machine or several."""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from huey.consumer_options import ConsumerConfig

from leads.services import _queue
from leads.services.bulk import slots

# By then nobody holds any more what a worker held that was killed just now.
AGAIN = slots.LEASE + timedelta(seconds=5)


class Command(BaseCommand):
    help = "Send what was held back, settle what is in doubt. SIGTERM lets what runs end first."

    def handle(self, *args: Any, **options: Any) -> None:
        from huey.contrib.djhuey import HUEY  # late: this opens the queue

        from accounts import tasks as account_tasks  # noqa: F401  (registers)
        from leads import tasks  # noqa: F401  (registers)

        config = ConsumerConfig(**settings.HUEY["consumer"])
        config.validate()
        for after in (timedelta(0), AGAIN):
            _queue.look_for_work(after)
        logging.getLogger(__name__).info("The worker is ready")
        HUEY.create_consumer(**config.values).run()

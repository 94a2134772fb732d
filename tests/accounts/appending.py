"""``python -m tests.accounts.appending NAME SEED [COUNT]``: a process that writes to the log of that database.

It does COUNT transactions of one to three entries, every fourth of which it rolls back, and prints a line after each.
Without a COUNT it goes on until it is killed.
"""

import itertools
import os
import random
import sys
from uuid import uuid4

import django


def main(name: str, seed: str, count: str = "") -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = name
    django.setup()
    from django.db import transaction

    from accounts.models import Account
    from accounts.services import audit

    chance = random.Random(seed)
    account = Account.objects.get()
    for number in range(int(count)) if count else itertools.count():
        lead = str(chance.randrange(5))
        try:
            with transaction.atomic():
                for _ in range(chance.randint(1, 3)):
                    audit.record(
                        action="lead.view.viewed", outcome="viewed", account=account, operation_id=uuid4(),
                        target_kind="lead", target_id=lead, target_name=f"Lead {lead} <{lead}@example.com>",
                    )  # fmt: skip
                if number % 4 == 3:
                    raise InterruptedError
        except InterruptedError:
            pass
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""``python -m tests.accounts.verifying NAME``: a process that verifies the log of that database.

It prints what `auditverify` says, and the most memory that it ever held, in KiB.
"""

import os
import sys
from pathlib import Path

import django


def main(name: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = name
    django.setup()
    from django.core.management import call_command

    call_command("auditverify")
    # Not `resource.getrusage`: what that says begins with the size of the process that started this one.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(f"{peak.split()[1]}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Who may call the sandbox. Made-up values for the demo, known to everybody and no secrets."""

from typing import NamedTuple


class Account(NamedTuple):
    """A made-up Kartra account."""

    name: str
    api_key: str
    api_password: str


APP_ID = "SANDBOXAPP"

ACCOUNTS = (
    Account("Kiln & Clay Studio", "sandbox-key-kiln-and-clay", "sandbox-pass-kiln-and-clay"),
    Account("Second Sparrow Bindery", "sandbox-key-second-sparrow", "sandbox-pass-second-sparrow"),
)

# Credentials that are refused, each with the number it is answered.
CLOSED_ACCOUNT = Account("Closed Kiln", "sandbox-key-closed-kiln", "sandbox-pass-closed-kiln")  # 204
SWITCHED_OFF_APP = "SANDBOXAPP-OFF"  # 239
SUSPENDED_APP = "SANDBOXAPP-SUSPENDED"  # 240, its developer's account is not active
FENCED_APP = "SANDBOXAPP-FENCED"  # 242, open to FENCED_IP only
FENCED_IP = "203.0.113.9"
READING_APP = "SANDBOXAPP-READING"  # 262 on every command that writes

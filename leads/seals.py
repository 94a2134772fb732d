"""What the product seals beside credentials, what each seal is bound to, and that it moves to the newest key too."""

from accounts.seals import Sealed
from accounts.seals import register as register_seals
from leads.models import Event, Hook


def of_hook(account_id: int, field: str) -> str:
    """Whose address, and which of the two: ``secret`` or ``key``."""
    return f"hook:{account_id}:{field}"


def of_event(account_id: int, digest: str) -> str:
    """Whose event, under the digest that was made of it."""
    return f"event:{account_id}:{digest}"


def register() -> None:
    """Called once, when the app is ready."""
    register_seals(
        Sealed(
            "addresses for events",
            lambda: Hook.objects.order_by("pk"),
            {
                "sealed_secret": lambda hook: of_hook(hook.account_id, "secret"),
                "sealed_ipn_key": lambda hook: of_hook(hook.account_id, "key"),
            },
        )
    )
    register_seals(
        Sealed(
            "events",
            lambda: Event.objects.order_by("pk").iterator(500),
            {"sealed_body": lambda event: of_event(event.account_id, event.digest)},
        )
    )

"""What the product seals beside credentials, what each seal is bound to, and that it moves to the newest key too."""

from accounts.seals import Sealed
from accounts.seals import register as register_seals
from leads.models import Hook


def of_hook(account_id: int, field: str) -> str:
    """Whose address, and which of the two: ``secret`` or ``key``."""
    return f"hook:{account_id}:{field}"


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

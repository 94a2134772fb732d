"""What a provider tells by itself, in neutral words. A hint that something changed, never a fact: that is read."""

from dataclasses import dataclass, field
from typing import Literal

from kartra_admin.lib.redact import Secret


class Unreadable(ValueError):
    """The post holds nothing that the provider would send. ``is_of_wrong_type``: not even its content type fits."""

    def __init__(self, *, is_of_wrong_type: bool = False) -> None:
        super().__init__("unreadable")
        self.is_of_wrong_type = is_of_wrong_type


@dataclass(frozen=True)
class Told:
    """One post, read. ``action`` is the provider's own word, ``about`` what it says of the lead in a few of ours.

    ``lead_id`` and ``lead_email`` name the lead where they are well formed. ``tells_of_money``: payments or
    subscriptions are concerned. ``act`` is equal where one act on one payment is told in another way, "" where that
    cannot be known. ``key`` is what the post carried to prove where it comes from, where it did.
    """

    form: Literal["json", "ipn"]
    action: str
    about: str = ""
    lead_id: str = ""
    lead_email: str = ""
    is_known: bool = True
    tells_of_money: bool = False
    act: str = ""
    key: Secret[str] = field(default_factory=lambda: Secret(""))

"""What can go wrong on the way to a provider, named by what the caller does next.

::

    AppError
    └── ProviderError
        ├── Misconfigured      credentials missing or refused: link to the connection page
        ├── NotFound           no such thing: 404 or an empty state
        │   └── Deleted        it was there: say so, do not offer to create it
        ├── Refused            understood and declined: say it, do not retry
        │   └── AlreadyDone    it is so already
        ├── RateLimited        nothing changed: wait, try again
        ├── Unavailable        nothing changed, or nothing could be read: wait, try again
        │   └── Unreadable     it answers, and what it says of this one thing makes no sense
        └── OutcomeUnknown     sent, no clear answer: settle by reading, never send again
"""

from kartra_admin.lib.errors import AppError


class ProviderError(AppError):
    """``code`` and ``words`` are the provider's own number and text, empty where it gave none."""

    def __init__(self, sentence: str, *, code: str = "", words: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.words = words


class Unsendable(ValueError):
    """The caller asked for what must not be sent. It was noticed before anything left the house."""


class Misconfigured(ProviderError):
    """Credentials missing or refused."""


class NotFound(ProviderError):
    """No such lead, tag, transaction, ..."""


class Deleted(NotFound):
    """The lead was there, and was deleted."""


class Refused(ProviderError):
    """Understood and declined. Nothing changed."""


class AlreadyDone(Refused):
    """Nothing to do: it is so already."""


class RateLimited(ProviderError):
    """Too many calls. Nothing changed."""


class Unavailable(ProviderError):
    """Not reached, or (for a read) the answer could not be understood. Nothing changed."""


class Unreadable(Unavailable):
    """A read was answered with something that nobody can make sense of. Another lead may be read all the same."""

    def __init__(self) -> None:
        super().__init__("Kartra's answer could not be read. Nothing was changed. Try again in a minute.")


class OutcomeUnknown(ProviderError):
    """A write was sent and no clear answer came. It may or may not have happened."""

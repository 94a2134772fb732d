"""The root of every error that a person can act on."""


class AppError(Exception):
    """A rule said no, or the outside did. ``sentence`` is plain English, safe to show as it is.

    ``words`` are what the outside itself said, where it did. Never put a request body, a credential or another lead's
    data into either.
    """

    words = ""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Denied(AppError):
    """This person may not do this. The caller answers 403."""


class Conflict(AppError):
    """What the person saw is no longer so. The caller shows the fresh state beside what was typed."""


class FormReused(Conflict):
    """The form was already sent, with something else in it. It is shown again under a fresh id, with what was typed."""

    def __init__(self) -> None:
        super().__init__(
            "This form was already sent once, with other values. Nothing new was done: check what you entered and send"
            " it again."
        )


class BadRequest(AppError):
    """The address or the form holds something no page of ours makes. The caller answers 400."""

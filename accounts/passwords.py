"""What a password may not be made of, besides what Django's own validators refuse."""

from django.conf import settings
from django.core.exceptions import ValidationError

from accounts import permissions

# What somebody would try first at this desk, with the parts of its host name.
WORDS = ("kartra", "desk", "refund", "password", "welcome", *permissions.ROLES)
_LEFT_AT_LEAST = 6


class OwnWordsValidator:
    """Refuses what is little more than this desk's own words."""

    def validate(self, password: str, user: object = None) -> None:
        left = password.casefold()
        hosts = [part for part in str(settings.SITE.hostname).casefold().split(".") if len(part) > 2]
        for word in sorted({*WORDS, *hosts}, key=len, reverse=True):
            left = left.replace(word, "")
        if len(left) < min(_LEFT_AT_LEAST, len(password)):
            raise ValidationError("This password is little more than words that appear on this desk.")

    def get_help_text(self) -> str:
        return "Your password can’t be made of this desk’s own words."

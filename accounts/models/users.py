"""Staff. Nobody is ever deleted, only deactivated, so that what they did keeps its author."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import permissions


class UserManager(BaseUserManager["User"]):
    def create_user(self, *, email: str, name: str, role: str, password: str | None = None) -> "User":
        """A saved user. Without a password nobody can sign in as him until one is set by a link."""
        user = self.model(email=normalise(email), name=name, role=role)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normalise(username or ""))


def normalise(email: str) -> str:
    """Addresses differ in case by accident only."""
    return email.strip().lower()


class User(AbstractBaseUser):
    """``session_version`` is part of what a session is checked against: raising it ends all sessions at once.

    ``may_set_up_until``: until when somebody who has to have a second factor, and has none, may set it up.
    """

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=20, choices=list(permissions.ROLES.items()))
    is_active = models.BooleanField(default=True)
    session_version = models.PositiveIntegerField(default=0)
    may_set_up_until = models.DateTimeField(null=True, editable=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "role"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def permissions(self) -> frozenset[str]:
        """What the person may do now; nothing once deactivated. Templates ask ``"lead.edit" in user.permissions``."""
        return permissions.BY_ROLE.get(self.role, frozenset()) if self.is_active else frozenset()

    def has_permission(self, permission: str) -> bool:
        """Raises KeyError for a permission that does not exist, so that a misspelt one is never merely refused."""
        permissions.PERMISSIONS[permission]
        return permission in self.permissions

    @property
    def role_label(self) -> str:
        return permissions.ROLES.get(self.role, self.role)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django compares this with what the session holds, for the present secret and for the fallback ones."""
        what = f"{self.password}:{self.session_version}"
        return salted_hmac("accounts.User.session", what, secret=secret, algorithm="sha256").hexdigest()

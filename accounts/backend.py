"""Who a session belongs to."""

from allauth.account.auth_backends import AuthenticationBackend

from accounts.models import User


class StaffBackend(AuthenticationBackend):  # type: ignore[misc]
    """Signs in as allauth does, and finds the person with connection and account, which every page asks for."""

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.select_related("connection__account").filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None

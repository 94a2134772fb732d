"""All addresses. Of allauth only the pages in use are here: nobody signs up or manages addresses by himself."""

from allauth.account import views as sign_in
from django.urls import include, path, re_path

urlpatterns = [
    path("sign-in/", sign_in.login, name="account_login"),
    path("sign-in/out/", sign_in.logout, name="account_logout"),
    path("sign-in/inactive/", sign_in.account_inactive, name="account_inactive"),
    path("sign-in/again/", sign_in.reauthenticate, name="account_reauthenticate"),
    path("sign-in/password/", sign_in.password_change, name="account_change_password"),
    path("sign-in/password/first/", sign_in.password_set, name="account_set_password"),
    path("sign-in/forgotten/", sign_in.password_reset, name="account_reset_password"),
    path("sign-in/forgotten/sent/", sign_in.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^sign-in/new-password/(?P<uidb36>[0-9A-Za-z]{1,13})-(?P<key>[0-9A-Za-z-]{1,100})/$",
        sign_in.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "sign-in/new-password/done/", sign_in.password_reset_from_key_done, name="account_reset_password_from_key_done"
    ),
    path("", include("accounts.urls")),
    path("", include("leads.urls")),
]

"""All addresses. Of allauth only the pages in use are here: nobody signs up or manages addresses by himself."""

from allauth.account import views as sign_in
from django.urls import include, path, re_path

from accounts.views import factors, profile
from kartra_admin import csp_reports, typed

urlpatterns = [
    path("sign-in/", sign_in.login, name="account_login"),
    path("sign-in/out/", sign_in.logout, name="account_logout"),
    path("sign-in/inactive/", sign_in.account_inactive, name="account_inactive"),
    path("sign-in/again/", sign_in.reauthenticate, name="account_reauthenticate"),
    path("sign-in/password/", profile.change_password, name="account_change_password"),
    path("sign-in/password/first/", profile.set_password, name="account_set_password"),
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
    path("sign-in/factor/", factors.at_sign_in, name="mfa_authenticate"),
    path("sign-in/passkey/", factors.by_passkey_alone, name="mfa_login_webauthn"),
    path("sign-in/again/code/", factors.confirm_by_code, name="mfa_reauthenticate"),
    path("sign-in/again/passkey/", factors.confirm_by_passkey, name="mfa_reauthenticate_webauthn"),
    path("sign-in/factors/", factors.index, name="mfa_index"),
    path("sign-in/factors/app/", factors.activate_totp, name="mfa_activate_totp"),
    path("sign-in/factors/app/remove/", factors.deactivate_totp, name="mfa_deactivate_totp"),
    path("sign-in/factors/codes/", factors.recovery_codes_once, name="mfa_view_recovery_codes"),
    path("sign-in/factors/codes/new/", factors.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("sign-in/factors/passkey/", factors.add_passkey, name="mfa_add_webauthn"),
    path("sign-in/factors/passkey/<int:pk>/remove/", factors.remove_passkey, name="mfa_remove_webauthn"),
    path("csp-report/", csp_reports.csp, name="csp-report"),
    path("not-sent/", typed.kept, name="typed"),
    path("", include("accounts.urls")),
    path("", include("leads.urls")),
]

handler500 = "kartra_admin.views.broken"
handler429 = "kartra_admin.views.too_many"

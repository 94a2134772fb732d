"""Second factors: allauth's views behind our own step-up, and taking away a lost one."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base import views as base
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.mfa.webauthn.internal import auth
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.decorators import StaffRequest, require_perm, require_sign_in, require_sudo
from accounts.models import User
from accounts.services import second_factor
from kartra_admin.lib.htmx import is_fragment


class Index(base.IndexView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        user = self.request.user
        must = second_factor.is_required(user) and not second_factor.is_set(user)
        return {**found, "must_set_up": must, "must_ask": must and not second_factor.may_set_up(user)}


class AddPasskey(webauthn.AddWebAuthnView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        return {**found, "js_data": {"creation_options": auth.begin_registration(self.request.user, True)}}


class RemovePasskey(webauthn.RemoveWebAuthnView):  # type: ignore[misc]
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Any) -> HttpResponse:
        if not get_mfa_adapter().can_delete_authenticator(self.get_object()):
            messages.error(self.request, get_mfa_adapter().error_messages["cannot_delete_authenticator"])
            return redirect("mfa_index")
        done: HttpResponse = super().form_valid(form)
        return done


class ByPasskeyAlone(webauthn.LoginWebAuthnView):  # type: ignore[misc]
    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """What the browser is asked waits in a session, which strangers could fill the database with."""
        limit = {"app": "allauth.mfa", "action": "webauthn_question", "limit_get": True}
        found: HttpResponse = ratelimit.consume_or_429(request, **limit) or super().get(request, *args, **kwargs)
        return found


class ConfirmByPasskey(webauthn.ReauthenticateWebAuthnView):  # type: ignore[misc]
    def form_invalid(self, form: Any) -> HttpResponse:
        """Back to where it can be tried again, not to the sign-in page."""
        for sentence in form.errors.get("credential", []):
            get_adapter().add_message(self.request, messages.ERROR, message=sentence)
        return HttpResponseRedirect(self.passthrough_next_url(self.request.path))


# No error report shows what was typed.
_typed = sensitive_post_parameters("password", "code", "credential")

index = require_sign_in(Index.as_view())
activate_totp = _typed(require_sign_in(require_sudo(totp.activate_totp)))
deactivate_totp = require_sign_in(require_sudo(totp.deactivate_totp))
recovery_codes_once = require_sign_in(require_sudo(recovery_codes.view_recovery_codes))
generate_recovery_codes = require_sign_in(require_sudo(recovery_codes.generate_recovery_codes))
add_passkey = _typed(require_sign_in(require_sudo(AddPasskey.as_view())))
remove_passkey = require_sign_in(require_sudo(RemovePasskey.as_view()))

at_sign_in = _typed(base.authenticate)
by_passkey_alone = _typed(ByPasskeyAlone.as_view())
confirm_by_code = _typed(base.reauthenticate)
confirm_by_passkey = _typed(ConfirmByPasskey.as_view())


@require_http_methods(["GET", "POST"])
@require_perm("staff.manage")
@require_sudo
def take_away(request: StaffRequest, user_id: int) -> HttpResponse:
    """Asks first, as a dialog or as a page."""
    person = get_object_or_404(User, pk=user_id)
    if request.method == "POST":
        second_factor.take_away(actor=request.user, user=person)
        then = " Now create a set-password link, to set up another." if second_factor.is_required(person) else ""
        messages.success(request, f"{person} has no second factor now and is signed out everywhere.{then}")
        return redirect("accounts:team-edit", user_id=person.pk)
    fragment = "#dialog" if is_fragment(request.htmx) else ""
    return render(request, f"accounts/team/take_away.html{fragment}", {"person": person})

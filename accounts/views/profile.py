"""One's own profile and password."""

from allauth.account import views as allauth_views
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import permissions
from accounts.decorators import StaffRequest, require_sign_in, require_sudo
from accounts.forms.team import NameForm
from accounts.services import users

# No error report shows what was typed.
_typed = sensitive_post_parameters("oldpassword", "password1", "password2")

change_password = _typed(require_sign_in(require_sudo(allauth_views.password_change)))
set_password = _typed(require_sign_in(require_sudo(allauth_views.password_set)))


@require_http_methods(["GET", "POST"])
@require_sign_in
def edit(request: StaffRequest) -> HttpResponse:
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": request.user.name})
    if request.method == "POST" and form.is_valid():
        users.rename_self(actor=request.user, name=form.cleaned_data["name"])
        messages.success(request, "Saved.")
        return redirect("accounts:profile")
    may = [permissions.PERMISSIONS[name][0] for name in permissions.PERMISSIONS if request.user.has_permission(name)]
    return render(
        request, "accounts/profile/edit.html", {"form": form, "may": may}, status=422 if form.is_bound else 200
    )

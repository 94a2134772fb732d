"""The team: who is on it, in which role, and whether they may come in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import permissions
from accounts.decorators import StaffRequest, require_perm, require_sudo, require_sudo_to_post
from accounts.forms.team import AddStaffForm, StaffForm
from accounts.models import User
from accounts.selectors.users import factors_of, list_for_team
from accounts.services import second_factor, users
from kartra_admin.lib.htmx import is_fragment


@require_GET
@require_perm("staff.manage")
def index(request: StaffRequest) -> HttpResponse:
    return render(request, "accounts/team/list.html", {"staff": list_for_team()})


@require_http_methods(["GET", "POST"])
@require_perm("staff.manage")
@require_sudo
def add(request: StaffRequest) -> HttpResponse:
    """Answers a POST with the set-password link itself, which is kept nowhere and so shown this once."""
    form = AddStaffForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = users.add_staff(actor=request.user, **form.cleaned_data)
        except users.EmailTaken as error:
            form.add_error("email", error.sentence)
        else:
            return _show_link(request, user, is_new=True)
    context = {"form": form, **_roles()}
    return render(request, "accounts/team/add.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@require_perm("staff.manage")
@require_sudo_to_post
def edit(request: StaffRequest, user_id: int) -> HttpResponse:
    person = get_object_or_404(User.objects.select_related("connection__account"), pk=user_id)
    form = StaffForm(
        request.POST if request.method == "POST" else None,
        initial={"name": person.name, "role": person.role},
        own=person.pk == request.user.pk,
    )
    if request.method == "POST" and form.is_valid():
        person = users.edit_staff(actor=request.user, user=person, **form.cleaned_data)
        messages.success(request, "Saved.")
        if second_factor.is_required(person) and not second_factor.is_set(person):
            messages.info(request, f"{person} needs a second factor and has none. Create a set-password link.")
        return redirect("accounts:team")
    context = {
        "form": form,
        "person": person,
        "factors": factors_of(person),
        "needs_factor": second_factor.is_required(person),
        **_roles(),
    }
    return render(request, "accounts/team/edit.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
@require_perm("staff.manage")
@require_sudo
def deactivate(request: StaffRequest, user_id: int) -> HttpResponse:
    """Asks first, as a dialog or as a page."""
    person = get_object_or_404(User, pk=user_id)
    if request.method == "POST":
        users.deactivate_staff(actor=request.user, user=person)
        messages.success(request, f"{person} is deactivated and signed out everywhere.")
        return redirect("accounts:team-edit", user_id=person.pk)
    fragment = "#dialog" if is_fragment(request.htmx) else ""
    return render(request, f"accounts/team/deactivate.html{fragment}", {"person": person})


@require_POST
@require_perm("staff.manage")
@require_sudo
def reactivate(request: StaffRequest, user_id: int) -> HttpResponse:
    person = users.reactivate_staff(actor=request.user, user=get_object_or_404(User, pk=user_id))
    messages.success(request, f"{person} can sign in again.")
    return redirect("accounts:team-edit", user_id=person.pk)


@require_POST
@require_perm("staff.manage")
@require_sudo
def link(request: StaffRequest, user_id: int) -> HttpResponse:
    return _show_link(request, get_object_or_404(User, pk=user_id), is_new=False)


def _show_link(request: StaffRequest, person: User, *, is_new: bool) -> HttpResponse:
    url = users.set_password_link(actor=request.user, user=person)
    return render(request, "accounts/team/link.html", {"person": person, "url": url, "is_new": is_new})


def _roles() -> dict[str, object]:
    """The table of roles and permissions, for the page to explain."""
    table = [
        (says, [(label, role in having) for role, label in permissions.ROLES.items()])
        for says, having in permissions.PERMISSIONS.values()
    ]
    return {"roles": list(permissions.ROLES.values()), "permissions": table}

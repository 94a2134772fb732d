"""Credentials for Kartra: one's own, and for somebody else by an admin. They are typed in, never shown."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.decorators import StaffRequest, require_perm, require_sudo, require_sudo_to_post
from accounts.models import User
from accounts.selectors import connections
from kartra_admin.lib.errors import AppError, Conflict
from leads.forms.connection import ConnectionForm
from leads.services.connections import connect, disconnect


@sensitive_post_parameters("api_key", "api_password")
@require_http_methods(["GET", "POST"])
@require_perm("connection.own")
@require_sudo_to_post
def mine(request: StaffRequest) -> HttpResponse:
    return _place(request, request.user, reverse("leads:connection"), reverse("leads:connection-remove"))


@sensitive_post_parameters("api_key", "api_password")
@require_http_methods(["GET", "POST"])
@require_perm("connection.manage")
@require_sudo_to_post
def of_user(request: StaffRequest, user_id: int) -> HttpResponse:
    urls = reverse("leads:connection-of", args=[user_id]), reverse("leads:connection-remove-of", args=[user_id])
    return _place(request, get_object_or_404(User, pk=user_id), *urls)


@require_http_methods(["GET", "POST"])
@require_perm("connection.own")
@require_sudo
def remove_mine(request: StaffRequest) -> HttpResponse:
    return _remove(request, request.user, reverse("leads:connection"))


@require_http_methods(["GET", "POST"])
@require_perm("connection.manage")
@require_sudo
def remove_of_user(request: StaffRequest, user_id: int) -> HttpResponse:
    return _remove(request, get_object_or_404(User, pk=user_id), reverse("leads:connection-of", args=[user_id]))


def _place(request: StaffRequest, owner: User, url: str, remove_url: str) -> HttpResponse:
    """Show how the connection stands; on POST try what was typed, and keep it only if Kartra takes it."""
    connection = connections.for_user(owner)
    initial = {"account_name": connection.account.name} if connection else None
    may_rename = request.user.has_permission("account.rename")
    form = ConnectionForm(request.POST if request.method == "POST" else None, may_rename=may_rename, initial=initial)
    if form.is_valid():
        try:
            connect(actor=request.user, owner=owner, **form.cleaned_data)
        except AppError as error:
            said = f" Kartra said: “{error.words}”." if error.words else ""
            form.add_error(None, f"Not saved. {error.sentence}{said}")
        else:
            messages.success(request, "Kartra accepted these credentials. They are sealed and will not be shown again.")
            return redirect(url)
    context = {"form": form, "owner": owner, "connection": connection, "remove_url": remove_url}
    return render(request, "leads/connection/edit.html", context, status=422 if form.errors else 200)


def _remove(request: StaffRequest, owner: User, url: str) -> HttpResponse:
    """Ask first, then remove: nobody can read them back to type them again."""
    connection = connections.for_user(owner)
    if request.method != "POST" and connection:
        context = {"owner": owner, "connection": connection, "back": url}
        return render(request, "leads/connection/remove.html", context)
    if request.method == "POST":
        try:
            if disconnect(actor=request.user, owner=owner):
                messages.success(request, "Credentials removed.")
        except Conflict as error:
            messages.error(request, error.sentence)
    return redirect(url)

"""Recipes: an admin names them, staff run them from the lead page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.decorators import StaffRequest, require_perm
from leads.access import Desk, desk_for, get_object_or_404
from leads.forms.recipes import RecipeForm
from leads.models import Recipe
from leads.selectors import lead_page
from leads.selectors.catalogues import for_account
from leads.services.recipes import delete_recipe, run_recipe, save_recipe
from leads.views._answers import after_change, operation_id_of


@require_GET
@require_perm("recipe.run")
def index(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    return render(request, "leads/recipes/list.html", {"recipes": lead_page.list_recipes(desk.account)})


@require_http_methods(["GET", "POST"])
@require_perm("recipe.manage")
def create(request: StaffRequest) -> HttpResponse:
    desk = desk_for(request.user)
    return _edit(request, desk, Recipe(account=desk.account))


@require_http_methods(["GET", "POST"])
@require_perm("recipe.manage")
def edit(request: StaffRequest, recipe_id: int) -> HttpResponse:
    desk = desk_for(request.user)
    return _edit(request, desk, get_object_or_404(desk, Recipe, pk=recipe_id))


def _edit(request: StaffRequest, desk: Desk, recipe: Recipe) -> HttpResponse:
    catalogues = for_account(desk.account)
    form = RecipeForm(request.POST if request.method == "POST" else None, catalogues=catalogues, instance=recipe)
    if form.is_valid():
        save_recipe(actor=request.user, recipe=form.save(commit=False))
        messages.success(request, f"Recipe {recipe.name} saved.")
        return redirect("leads:recipes")
    context = {"form": form, "recipe": recipe, "catalogues": catalogues}
    return render(request, "leads/recipes/edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@require_perm("recipe.manage")
def delete(request: StaffRequest, recipe_id: int) -> HttpResponse:
    """Ask first, then delete. Access that was granted stays as it is."""
    desk = desk_for(request.user)
    recipe = get_object_or_404(desk, Recipe, pk=recipe_id)
    if request.method == "POST":
        delete_recipe(actor=request.user, recipe=recipe)
        messages.success(request, f"Recipe {recipe.name} deleted.")
        return redirect("leads:recipes")
    return render(request, "leads/recipes/delete.html", {"recipe": recipe})


@require_POST
@require_perm("recipe.run")
def run(request: StaffRequest, lead_id: str, recipe_id: int) -> HttpResponse:
    """Grant, or revoke where the form says so."""
    desk = desk_for(request.user)
    operation = run_recipe(
        actor=request.user,
        connection=desk.connection,
        recipe=get_object_or_404(desk, Recipe, pk=recipe_id),
        lead_id=lead_id,
        grant=request.POST.get("do") != "revoke",
        operation_id=operation_id_of(request),
    )
    return after_change(request, desk, operation)

"""Every page of the desk. Each is a plain URL; HTMX asks some of them for a fragment."""

from django.urls import path, register_converter

from leads.converters import LeadIdConverter
from leads.views import catalogues, connection, home, leads, operations, recipes

register_converter(LeadIdConverter, "lead_id")

app_name = "leads"

urlpatterns = [
    path("", home.home, name="home"),
    path("leads/", leads.find, name="find"),
    path("leads/new/", leads.create, name="create"),
    path("leads/<lead_id:lead_id>/", leads.detail, name="detail"),
    path("leads/<lead_id:lead_id>/edit/", leads.edit, name="edit"),
    path("leads/<lead_id:lead_id>/money/", leads.money, name="money"),
    path("leads/<lead_id:lead_id>/activity/", leads.activity, name="activity"),
    path("leads/<lead_id:lead_id>/notes/", leads.notes, name="notes"),
    path("leads/<lead_id:lead_id>/<slug:card>/change/", leads.change, name="change"),
    path("leads/<lead_id:lead_id>/recipes/<int:recipe_id>/", recipes.run, name="recipe-run"),
    path("operations/<uuid:operation_id>/", operations.detail, name="operation"),
    path("operations/<uuid:operation_id>/undo/", operations.undo, name="operation-undo"),
    path("operations/<uuid:operation_id>/settle/", operations.settle, name="operation-settle"),
    path("operations/<uuid:operation_id>/decide/", operations.decide, name="operation-decide"),
    path("recipes/", recipes.index, name="recipes"),
    path("recipes/new/", recipes.create, name="recipe-create"),
    path("recipes/<int:recipe_id>/edit/", recipes.edit, name="recipe-edit"),
    path("recipes/<int:recipe_id>/delete/", recipes.delete, name="recipe-delete"),
    path("settings/catalogues/", catalogues.index, name="catalogues"),
    path("settings/catalogues/refresh/", catalogues.refresh, name="catalogues-refresh"),
    path("settings/catalogues/fields/new/", catalogues.create_field, name="field-create"),
    path("settings/connection/", connection.mine, name="connection"),
    path("settings/connection/remove/", connection.remove_mine, name="connection-remove"),
    path("team/<int:user_id>/connection/", connection.of_user, name="connection-of"),
    path("team/<int:user_id>/connection/remove/", connection.remove_of_user, name="connection-remove-of"),
]

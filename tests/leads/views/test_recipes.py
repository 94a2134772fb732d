"""Recipes: leaders name them, staff run them, the lead page shows how they stand."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from leads.access import Desk
from leads.models import Recipe
from tests.leads.conftest import NOTABLE, Sandbox
from tests.leads.helpers import HTMX, posted_again, see, words, writes

pytestmark = pytest.mark.django_db
AtDesk = Callable[..., Client]
DeskOf = Callable[..., Desk]
BEN = NOTABLE["ben"].id
GOLD = {"name": "Gold <b>access</b>", "description": "Opens Gold", "give_tag": "kiln-club-gold", "take_tag": "vip"}


@pytest.fixture
def recipe(desk_of: DeskOf) -> Recipe:
    return Recipe.objects.create(account=desk_of("agent").account, **{**GOLD, "take_tag": ""})


def test_an_admin_creates_changes_and_deletes(at_desk: AtDesk) -> None:
    client = at_desk("admin")
    made = client.post("/recipes/new/", GOLD, follow=True)
    assert made.redirect_chain == [("/recipes/", 302)]
    assert "Gold &lt;b&gt;access&lt;/b&gt;" in made.content.decode()
    recipe = Recipe.objects.get()
    changed = client.post(f"/recipes/{recipe.pk}/edit/", {**GOLD, "name": "Gold", "take_tag": ""}, follow=True)
    assert "Recipe Gold saved." in words(changed)
    assert "Access that was granted stays as it is" in words(client.get(f"/recipes/{recipe.pk}/delete/"))
    assert Recipe.objects.exists()
    client.post(f"/recipes/{recipe.pk}/delete/")
    assert not Recipe.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "Name : This field is required."),
        ({"give_tag": ""}, "This field is required."),
        ({"give_tag": "no such tag"}, "is not among the names read from Kartra"),
        ({"take_tag": "kiln-club-gold"}, "Choose a different tag"),
        ({"name": "x" * 121}, "at most 120 characters"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_422_and_nothing_lost(at_desk: AtDesk, changed: dict[str, str], said: str) -> None:
    answer = at_desk("admin").post("/recipes/new/", {**GOLD, **changed})
    assert answer.status_code == 422
    assert said in words(answer)
    assert posted_again(answer, "description") == ["Opens Gold"]
    assert not Recipe.objects.exists()


def test_a_name_is_used_once(at_desk: AtDesk, recipe: Recipe) -> None:
    answer = at_desk("admin").post("/recipes/new/", GOLD)
    assert answer.status_code == 422
    assert "There is already a recipe with this name." in words(answer)
    assert at_desk("admin").post(f"/recipes/{recipe.pk}/edit/", GOLD).status_code == 302


@pytest.mark.parametrize("role", ["agent", "support"])
def test_staff_run_them_and_do_not_change_them(at_desk: AtDesk, recipe: Recipe, role: str) -> None:
    client = at_desk(role)
    html = client.get("/recipes/").content.decode()
    assert "kiln-club-gold" in html
    assert "/edit/" not in html
    for path in ("new/", f"{recipe.pk}/edit/", f"{recipe.pk}/delete/"):
        assert client.post(f"/recipes/{path}", GOLD).status_code == 403
    assert f'action="/leads/{BEN}/recipes/{recipe.pk}/"' in see(client, BEN).content.decode()


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_others_see_no_buttons_and_run_nothing(at_desk: AtDesk, recipe: Recipe, sandbox: Sandbox, role: str) -> None:
    client = at_desk(role)
    assert "/recipes/" not in see(client, BEN).content.decode()
    sandbox.calls()
    answer = client.post(f"/leads/{BEN}/recipes/{recipe.pk}/", {"operation_id": str(uuid4())})
    assert answer.status_code == 403
    assert sandbox.calls() == []


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_grant_and_revoke_from_the_lead_page(
    at_desk: AtDesk, recipe: Recipe, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    client, address = at_desk("agent"), f"/leads/{BEN}/recipes/{recipe.pk}/"
    assert "Kartra’s automation opens or closes the access" in words(see(client, BEN))
    sandbox.calls()
    granted = client.post(address, {"operation_id": str(uuid4()), "do": "grant"}, headers=headers, follow=not headers)
    assert "Grant Gold <b>access</b>: added tag kiln-club-gold." in words(granted)
    assert "Granted" in words(granted)
    assert "Kiln Club level Gold" in words(granted)
    revoked = client.post(address, {"operation_id": str(uuid4()), "do": "revoke"}, headers=headers, follow=not headers)
    assert "Revoke Gold <b>access</b>: removed tag kiln-club-gold." in words(revoked)
    assert writes(sandbox) == [("assign_tag",), ("unassign_tag",)]


@pytest.mark.parametrize("own_id", ["", "junk", "123"])
def test_a_button_without_its_id_sends_nothing(at_desk: AtDesk, recipe: Recipe, sandbox: Sandbox, own_id: str) -> None:
    answer = at_desk("agent").post(f"/leads/{BEN}/recipes/{recipe.pk}/", {"operation_id": own_id})
    assert answer.status_code == 400
    assert "reload the page" in words(answer)
    assert sandbox.calls() == []


def test_one_that_does_not_exist_is_404(at_desk: AtDesk) -> None:
    client = at_desk("admin")
    for number in ("999999", "9" * 30):
        assert client.get(f"/recipes/{number}/edit/").status_code == 404
        assert client.post(f"/leads/{BEN}/recipes/{number}/", {"operation_id": str(uuid4())}).status_code == 404

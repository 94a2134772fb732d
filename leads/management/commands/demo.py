"""``manage.py demo``: fill the demo and print who may sign in. Does nothing a second time."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Account, User
from accounts.permissions import ROLES
from accounts.services import connections
from leads.labels import phone_of
from leads.models import Entry, Playbook, Recipe
from leads.providers.kartra.client import SANDBOX
from leads.providers.kartra.sandbox.credentials import ACCOUNTS
from leads.providers.kartra.sandbox.exported import leads_of
from leads.providers.kartra.sandbox.seed import seed_missing
from leads.services.catalogues import refresh_catalogues
from leads.services.directory import Met, remember_rows
from leads.services.notes import add_note
from leads.services.playbooks import save_playbook
from leads.services.recipes import save_recipe
from leads.wiring import sandbox_path

PASSWORD = "kiln-demo-2026"  # noqa: S105  (printed for everybody, made for the demo only)
_NAMES = ("first_name", "middle_name", "last_name", "last_name2")
NAMES = {
    "viewer": "Vera Lindqvist",
    "agent": "Mara Silva",
    "support": "Owen Reyes",
    "manager": "Li Wei",
    "auditor": "Ines Okafor",
    "admin": "Tomas Novak",
}


class Command(BaseCommand):
    help = "Fill the demo: people of every role, the sandbox, a recipe, a playbook. For DEMO=true only."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This fills a demo with known passwords. It runs with DEMO=true only.")
        is_sandbox = settings.KARTRA_API_URL == SANDBOX
        if is_sandbox:
            seed_missing(sandbox_path())
        people = {role: _person(role, is_sandbox) for role in ROLES}
        if is_sandbox:
            _furnish(people)
            _fill_directory(people["admin"].connection.account)
        width = max(len(person.email) for person in people.values())
        self.stdout.write(f"  Sign in as      {'':{width - 8}}  password {PASSWORD}")
        for person in people.values():
            self.stdout.write(f"  {person.role_label:<9} {person.email:<{width}}  {person.name}")
        if not settings.SECOND_FACTOR_ROLES:
            self.stdout.write("  No second factor is needed in the demo.")
        if is_sandbox:
            self.stdout.write("\n  Try to find     ada.moreno@example.com, or type: jon smth")
        else:
            self.stdout.write(f"\n  Kartra is       {settings.KARTRA_API_URL}\n  Type its credentials in Settings.")


def _person(role: str, is_sandbox: bool) -> User:
    email = f"{role}@demo.example"
    person = User.objects.filter(email=email).first()
    if person is None:
        person = User.objects.create_user(email=email, name=NAMES[role], role=role, password=PASSWORD)
    if is_sandbox and not hasattr(person, "connection"):
        account = ACCOUNTS[0]
        connections.place(actor=person, owner=person, api_key=account.api_key, api_password=account.api_password)
    return person


def _fill_directory(account: Account) -> None:
    """Everybody in the sandbox, as the import of a file taken out of Kartra leaves them: never read."""
    if Entry.objects.filter(account=account).exists():
        return
    rows = [
        Met(
            lead_id=lead.lead_id,
            name=" ".join(filter(None, (lead.facts[key] for key in _NAMES if key in lead.facts))),
            email=lead.facts["email"],
            phone=phone_of(lead.facts),
            company=lead.facts["company"],
            city=lead.facts["city"],
            state=lead.facts["state"],
            country=lead.facts["country"],
            tags=lead.tags,
            lists=lead.lists,
        )
        for lead in leads_of(sandbox_path(), ACCOUNTS[0].api_key)
    ]
    remember_rows(account, rows, at=timezone.now())


def _furnish(people: dict[str, User]) -> None:
    """What an account has after its first day: catalogues, a recipe, a playbook, a note."""
    admin, agent = people["admin"], people["agent"]
    connection = admin.connection
    account = connection.account
    if Recipe.objects.filter(account=account).exists():
        return
    connections.rename_account(actor=admin, account=account, name=ACCOUNTS[0].name)
    refresh_catalogues(actor=admin, connection=connection)
    recipe = Recipe(
        account=account,
        name="Kiln Club Gold access",
        description="Opens the Gold level of Kiln Club",
        give_tag="kiln-club-gold",
        take_tag="kiln-club-revoke",
    )
    save_recipe(actor=admin, recipe=recipe)
    playbook = Playbook(
        account=account,
        name="Cancel and refund",
        description="Ends the subscription, gives the last payment back",
        steps=[
            {"act": "cancel"},
            {"act": "refund"},
            {"act": "take-tag", "name": "customer"},
            {"act": "leave-list", "name": "Newsletter"},
        ],
    )
    save_playbook(actor=admin, playbook=playbook)
    add_note(
        actor=agent,
        account=account,
        lead_id="4174086",
        lead_label="Ada Moreno <ada.moreno@example.com>",
        text="Prefers to be written to. Asked about the wood-firing weekend.",
    )

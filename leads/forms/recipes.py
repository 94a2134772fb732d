"""What a recipe is called, and the tags it gives and takes."""

from typing import Any

from django import forms

from accounts.models import Account
from leads.forms.fields import PickOne
from leads.models import Recipe
from leads.selectors.catalogues import Catalogues


class RecipeForm(forms.ModelForm):  # type: ignore[type-arg]
    """``account`` bounds the name's uniqueness."""

    class Meta:
        model = Recipe
        fields = ["name", "description", "give_tag", "take_tag"]

    def __init__(self, data: Any = None, *, catalogues: Catalogues, instance: Recipe) -> None:
        super().__init__(data, instance=instance)
        tags = [*dict.fromkeys([*filter(None, (instance.give_tag, instance.take_tag)), *catalogues.tags])]
        self.fields["name"].help_text = "Staff see it on the buttons, such as ‘Gold course access’."
        self.fields["give_tag"] = PickOne(tags, "Granting adds this tag", "Choose a tag")
        self.fields["give_tag"].required = True
        self.fields["take_tag"] = PickOne(tags, "and removes this tag (optional)", "No tag")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("give_tag") and values.get("give_tag") == values.get("take_tag"):
            self.add_error("take_tag", "Choose a different tag from the one that is added.")
        account: Account = self.instance.account
        others = Recipe.objects.filter(account=account, name=values.get("name")).exclude(pk=self.instance.pk)
        if values.get("name") and others.exists():
            self.add_error("name", "There is already a recipe with this name.")
        return values

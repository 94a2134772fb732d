"""Forms of the Team page and the profile."""

from typing import Any

from django import forms

from accounts import permissions
from accounts.models import User
from accounts.models.users import normalise


class NameForm(forms.Form):
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "name"}))


class StaffForm(NameForm):
    """``email`` is asked for once, when somebody is added: it is how that person signs in."""

    field_order = ["name", "email", "role"]
    role = forms.ChoiceField(choices=list(permissions.ROLES.items()))

    def __init__(self, *args: Any, own: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        if own:
            self.fields["role"].disabled = True
            self.fields["role"].help_text = "You cannot change your own role. Ask another admin."


class AddStaffForm(StaffForm):
    email = forms.EmailField(max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))

    def clean_email(self) -> str:
        email = normalise(self.cleaned_data["email"])
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError("Somebody on the team, perhaps deactivated, already has this email.")
        return email

"""The credentials of a person for an account."""

from typing import Any

from django import forms


class ConnectionForm(forms.Form):
    """Credentials as the account's owner finds them in Kartra. Never filled in again from what is stored."""

    account_name = forms.CharField(
        label="Name of the account",
        required=False,
        max_length=100,
        help_text="What the team calls it. Everybody who works in this account sees it.",
    )
    api_key = forms.CharField(label="API key", max_length=500, widget=forms.PasswordInput({"autocomplete": "off"}))
    api_password = forms.CharField(
        label="API password", max_length=500, widget=forms.PasswordInput({"autocomplete": "off"})
    )

    def __init__(self, data: Any = None, *, may_rename: bool, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if not may_rename:
            del self.fields["account_name"]

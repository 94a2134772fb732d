"""The form of the key that payment notifications carry."""

from django import forms


class KeyForm(forms.Form):
    """Typed in, never shown."""

    key = forms.CharField(
        label="Key of payment notifications",
        max_length=200,
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="The secret key that you entered in Kartra. Leave blank if notifications need no key.",
    )

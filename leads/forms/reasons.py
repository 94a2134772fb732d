"""The reasons that staff choose from."""

from django import forms


class ReasonForm(forms.Form):
    text = forms.CharField(label="Reason", max_length=120)

"""The form that has a person forgotten."""

from django import forms

from leads.models import Forgetting


class ForgetForm(forms.Form):
    """Reasons are chosen, not typed: what is typed could hold the very name that is to go."""

    reason = forms.ChoiceField(
        label="Why",
        choices=[("", "Choose a reason"), *Forgetting.Reason.choices],
        help_text="The reason stays in the log.",
    )
    elsewhere = forms.BooleanField(
        label="Forget the person there too",
        required=False,
        initial=True,
        help_text="If unticked, this email can still be found in that account's log and exports.",
    )

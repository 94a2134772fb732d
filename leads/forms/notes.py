"""What staff note about a lead."""

from django import forms


class NoteForm(forms.Form):
    text = forms.CharField(label="New note", max_length=5000, widget=forms.Textarea({"rows": 2}))

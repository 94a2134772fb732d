"""Composing a playbook, and starting one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.http import QueryDict

from leads.forms.money import MoneyForm, Seen
from leads.models import Playbook
from leads.playbook_steps import ACTS, Step, steps_of
from leads.selectors.catalogues import Catalogues
from leads.services.money import Terms
from leads.services.playbook_preview import Preview

ROWS = 8
_UNKNOWN = "This is not among the names read from Kartra. Refresh the catalogues in Settings."
_ONE_OF = {"tags": "a tag", "lists": "a list", "sequences": "a sequence"}


@dataclass(frozen=True)
class Row:
    """One numbered line of the form."""

    number: int
    act: BoundField
    name: BoundField


class PlaybookForm(forms.ModelForm):  # type: ignore[type-arg]
    """Eight numbered rows of act and name; empty ones are left out. A name carries its catalogue, ``tags:vip``.

    ``account`` of the instance bounds the name's uniqueness.
    """

    class Meta:
        model = Playbook
        fields = ["name", "description"]

    def __init__(self, data: Any = None, *, catalogues: Catalogues, instance: Playbook) -> None:
        super().__init__(data, instance=instance)
        self.fields["name"].help_text = "Staff see it, such as ‘Cancel and refund’."
        steps = steps_of(instance.steps)
        names = self._names(catalogues, steps)
        acts = [("", "–"), *((key, act.words) for key, act in ACTS.items())]
        for number in range(1, ROWS + 1):
            step = steps[number - 1] if number <= len(steps) else None
            self.fields[f"act_{number}"] = forms.ChoiceField(
                label=f"Step {number}", required=False, choices=acts, initial=step.act if step else ""
            )
            self.fields[f"name_{number}"] = forms.ChoiceField(
                label=f"Tag, list or sequence of step {number}",
                required=False,
                choices=names,
                initial=_key(step) if step and step.name else "",
                widget=forms.Select({"data-picker": "", "data-placeholder": "Tag, list or sequence"}),
                error_messages={"invalid_choice": _UNKNOWN},
            )

    def _names(self, catalogues: Catalogues, steps: list[Step]) -> list[Any]:
        """Everything to choose from, and what the playbook holds beyond it: the catalogue may have changed."""
        groups: list[Any] = [("", "None")]
        for label, kind in (("Tags", "tags"), ("Lists", "lists"), ("Sequences", "sequences")):
            held = [step.name for step in steps if ACTS[step.act].catalogue == kind]
            found = dict.fromkeys([*held, *getattr(catalogues, kind)])
            groups.append((label, [(f"{kind}:{name}", name) for name in found]))
        return groups

    @property
    def rows(self) -> Iterator[Row]:
        for number in range(1, ROWS + 1):
            yield Row(number, self[f"act_{number}"], self[f"name_{number}"])

    def move_up(self, number: str) -> None:
        """Swap what was typed in this row with the row above it."""
        if number not in map(str, range(2, ROWS + 1)):
            return
        data = cast(QueryDict, self.data).copy()
        for what in ("act", "name"):
            here, above = f"{what}_{number}", f"{what}_{int(number) - 1}"
            data[here], data[above] = data.get(above, ""), data.get(here, "")
        self.data = data

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        steps = [step for number in range(1, ROWS + 1) if (step := self._step(number, values))]
        if not steps and not self.errors:
            raise ValidationError("A playbook needs at least one step.")
        others = Playbook.objects.filter(account=self.instance.account, name=values.get("name"))
        if values.get("name") and others.exclude(pk=self.instance.pk).exists():
            self.add_error("name", "There is already a playbook with this name.")
        self.instance.steps = [step.as_json() for step in steps]
        return values

    def _step(self, number: int, values: dict[str, Any]) -> Step | None:
        """The step of this row, None for an empty one; what is wrong with it is said beside it."""
        key, name_key = f"act_{number}", f"name_{number}"
        act, chosen = values.get(key, ""), values.get(name_key, "")
        if {key, name_key} & self.errors.keys() or not (act or chosen):
            return None
        if not act:
            self.add_error(key, "Choose what to do.")
            return None
        kind, _, name = chosen.partition(":")
        wanted = ACTS[act].catalogue
        if kind != wanted:
            choose = (
                f"Choose {_ONE_OF[wanted]}." if wanted else "Leave this empty: the step uses the lead’s own payments."
            )
            self.add_error(name_key, choose)
            return None
        step = Step(act, name)
        if any(_key(step) == _key(Step(**other)) for other in self._before(number, values)):
            self.add_error(key, "This is already in the playbook. Each subscription, tag or list can appear only once.")
        return step

    def _before(self, number: int, values: dict[str, Any]) -> Iterator[dict[str, str]]:
        for row in range(1, number):
            if act := values.get(f"act_{row}", ""):
                yield {"act": act, "name": values.get(f"name_{row}", "").partition(":")[2]}


def _key(step: Step) -> str:
    """What the step touches: the same thing may not be touched twice, for a later step is judged by what stands now."""
    catalogue = ACTS[step.act].catalogue
    return f"{catalogue}:{step.name}" if catalogue else step.act


class RunForm(MoneyForm):
    """Starts a playbook as it was previewed. A reason is asked for where money is among the steps."""

    chosen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, playbook: Playbook, lead_id: str, chosen: str) -> None:
        super().__init__(data, about=f"{playbook.account_id}.{lead_id}.playbook.{playbook.pk}.{chosen}")
        self.initial["chosen"] = chosen
        if not any(step.is_money for step in steps_of(playbook.steps)):
            del self.fields["reason"], self.fields["note"]

    @property
    def terms(self) -> Terms:
        values = self.cleaned_data
        return Terms(values.get("reason", ""), values.get("note", ""), values["seen"].digest)


class CloseForm(forms.Form):
    """Leaves the rest of a run undone."""

    note = forms.CharField(label="Why is the rest not done?", max_length=500, widget=forms.Textarea({"rows": 2}))


def seen_of(preview: Preview) -> Seen:
    """What the preview shows, to tell afterwards what changed."""
    shown = {f"Step {place}": f"{line.sentence} {line.note}".strip() for place, line in enumerate(preview.lines, 1)}
    return Seen(preview.digest, shown)

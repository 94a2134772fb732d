from leads.models.desk import Catalogue, Note, Recent, Recipe
from leads.models.money import Approval, Limit, Playbook, PlaybookRun, Reason
from leads.models.operations import OPEN, Operation, OperationStep, Outcome

__all__ = [
    "OPEN",
    "Approval",
    "Catalogue",
    "Limit",
    "Note",
    "Operation",
    "OperationStep",
    "Outcome",
    "Playbook",
    "PlaybookRun",
    "Reason",
    "Recent",
    "Recipe",
]

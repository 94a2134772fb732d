from leads.models.desk import Catalogue, Note, Recent, Recipe
from leads.models.operations import Operation, OperationStep, Outcome

__all__ = ["Catalogue", "Note", "Operation", "OperationStep", "Outcome", "Recent", "Recipe"]

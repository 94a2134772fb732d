"""Who you are, what you hold, what you did."""

from accounts.models.audit import AuditEntry, ChainHead
from accounts.models.connections import Account, Connection
from accounts.models.subjects import Forgotten, IndexKey, Subject, SubjectTerm
from accounts.models.users import User

__all__ = [
    "Account",
    "AuditEntry",
    "ChainHead",
    "Connection",
    "Forgotten",
    "IndexKey",
    "Subject",
    "SubjectTerm",
    "User",
]

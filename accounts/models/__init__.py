"""Who you are, what you hold, what you did."""

from accounts.models.audit import AuditEntry, ChainHead
from accounts.models.audit_use import AuditTerm, SavedFilter
from accounts.models.checkpoints import AnchorAttempt, Checkpoint, KeyVoucher, SigningTurn
from accounts.models.connections import Account, Connection
from accounts.models.subjects import Forgotten, IndexKey, Subject, SubjectTerm
from accounts.models.users import User

__all__ = [
    "Account",
    "AnchorAttempt",
    "AuditEntry",
    "AuditTerm",
    "ChainHead",
    "Checkpoint",
    "Connection",
    "Forgotten",
    "IndexKey",
    "KeyVoucher",
    "SavedFilter",
    "SigningTurn",
    "Subject",
    "SubjectTerm",
    "User",
]

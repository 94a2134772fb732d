"""Evidence packs: what the log holds about one lead or one operation, with all that proves it, as one zip."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts import subjects
from accounts.evidence import script
from accounts.models import Account, AuditEntry, User
from accounts.models.audit import AuditEntries
from accounts.selectors import exports as selectors
from accounts.selectors.checkpoints import present_key, signing_keys
from accounts.selectors.exports import Scope
from accounts.services import access, audit
from accounts.services.exports import lines, sign_upto
from kartra_admin.lib.errors import AppError

# So many entries go into one pack; its page is to be read by a person.
MOST = 2000


class PackRefused(AppError):
    """There is nothing to prove, or too much for one pack."""


@dataclass(frozen=True)
class About:
    """``words`` are kept and hold no value of a lead; ``target`` is what the entry about the pack is about."""

    entries: AuditEntries
    words: str
    title: str
    target: Mapping[str, Any] = field(default_factory=dict)


def about_operation(operation_id: UUID) -> About:
    words = f"operation {operation_id}"
    return About(AuditEntry.objects.filter(operation_id=operation_id), words, words.capitalize())


def about_lead(account: Account, lead_id: str) -> About:
    """Everything about a lead of this account. Nothing, where nothing was kept or the lead was forgotten."""
    subject = subjects.find_lead(account.pk, lead_id)
    return _about_subjects([subject.pk] if subject else [])


def about_same_lead(entry_id: int) -> About:
    """Everything about the lead that this entry is about; the entry alone, where it is about none."""
    entry = AuditEntry.objects.filter(pk=entry_id).first()
    if entry and entry.subject_id and entry.target_kind == "lead":
        return _about_subjects([entry.subject_id])
    return About(AuditEntry.objects.filter(pk=entry_id), f"entry {entry_id}", f"Entry {entry_id}")


def _about_subjects(keys: list[int]) -> About:
    entries = AuditEntry.objects.filter(subject_id__in=subjects.family(keys))
    known = [entry for entry in entries.readable().order_by("-pk")[:20] if entry.about_id and entry.account_id]
    if not known:
        return About(entries, "one lead", "One lead")
    newest = next((entry for entry in known if entry.target_name), known[0])
    target = {
        "account": Account.objects.filter(pk__in=[newest.account_id]).first(),
        "target_kind": "lead",
        "target_id": newest.about_id,
        "target_name": newest.target_name,
    }
    return About(entries, "one lead", newest.target_name or f"Lead {newest.about_id}", target)


def refuse(actor: User, why: str) -> NoReturn:
    """Write down that there is no pack, and raise `PackRefused`."""
    audit.record(action="audit.pack.denied", outcome="denied", actor=actor, detail={"why": why})
    raise PackRefused(why)


def make(*, actor: User, about: About, page: Callable[[dict[str, Any]], str]) -> bytes:
    """The pack as a zip, and the entry that it was made. ``page`` writes its page for people.

    Raises `Denied` and `PackRefused`.
    """
    access.require(actor, "audit.export")
    scope = selectors.scope_of(about.entries, about.words)
    if not scope.count:
        refuse(actor, "The log has no entries about this, so there is nothing to prove.")
    if scope.count > MOST:
        refuse(actor, f"The log holds {scope.count:,} entries about this, and a pack takes {MOST:,}. Export the log.")
    sign_upto(scope.last)
    pack = _zipped(scope, page({"about": about, **_facts(scope)}))
    detail = {"about": about.words, "rows": scope.count, "sha256": hashlib.sha256(pack).hexdigest()}
    audit.record(action="audit.pack.succeeded", outcome="succeeded", actor=actor, detail=detail, **about.target)
    return pack


def _facts(scope: Scope) -> dict[str, Any]:
    return {
        "scope": scope,
        "rows": [(entry, checkpoint) for entry, _, checkpoint in selectors.covered(scope)],
        "key": present_key(),
        "desk": settings.SITE_URL,
        "at": timezone.now(),
    }


def _zipped(scope: Scope, report: str) -> bytes:
    beside = {"report.html": report, "verify.py": script.source()}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in beside.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, text in {**beside, "public-keys.txt": keys_text()}.items():
            pack.writestr(name, text.encode())
        with pack.open("entries.ndjson", "w") as entries:
            for line in lines(scope, files=digests, prove_all=True):
                entries.write(line.encode())
    return file.getvalue()


def keys_text() -> str:
    """The file that the verifier reads: the present key, and behind ``#`` the older ones."""
    older = [key.public for key in signing_keys() if key.is_trusted and not key.is_present]
    lines = [f"# The public key that signs the audit log of {settings.SITE_URL}.", present_key()]
    if older:
        lines += ["# It vouches for these older ones. For a file from the time of one, take its # away.", *older]
        lines[-len(older) :] = [f"# {key}" for key in older]
    return "\n".join([*lines, ""])

"""Evidence packs: what the log holds about one lead or one operation, with all that proves it, as one zip."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone

from accounts import subjects
from accounts.evidence import script
from accounts.models import Account, AuditEntry, User
from accounts.models.audit import AuditEntries
from accounts.selectors import exports as selectors
from accounts.selectors.exports import Scope
from accounts.services import access, audit
from accounts.services.exports import lines, sign_upto
from kartra_admin.lib.errors import AppError

# So many entries go into one pack; its page is to be read by a person.
MOST = 2000
_IN_MEMORY = 8 * 1024 * 1024


class PackRefused(AppError):
    """There is nothing to prove, or too much for one pack."""


@dataclass(frozen=True)
class About:
    """``words`` are kept and hold no value of a lead; ``target`` is what the entry about the pack is about."""

    entries: AuditEntries
    words: str
    title: str
    target: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pack:
    """``file`` is closed by whoever takes it."""

    file: IO[bytes]
    name: str


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
    if entry and entry.subject_id:
        return _about_subjects([entry.subject_id])
    return About(AuditEntry.objects.filter(pk=entry_id), f"entry {entry_id}", f"Entry {entry_id}")


def _about_subjects(keys: list[int]) -> About:
    entries = AuditEntry.objects.filter(subject_id__in=subjects.family(keys))
    known = [entry for entry in entries.readable().order_by("-pk")[:20] if entry.about_id and entry.account_id]
    if not known:
        return About(entries, "one lead", "One lead")
    newest = known[0]
    target = {
        "account": Account.objects.filter(pk=newest.account_id).first(),
        "target_kind": "lead",
        "target_id": newest.about_id,
        "target_name": newest.target_name,
    }
    return About(entries, "one lead", newest.target_name or f"Lead {newest.about_id}", target)


def refuse(actor: User, why: str) -> NoReturn:
    """Write down that there is no pack, and raise `PackRefused`."""
    audit.record(action="audit.pack.denied", outcome="denied", actor=actor, detail={"why": why})
    raise PackRefused(why)


def make(*, actor: User, about: About) -> Pack:
    """The pack as a zip, and the entry that it was made. Raises `Denied` and `PackRefused`."""
    access.require(actor, "audit.export")
    scope = selectors.scope_of(about.entries, about.words)
    if not scope.count:
        refuse(actor, "The log holds nothing about this, so there is nothing to prove.")
    if scope.count > MOST:
        refuse(actor, f"The log holds {scope.count:,} entries about this, and a pack takes {MOST:,}: export the log.")
    sign_upto(scope.last)
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (it is closed when it was sent)
    _write(file, scope, about)
    file.seek(0)
    digest = hashlib.sha256()
    while part := file.read(65536):
        digest.update(part)
    file.seek(0)
    detail = {"about": about.words, "rows": scope.count, "sha256": digest.hexdigest()}
    audit.record(action="audit.pack.succeeded", outcome="succeeded", actor=actor, detail=detail, **about.target)
    return Pack(file, f"evidence-{timezone.localtime():%Y-%m-%d-%H%M}.zip")


def _write(file: IO[bytes], scope: Scope, about: About) -> None:
    keys = selectors.public_keys()
    beside = {"report.html": _report(scope, about, keys), "verify.py": script.source()}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in beside.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, text in {**beside, "public-keys.txt": keys_text(keys)}.items():
            pack.writestr(name, text.encode())
        with pack.open("entries.ndjson", "w") as entries:
            for line in lines(scope, files=digests, prove_all=True):
                entries.write(line.encode())


def _report(scope: Scope, about: About, keys: list[str]) -> str:
    """A page for who is to be convinced."""
    context = {
        "about": about,
        "scope": scope,
        "rows": [(entry, checkpoint) for entry, _, checkpoint in selectors.covered(scope)],
        "keys": keys,
        "desk": settings.SITE_URL,
        "at": timezone.now(),
    }
    return render_to_string("accounts/audit/report.html", context)


def keys_text(keys: Iterable[str]) -> str:
    """The file that the verifier reads."""
    head = f"# Public keys that sign the audit log of {settings.SITE_URL}, the newest last."
    return "\n".join([head, *keys, ""])

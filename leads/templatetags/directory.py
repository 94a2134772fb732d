"""How the directory's people look: what matched, where they are from, how fresh it is."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kartra_admin.lib import folding
from leads.models import Entry, MarkKind
from leads.selectors.search import Hit
from leads.templatetags.desk import ago

register = template.Library()
STALE_AFTER = timedelta(days=7)


@register.simple_tag
def marked(text: str, parts: Sequence[str]) -> SafeString:
    """The text with what was found in it marked."""
    numbers = [place for part in parts if part.isdigit() for place in folding.find_digits_in(text, part)]
    pieces, end = [], 0
    for start, stop in folding.find_in(text, parts) or numbers:
        pieces += [("", text[end:start], ""), ("<mark>", text[start:stop], "</mark>")]
        end = stop
    pieces.append(("", text[end:], ""))
    return format_html_join("", "{}{}{}", ((SafeString(head), piece, SafeString(tail)) for head, piece, tail in pieces))


@register.filter
def lead_url(entry: Entry) -> str:
    """Where the lead is read and shown; by the email where its id is not known."""
    if entry.lead_id:
        return reverse("leads:detail", args=[entry.lead_id])
    return f"{reverse('leads:find')}?{urlencode({'q': entry.email})}"


@register.filter
def place(entry: Entry) -> str:
    return ", ".join(filter(None, (entry.city, entry.state, entry.country)))


@register.filter
def rest_of_hit(hit: Hit) -> str:
    """The company or the place, or what else it was found by: the phone, or the other of the two."""
    entry = hit.entry
    shown = f"{entry.name} {entry.email}"
    others = [entry.phone, entry.company, place(entry)]
    wanted = [part for part in hit.parts if not _holds(shown, part)]
    return next((text for text in others if any(_holds(text, part) for part in wanted)), entry.company or place(entry))


def _holds(text: str, part: str) -> bool:
    return bool(folding.find_in(text, [part])) or (part.isdigit() and bool(folding.find_digits_in(text, part)))


@register.filter
def freshness(entry: Entry) -> SafeString:
    """'read 3 min ago', or why it may be wrong."""
    if entry.gone_at:
        since = timezone.localtime(entry.gone_at)
        return format_html('<span class="is-gone">gone since {} {}</span>', since.day, f"{since:%b %Y}")
    if entry.lead_read_at is None:
        return format_html('<span class="is-stale">{}</span>', "never read")
    is_stale = timezone.now() - entry.lead_read_at > STALE_AFTER
    return format_html(
        '<span class="{}">read {}</span>', "is-stale" if is_stale else "is-fresh", ago(entry.lead_read_at)
    )


@register.simple_tag
def cell(entry: Entry, column: str) -> SafeString | str:
    """What stands in this column of the directory."""
    if column in _KINDS:
        names = [mark.name for mark in entry.marks.all() if mark.kind == _KINDS[column]]
        more = (
            format_html(' <span class="muted">and {} more</span>', len(names) - _SHOWN) if len(names) > _SHOWN else ""
        )
        chips = format_html_join(
            " ", '<bdi class="chip" title="{}">{}</bdi>', ((name, name) for name in names[:_SHOWN])
        )
        return format_html('<span class="cell-chips">{}{}</span>', chips, more) if names else ""
    return _CELLS[column](entry)


_SHOWN = 3
_KINDS = {
    "tags": MarkKind.TAG,
    "lists": MarkKind.LIST,
    "sequences": MarkKind.SEQUENCE,
    "memberships": MarkKind.MEMBERSHIP,
    "products": MarkKind.PRODUCT,
}


def _standing(entry: Entry) -> SafeString | str:
    said = [word for word in ("deleted", "blacklisted") if getattr(entry, word)]
    return format_html_join(" ", '<span class="badge is-failed">{}</span>', ((word.capitalize(),) for word in said))


def _email(email: str) -> SafeString:
    """Where it has to break, it does so before the domain."""
    name, at, domain = email.rpartition("@")
    return format_html('<bdi class="cell-email" title="{}">{}<wbr>{}{}</bdi>', email, name, at, domain)


def _named(text: str) -> SafeString | str:
    return format_html('<bdi class="cell-name">{}</bdi>', text) if text else ""


_CELLS: dict[str, Callable[[Entry], SafeString | str]] = {
    "email": lambda entry: _email(entry.email),
    "id": lambda entry: entry.lead_id or "not known",
    "phone": lambda entry: entry.phone,
    "company": lambda entry: _named(entry.company),
    "place": lambda entry: _named(place(entry)),
    "standing": _standing,
    "seen": lambda entry: ago(entry.seen_at),
    "changed": lambda entry: ago(entry.changed_at),
    "read": lambda entry: format_html('<span class="freshness">{}</span>', freshness(entry)),
    "money": lambda entry: ago(entry.money_read_at),
}

"""Reading the envelope of an answer: which part of it tells of which command, and what became of each.

Kartra answers in five shapes: flat, enveloped in ``actions``, a bare fragment, a result or a lead at the top level.
Which one comes is not settled by the command. For the command at a position we look at ``actions`` by position, then
for an entry that can only be this command's, then for the command at the top level, then at the answer itself.

Nothing counts as a success that does not say so about this very command, and an answer that cannot be understood is
an error on a read and an unknown outcome on a write.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from leads.providers.base import Outcome
from leads.providers.errors import OutcomeUnknown, ProviderError, Unreadable
from leads.providers.kartra import codes, commands
from leads.providers.kartra.values import as_items, as_map, as_text, id_of, is_index, load, word

Body = Mapping[str, Any]

UNCLEAR: Final = (
    "Kartra gave no clear answer to this change. It may or may not have been made: read again what Kartra has now, "
    "and do not send the change a second time before that."
)
_LONGEST_WORDS = 300


def decode(content: bytes) -> Body:
    """The answer as a map, whatever its content type says. Raises ValueError for anything else."""
    body = load(content.decode("utf-8", errors="replace"))
    if isinstance(body, str):
        body = load(body)
    if not isinstance(body, dict):
        raise ValueError("an answer is a map")
    return body


def flat_error(body: Body) -> ProviderError | None:
    """The error of an answer that says nothing else: credentials refused, no such lead, a first action refused."""
    if _status(body) != "error" or _entries(body) or any(name in body for name in commands.ALL):
        return None
    return _error(body)


def result(body: Body, asked: Sequence[str], index: int, *keys: str) -> Any:
    """What a read at this position gave, under the first of the keys that is there; None where nothing is.

    Raises the `ProviderError` that Kartra answered with.
    """
    element = _read(body, asked, index)
    return next((element[key] if element[key] is not None else "" for key in keys if key in element), None)


def first_list(body: Body, command: str) -> Any:
    """The first list in what a call of this one read gave; None where there is none. Raises as `result` does."""
    return next((value for value in _read(body, (command,), 0).values() if isinstance(value, list)), None)


def results_of(body: Body, command: str, key: str) -> list[Any]:
    """What the elements of this command gave under the key, wherever they stand."""
    return [as_map(entry[command]).get(key) for entry in _entries(body).values() if command in entry]


def says_success(body: Body, command: str) -> bool:
    """Whether the one read of a call says success in so many words. Raises as `result` does."""
    return _status(_read(body, (command,), 0)) == "success"


def outcomes(body: Body, asked: Sequence[str]) -> tuple[Outcome, ...]:
    """What became of each command of a call that writes."""
    if (error := flat_error(body)) is not None:
        return _of_flat_error(error, asked)
    return tuple(_outcome(_element(body, asked, index), command) for index, command in enumerate(asked))


def failed_or_unknown(error: ProviderError) -> Outcome:
    """The outcome of a change that did not succeed for sure."""
    is_unknown = isinstance(error, OutcomeUnknown)
    return Outcome("unknown" if is_unknown else "failed", error, code=error.code, words=error.words)


def _refused(error: ProviderError, command: str) -> Outcome:
    """The outcome of a command that was answered with an error. One that neither has a number nor names the reason in
    words that are known refuses nothing: it may have come after the change was made. Where money moves, only a number
    that is documented as a refusal of this command is one: any other may have come after the gateway was asked."""
    is_said = bool(error.code) or codes.is_no_such_lead(error)
    if not is_said or (command in commands.MONEY and not codes.is_refusal(error.code, command)):
        return _unclear(error)
    return failed_or_unknown(error)


def _unclear(error: ProviderError) -> Outcome:
    told = OutcomeUnknown(UNCLEAR, code=error.code, words=error.words)
    return Outcome("unknown", error if isinstance(error, OutcomeUnknown) else told, error.code, error.words)


def _of_flat_error(error: ProviderError, asked: Sequence[str]) -> tuple[Outcome, ...]:
    """One error for a whole call, which tells of all its actions only where it can have come before the first."""
    refused, unknown = _refused(error, asked[0]), _unclear(error)
    if len(asked) == 1:
        return (refused,)
    if error.code in codes.BEFORE_ANY_ACTION:
        return (failed_or_unknown(error),) * len(asked)
    if asked[0] != "create_lead" and codes.is_no_such_lead(error):
        missing = failed_or_unknown(error)
        return tuple(missing if command in commands.WRITES_ON_A_LEAD else unknown for command in asked)
    could_be = [codes.is_documented(error.code, command) for command in asked]
    if could_be[0] and not any(could_be[1:]):
        return (refused, *(unknown,) * (len(asked) - 1))
    return (unknown,) * len(asked)


def _outcome(element: Body | None, command: str) -> Outcome:
    status = _status(element) if element is not None else ""
    if element is None or status not in ("success", "error"):
        return Outcome("unknown", OutcomeUnknown(UNCLEAR))
    if status == "error":
        return _refused(_error(element), command)
    given = {
        "lead_id": id_of(as_map(element.get("lead_details")).get("id")),
        "refunded_transaction_id": id_of(element.get("transaction_refunded")),
        "subscription_id": id_of(element.get("transaction_internal_subscription_id")),
        "gateway_subscription_id": id_of(element.get("transaction_subscription_id")),
    }
    return Outcome("succeeded", None, *_said(element), data={key: value for key, value in given.items() if value})


def _read(body: Body, asked: Sequence[str], index: int) -> Body:
    """What tells of the read at this position, if anything does. Raises the error that Kartra answered with."""
    if (error := flat_error(body)) is not None:
        raise error
    element = _element(body, asked, index) or {}
    if _status(element) == "error":
        raise _error(element)
    return element


def _element(body: Body, asked: Sequence[str], index: int) -> Body | None:
    """The part of the answer that tells of the command at this position, or None."""
    command = asked[index]
    is_repeated = asked.count(command) > 1
    entries = _entries(body)
    if _in_step(entries, asked) and command in (entry := entries.get(index, {})):
        is_this_one = not is_repeated or _is_placed(entries, asked, command)
        return (as_map(entry[command]) or None) if is_this_one else None
    if is_repeated:
        return None
    named = [entry[command] for entry in entries.values() if command in entry]
    if len(named) == 1:
        return as_map(named[0]) or None
    if command in body:
        return as_map(body[command]) or None
    is_flat = "actions" not in body and not any(name in body for name in commands.ALL)
    return body if is_flat and (len(asked) == 1 or command in commands.READS) else None


def _entries(body: Body) -> dict[int, dict[str, Any]]:
    """``actions`` by position. A PHP map keeps its own numbers; one keyed by commands has their order.

    Empty for what is no list: it tells of no command then, and each reader has its own word for that.
    """
    try:
        items = as_items(body.get("actions"))
    except Unreadable:
        return {}
    if all(is_index(key) for key, _ in items):
        return {int(key): as_map(item) for key, item in items}
    return {place: {key: item} for place, (key, item) in enumerate(items)}


def _in_step(entries: Mapping[int, Mapping[str, Any]], asked: Sequence[str]) -> bool:
    """Whether no entry is of another command than was asked at its position; else positions prove nothing."""
    return all(not entry or (place < len(asked) and asked[place] in entry) for place, entry in entries.items())


def _is_placed(entries: Mapping[int, Mapping[str, Any]], asked: Sequence[str], command: str) -> bool:
    """Whether its place tells which of several like commands an entry is of. Where one is lacking, those after it may
    have moved up: nothing is told then, unless the keys of a PHP map leave its place open (a map may count from 1)."""
    if len(entries) >= len(asked) or sum(command in entry for entry in entries.values()) == asked.count(command):
        return True
    places = sorted(entries)
    return places not in ([*range(len(places))], [*range(1, len(places) + 1)])


def _status(part: Body) -> str:
    return as_text(part.get("status")).strip().casefold()


def _said(part: Body) -> tuple[str, str]:
    """Kartra's number and words."""
    return word(part.get("type")), word(part.get("message"))[:_LONGEST_WORDS]


def _error(part: Body) -> ProviderError:
    return codes.error_for(*_said(part))

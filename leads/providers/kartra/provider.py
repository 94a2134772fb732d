"""Kartra as a provider: our interface on one side, calls and answers on the other."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from leads.providers.base import FieldDefinition, Lead, LeadRef, Money, Outcome, Subscription, Transaction
from leads.providers.changes import Change, CreateLead, EditLead
from leads.providers.errors import (
    Misconfigured,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    Unavailable,
    Unreadable,
    Unsendable,
)
from leads.providers.kartra import answers, codes, commands, parse
from leads.providers.kartra.client import KartraClient
from leads.providers.kartra.values import as_map, id_of

# A call carries at most 900 variables (`wire.MAX_VARIABLES`), and a detail takes two of them.
MOST_DETAILS = 440
MOST_READ_ALONE = 20

_WRONG_DATE_FORM = "260"


class _Kind(NamedTuple):
    """How one kind of a lead's money is listed and looked up. Today's names come before older ones."""

    list_command: str
    list_keys: tuple[str, ...]
    ids: tuple[str, ...]
    details_command: str
    details_key: str

    def details_of(self, row_id: str) -> commands.Params:
        return {"cmd": self.details_command, self.ids[0]: row_id}


_TRANSACTIONS = _Kind(
    "retrieve_transactions_from_lead",
    ("transaction_list",),
    ("transaction_id",),
    "get_transaction_details",
    "transaction_details",
)
_SUBSCRIPTIONS = _Kind(
    "retrieve_subscriptions_from_lead",
    ("subscriptions_list", "subscription_list"),
    ("subscription_id", "transaction_internal_subscription_id"),
    "get_subscription_details",
    "subscription_details",
)

_Rows = dict[str, dict[str, Any]]
_Details = dict[tuple[_Kind, str], dict[str, Any] | None]  # None where Kartra refuses them


class KartraProvider:
    """Implements `leads.providers.base.Provider`; see there for what is returned and raised."""

    def __init__(self, client: KartraClient) -> None:
        self._client = client

    def check_credentials(self) -> None:
        self.list_tags()

    # Leads

    def get_lead(self, ref: LeadRef) -> Lead:
        """Kartra's page on this command names the email only, while clients send the id and are answered. So the id
        goes first, and where Kartra takes none, the email once. An address may have moved to somebody else since."""
        try:
            return self._lead(ref)
        except (NotFound, Refused) as error:
            if not (ref.id and ref.email and codes.may_want_email(error)):
                raise
            lead = self._lead(LeadRef(email=ref.email))
            if lead.id != ref.id:
                raise
            return lead

    def _lead(self, ref: LeadRef) -> Lead:
        body = self._client.call({"get_lead": commands.lead_named(ref)}, is_write=False)
        details = answers.result(body, ("get_lead",), 0, "lead_details")
        lead = parse.lead(as_map(details), read_at=datetime.now(UTC))
        if lead is None or (ref.id and lead.id != ref.id):
            raise Unreadable
        return lead

    def find_lead_id(self, ref: LeadRef) -> str:
        """What a success holds is on no page: where it holds no id, the whole lead is read."""
        call = {"lead": commands.lead_named(ref), "actions": [{"cmd": "search_lead"}]}
        body = self._client.call(call, is_write=False)
        details = answers.result(body, ("search_lead",), 0, "lead_details")
        return parse.lead_id(details) or self.get_lead(ref).id

    def other_addresses_of_new(self, email: str) -> tuple[str, ...]:
        """In the test mode of an App Kartra keeps john@example.com as john@kartra.com, and no answer tells which mode
        it is (page 'Activating your App')."""
        return (f"{email.rpartition('@')[0]}@kartra.com",)

    # The account

    def list_tags(self) -> tuple[str, ...]:
        return parse.names(self._read({"cmd": "retrieve_account_tags"}, "account_tags"), "tag_name")

    def list_lists(self) -> tuple[str, ...]:
        return parse.names(self._read({"cmd": "retrieve_account_lists"}, "account_lists"), "list_name")

    def list_sequences(self) -> tuple[str, ...]:
        return parse.names(self._read({"cmd": "retrieve_account_sequences"}, "account_sequences"), "sequence_name")

    def list_pages(self) -> tuple[str, ...]:
        """The key of the result is on no page: ``account_pages``, or the first list in the answer."""
        command = "retrieve_account_pages"
        body = self._client.call({"actions": [{"cmd": command}]}, is_write=False)
        found = answers.result(body, (command,), 0, "account_pages")
        if found is None and (found := answers.first_list(body, command)) is None:
            raise Unreadable
        return parse.names(found, "page_name")

    def list_fields(self) -> tuple[FieldDefinition, ...]:
        return parse.field_definitions(self._read({"cmd": "retrieve_custom_fields"}, "custom_fields"))

    # Money

    def has_transaction(self, transaction_id: str) -> bool:
        return self._exists({"cmd": "search_transaction", "transaction_id": transaction_id})

    def get_transaction(self, transaction_id: str) -> Transaction:
        return parse.transaction(transaction_id, {}, self._details_alone(_TRANSACTIONS, transaction_id))

    def list_transactions(self, ref: LeadRef) -> tuple[Transaction, ...]:
        return tuple(parse.transaction(row_id, row) for row_id, row in self._rows_alone(ref, _TRANSACTIONS).items())

    def has_subscription(self, subscription_id: str) -> bool:
        return self._exists({"cmd": "search_subscription", "subscription_id": subscription_id})

    def get_subscription(self, subscription_id: str) -> Subscription:
        return parse.subscription(subscription_id, {}, self._details_alone(_SUBSCRIPTIONS, subscription_id))

    def list_subscriptions(self, ref: LeadRef) -> tuple[Subscription, ...]:
        return tuple(parse.subscription(row_id, row) for row_id, row in self._rows_alone(ref, _SUBSCRIPTIONS).items())

    def get_money(self, ref: LeadRef) -> Money:
        rows = self._rows(ref)
        wanted = [(kind, row_id) for kind in (_SUBSCRIPTIONS, _TRANSACTIONS) for row_id in rows[kind]]
        details: _Details = self._details(wanted[:MOST_DETAILS])[0] if wanted else {}
        beyond = set(wanted[MOST_DETAILS:])

        def told(kind: _Kind, row_id: str) -> dict[str, Any]:
            key = kind, row_id
            is_refused = key in details and details[key] is None
            return {"details": details.get(key), "is_beyond": key in beyond, "is_refused": is_refused}

        return Money(
            tuple(
                parse.transaction(row_id, row, **told(_TRANSACTIONS, row_id))
                for row_id, row in rows[_TRANSACTIONS].items()
            ),
            tuple(
                parse.subscription(row_id, row, **told(_SUBSCRIPTIONS, row_id))
                for row_id, row in rows[_SUBSCRIPTIONS].items()
            ),
        )

    def add_details(self, money: Money, rows: Sequence[Transaction | Subscription]) -> Money:
        wanted = [(_SUBSCRIPTIONS if isinstance(row, Subscription) else _TRANSACTIONS, row.id) for row in rows]
        details: _Details = {}
        for start in range(0, len(wanted), MOST_DETAILS):
            found, error = self._details(wanted[start : start + MOST_DETAILS])
            if error:
                raise error
            details |= found
        return Money(
            tuple(
                parse.with_details(row, details[_TRANSACTIONS, row.id]) if (_TRANSACTIONS, row.id) in details else row
                for row in money.transactions
            ),
            tuple(
                parse.with_details(row, details[_SUBSCRIPTIONS, row.id]) if (_SUBSCRIPTIONS, row.id) in details else row
                for row in money.subscriptions
            ),
        )

    # Writes

    def send(self, ref: LeadRef, changes: Sequence[Change]) -> tuple[Outcome, ...]:
        """Raises Unsendable for what must not be sent: two changes of the lead itself, too much for one call, and what
        `commands` refuses. A payment date that Kartra refuses for its form goes a second time, with seconds.
        """
        if not changes:
            return ()
        order = sorted(range(len(changes)), key=lambda place: not isinstance(changes[place], CreateLead | EditLead))
        ordered = [changes[place] for place in order]
        if any(isinstance(change, CreateLead | EditLead) for change in ordered[1:]):
            raise Unsendable("a call makes or edits one lead, once")
        call = commands.call_for(ref, ordered)
        outcomes = self._write(call)
        for index, action in enumerate(call["actions"]):
            is_refused = outcomes[index].state == "failed" and outcomes[index].code == _WRONG_DATE_FORM
            if is_refused and "subscription_next_payment_date" in action:
                outcomes[index] = self._write({"actions": [commands.with_seconds(action)]})[0]
        by_place = dict(zip(order, outcomes, strict=True))
        return tuple(by_place[place] for place in range(len(changes)))

    def _write(self, call: commands.Params) -> list[Outcome]:
        asked = [action["cmd"] for action in call["actions"]]
        try:
            body = self._client.call(call, is_write=True)
        except ProviderError as error:
            return [answers.failed_or_unknown(error)] * len(asked)
        return list(answers.outcomes(body, asked))

    # Parts of reads

    def _read(self, action: commands.Params, *keys: str) -> Any:
        """The result of one action, which must be there."""
        body = self._client.call({"actions": [action]}, is_write=False)
        found = answers.result(body, (action["cmd"],), 0, *keys)
        if found is None:
            raise Unreadable
        return found

    def _exists(self, action: commands.Params) -> bool:
        body = self._client.call({"actions": [action]}, is_write=False)
        try:
            if answers.says_success(body, action["cmd"]):
                return True
        except NotFound:
            return False
        raise Unreadable

    def _rows(self, ref: LeadRef) -> dict[_Kind, _Rows]:
        """Both lists of a lead in one call; one that the answer lacks is read alone."""
        kinds = (_TRANSACTIONS, _SUBSCRIPTIONS)
        asked = [kind.list_command for kind in kinds]
        call = {"lead": commands.lead_named(ref), "actions": [{"cmd": command} for command in asked]}
        body = self._client.call(call, is_write=False)
        refused = answers.flat_error(body)
        if isinstance(refused, Misconfigured) or (refused is not None and codes.is_no_such_lead(refused)):
            raise refused
        rows = {}
        for index, kind in enumerate(kinds):
            found = None if refused else answers.result(body, asked, index, *kind.list_keys)
            rows[kind] = self._rows_alone(ref, kind) if found is None else parse.rows(found, *kind.ids)
        return rows

    def _rows_alone(self, ref: LeadRef, kind: _Kind) -> _Rows:
        call = {"lead": commands.lead_named(ref), "actions": [{"cmd": kind.list_command}]}
        body = self._client.call(call, is_write=False)
        found = answers.result(body, (kind.list_command,), 0, *kind.list_keys)
        if found is None:
            raise Unreadable
        return parse.rows(found, *kind.ids)

    def _details(self, wanted: Sequence[tuple[_Kind, str]]) -> tuple[_Details, ProviderError | None]:
        """Details of all rows in one call, by place or by id. Some of those that it did not bring are read alone, the
        rest is left out; None is what Kartra refuses by a number that it names for that. The error is one that may
        pass, and kept some of them from being told.

        The rows are known by now, so only refused credentials are worth failing for.
        """
        try:
            body = self._client.call({"actions": [kind.details_of(row_id) for kind, row_id in wanted]}, is_write=False)
        except (RateLimited, Unavailable) as error:
            return {}, error
        refused = answers.flat_error(body)
        if isinstance(refused, Misconfigured):
            raise refused
        asked = [kind.details_command for kind, _ in wanted]
        told = {
            (kind, id_of(details.get(kind.ids[0]))): details
            for kind in (_TRANSACTIONS, _SUBSCRIPTIONS)
            for details in map(as_map, answers.results_of(body, kind.details_command, kind.details_key))
        }
        found: _Details = {}
        lacking = []
        for index, (kind, row_id) in enumerate(wanted):
            details, is_refused = None, len(wanted) == 1 and _is_for_good(refused, kind)
            try:
                details = None if refused else self._details_at(body, asked, index, kind, row_id)
            except (NotFound, Refused) as error:
                is_refused = _is_for_good(error, kind)
            details = details or told.get((kind, row_id))
            if details is None and not is_refused:
                lacking.append((kind, row_id))
            else:
                found[kind, row_id] = details
        for kind, row_id in lacking[:MOST_READ_ALONE] if len(wanted) > 1 else []:
            try:
                found[kind, row_id] = self._details_alone(kind, row_id)
            except (NotFound, Refused) as error:
                if _is_for_good(error, kind):
                    found[kind, row_id] = None
            except (RateLimited, Unavailable) as error:
                return found, error
        return found, None if found.keys() >= set(wanted) else Unreadable()

    def _details_alone(self, kind: _Kind, row_id: str) -> dict[str, Any]:
        body = self._client.call({"actions": [kind.details_of(row_id)]}, is_write=False)
        details = self._details_at(body, (kind.details_command,), 0, kind, row_id)
        if details is None:
            raise Unreadable
        return details

    def _details_at(
        self, body: answers.Body, asked: Sequence[str], index: int, kind: _Kind, row_id: str
    ) -> dict[str, Any] | None:
        """The details at this position, unless they are another row's."""
        details = as_map(answers.result(body, asked, index, kind.details_key))
        return details if details and id_of(details.get(kind.ids[0])) in ("", row_id) else None


def _is_for_good(error: ProviderError | None, kind: _Kind) -> bool:
    """Whether no other reading brings the details. What Kartra says by another number, or by none, may pass."""
    return error is not None and codes.is_documented(error.code, kind.details_command)

"""Every documented cmd, and where its answer stands."""

from leads.providers.kartra.sandbox.commands import fields, following, leads, subscriptions, transactions
from leads.providers.kartra.sandbox.commands.edit_subscription import edit_subscription
from leads.providers.kartra.sandbox.desk import Command

COMMANDS = {
    "search_lead": Command(leads.search_lead, writes=False, bare="actions"),
    "create_lead": Command(leads.create_lead, bare="actions"),
    "edit_lead": Command(leads.edit_lead, bare="actions"),
    "subscribe_lead_to_list": Command(following.subscribe_lead_to_list),
    "unsubscribe_lead_from_list": Command(following.unsubscribe_lead_from_list),
    "retrieve_account_lists": Command(following.retrieve_account_lists, needs_lead=False, writes=False, single="flat"),
    "assign_tag": Command(following.assign_tag),
    "unassign_tag": Command(following.unassign_tag),
    "retrieve_account_tags": Command(following.retrieve_account_tags, needs_lead=False, writes=False, single="flat"),
    "give_points_to_lead": Command(following.give_points_to_lead),
    "remove_points_from_lead": Command(following.remove_points_from_lead),
    "subscribe_lead_to_sequence_at_step": Command(following.subscribe_lead_to_sequence_at_step),
    "unsubscribe_lead_from_sequence": Command(following.unsubscribe_lead_from_sequence),
    "retrieve_account_sequences": Command(
        following.retrieve_account_sequences, needs_lead=False, writes=False, single="flat"
    ),
    "retrieve_account_pages": Command(following.retrieve_account_pages, needs_lead=False, writes=False, single="flat"),
    "calendar_subscribe": Command(following.calendar_subscribe),
    "calendar_cancel": Command(following.calendar_cancel),
    "create_custom_field": Command(fields.create_custom_field, needs_lead=False),
    "retrieve_custom_fields": Command(fields.retrieve_custom_fields, needs_lead=False, writes=False, single="flat"),
    "search_transaction": Command(transactions.search_transaction, needs_lead=False, writes=False),
    "get_transaction_details": Command(
        transactions.get_transaction_details, needs_lead=False, writes=False, bare="fragment"
    ),
    "retrieve_transactions_from_lead": Command(
        transactions.retrieve_transactions_from_lead, writes=False, bare="fragment"
    ),
    "refund_transaction": Command(transactions.refund_transaction, needs_lead=False, bare="fragment"),
    "search_subscription": Command(subscriptions.search_subscription, needs_lead=False, writes=False),
    "get_subscription_details": Command(
        subscriptions.get_subscription_details, needs_lead=False, writes=False, bare="fragment"
    ),
    "retrieve_subscriptions_from_lead": Command(
        subscriptions.retrieve_subscriptions_from_lead, writes=False, bare="fragment"
    ),
    "edit_subscription": Command(edit_subscription, needs_lead=False, bare="actions"),
    "modify_subscription_status": Command(subscriptions.modify_subscription_status, needs_lead=False, bare="actions"),
    "cancel_transaction": Command(subscriptions.cancel_transaction, needs_lead=False, bare="fragment"),
}

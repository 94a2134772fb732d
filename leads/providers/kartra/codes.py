"""Kartra's error numbers: what the caller does next, and a sentence a person can act on. Data, and two look-ups.

Numbers come from the page 'Success and error confirmation messages' and from the page of each command. Kartra's own
words are not kept here: they have changed over the years, so only the number decides (and the text 'No lead found',
which comes with different numbers or none).
"""

from typing import NamedTuple

from leads.providers.errors import AlreadyDone, Deleted, Misconfigured, NotFound, OutcomeUnknown, ProviderError, Refused


class Code(NamedTuple):
    """``commands`` are those it is documented for, or ``GLOBAL``, or ``ON_A_LEAD``."""

    error: type[ProviderError]
    sentence: str
    commands: tuple[str, ...]


GLOBAL = ("global",)
ON_A_LEAD = "lead actions"

_OUR_MISTAKE = "Nothing was changed. This is a mistake of this desk, not yours: please report it with the number."
_REFRESH = "Nothing was changed. Refresh the catalogue to see what the account has now."

CODES: dict[str, Code] = {
    # Set-up
    "201": Code(Misconfigured, "Kartra accepts https only. The administrator has to correct the API address.", GLOBAL),
    "202": Code(Misconfigured, "The connection has no API key. Enter it again on the connection page.", GLOBAL),
    "203": Code(
        Misconfigured,
        "Kartra does not know the API key. Copy it again from My API in Kartra and enter it on the connection page.",
        GLOBAL,
    ),
    "204": Code(
        Misconfigured, "The Kartra account of this API key is not active. Ask the owner of the account.", GLOBAL
    ),
    "233": Code(
        Misconfigured,
        "The API password does not belong to the API key. Copy both again from My API in Kartra.",
        GLOBAL,
    ),
    "238": Code(Misconfigured, "This desk has no App Id. The administrator has to set KARTRA_APP_ID.", GLOBAL),
    "239": Code(
        Misconfigured,
        "Kartra does not know the App Id, or the App was switched off. The administrator has to check KARTRA_APP_ID "
        "against My Apps in Kartra.",
        GLOBAL,
    ),
    "240": Code(
        Misconfigured,
        "The Kartra account that owns the App is not active. The administrator has to settle it with Kartra.",
        GLOBAL,
    ),
    "242": Code(
        Misconfigured,
        "Kartra accepts calls of this App from certain addresses only, and this server's is not among them. The "
        "administrator has to add it to the App in Kartra.",
        GLOBAL,
    ),
    "262": Code(
        Misconfigured,
        "The App may not do this in Kartra. The administrator has to grant the command to the App.",
        GLOBAL,
    ),
    # The shape of the call
    "206": Code(Refused, f"Kartra was told neither the id nor the email of the lead. {_OUR_MISTAKE}", GLOBAL),
    "223": Code(Refused, f"Kartra could not read which lead was meant. {_OUR_MISTAKE}", GLOBAL),
    "224": Code(Refused, f"Kartra could not read what to do. {_OUR_MISTAKE}", GLOBAL),
    "236": Code(Refused, f"Kartra could not read which lead was asked for. {_OUR_MISTAKE}", (*GLOBAL, "get_lead")),
    "254": Code(Refused, f"Kartra was not told which command to run. {_OUR_MISTAKE}", GLOBAL),
    # Leads
    "234": Code(NotFound, "Kartra has no lead with this email or id. Check it for typing errors.", ("get_lead",)),
    "243": Code(
        NotFound,
        "Kartra does not find this lead. It may have been deleted, or belong to another account.",
        ("search_lead", "edit_lead", ON_A_LEAD),
    ),
    "244": Code(
        AlreadyDone,
        "A lead with this email already exists. Nothing was changed. Open that lead instead.",
        ("create_lead",),
    ),
    "245": Code(
        Deleted,
        "This lead was deleted in Kartra, and cannot be read or changed from here.",
        ("get_lead", "search_lead", "create_lead", "edit_lead"),
    ),
    "271": Code(
        Refused,
        "A custom field did not take its value. Nothing was changed. Refresh the custom fields and try again.",
        ("create_lead", "edit_lead"),
    ),
    # Lists
    "207": Code(Refused, "No list was named. Choose a list to subscribe to.", ("subscribe_lead_to_list",)),
    "208": Code(Refused, "No list was named. Choose a list to unsubscribe from.", ("unsubscribe_lead_from_list",)),
    "209": Code(
        Refused, f"The list to unsubscribe from no longer exists in Kartra. {_REFRESH}", ("unsubscribe_lead_from_list",)
    ),
    "231": Code(
        Refused, f"The list no longer exists in Kartra, or was renamed. {_REFRESH}", ("subscribe_lead_to_list",)
    ),
    # Tags
    "211": Code(Refused, "No tag was named. Choose a tag to add.", ("assign_tag",)),
    "212": Code(Refused, f"The tag no longer exists in Kartra, or was renamed. {_REFRESH}", ("assign_tag",)),
    "213": Code(Refused, "No tag was named. Choose a tag to remove.", ("unassign_tag",)),
    "214": Code(Refused, f"The tag to remove no longer exists in Kartra. {_REFRESH}", ("unassign_tag",)),
    # Points
    "215": Code(Refused, "No points were given. Enter how many to add.", ("give_points_to_lead",)),
    "217": Code(Refused, "No points were given. Enter how many to remove.", ("remove_points_from_lead",)),
    "227": Code(Refused, "The points to add must be a whole number.", ("give_points_to_lead",)),
    "228": Code(Refused, "The points to remove must be a whole number.", ("remove_points_from_lead",)),
    # Sequences
    "219": Code(
        Refused,
        f"The sequence no longer exists in Kartra, or was renamed. {_REFRESH}",
        ("subscribe_lead_to_sequence_at_step",),
    ),
    "220": Code(
        Refused, f"The sequence to leave no longer exists in Kartra. {_REFRESH}", ("unsubscribe_lead_from_sequence",)
    ),
    "225": Code(
        Refused, "No step was given. Enter the number of the step to start at.", ("subscribe_lead_to_sequence_at_step",)
    ),
    "226": Code(
        Refused,
        "No sequence was named. Choose one.",
        ("subscribe_lead_to_sequence_at_step", "unsubscribe_lead_from_sequence"),
    ),
    "229": Code(
        Refused, "A step is named by letters and digits only, such as 1.", ("subscribe_lead_to_sequence_at_step",)
    ),
    "230": Code(
        Refused,
        "The sequence has no step of that number. Look up the step's box in Kartra.",
        ("subscribe_lead_to_sequence_at_step",),
    ),
    # Calendars
    "255": Code(Refused, "No calendar was named. Enter its name.", ("calendar_subscribe", "calendar_cancel")),
    "256": Code(Refused, "No class was named. Enter its name.", ("calendar_subscribe", "calendar_cancel")),
    "257": Code(
        Refused,
        "Kartra has no finished calendar of that name. Check the spelling in Kartra.",
        ("calendar_subscribe", "calendar_cancel"),
    ),
    "258": Code(
        Refused,
        "The calendar has no class of that name. Check the spelling in Kartra.",
        ("calendar_subscribe", "calendar_cancel"),
    ),
    "259": Code(Refused, "The lead has no open booking in that class, so none was cancelled.", ("calendar_cancel",)),
    "260": Code(
        Refused,
        "Kartra did not accept the date or the time. Nothing was changed. Check both and try again.",
        ("calendar_subscribe", "edit_subscription"),
    ),
    "261": Code(
        Refused,
        "The date is in the past on Kartra's clock (EST). Choose a later one.",
        ("calendar_subscribe", "edit_subscription"),
    ),
    # Custom fields
    "263": Code(
        Refused,
        "A custom field is named with letters, digits, dashes and underscores only. Choose such a name.",
        ("create_custom_field",),
    ),
    "264": Code(
        Refused,
        "A custom field with that name already exists, or Kartra reserves the name. Choose another.",
        ("create_custom_field",),
    ),
    "265": Code(Refused, "The custom field has no name. Enter one.", ("create_custom_field",)),
    "269": Code(Refused, "Kartra has no such kind of custom field. Choose one of the five.", ("create_custom_field",)),
    "270": Code(Refused, f"Kartra could not read the options of the field. {_OUR_MISTAKE}", ("create_custom_field",)),
    "272": Code(Refused, "An option has no name. Fill it in or remove it.", ("create_custom_field",)),
    "273": Code(Refused, "A field of this kind needs at least two options. Add one.", ("create_custom_field",)),
    # Transactions
    "247": Code(
        NotFound,
        "Kartra has no payment with this transaction id. Reload the lead's payments.",
        ("search_transaction", "get_transaction_details", "refund_transaction"),
    ),
    "250": Code(
        Refused,
        "The time in which Kartra refunds this payment is over. Refund it at the payment processor instead.",
        ("refund_transaction",),
    ),
    "251": Code(
        AlreadyDone, "This payment has been refunded before. It was not refunded again.", ("refund_transaction",)
    ),
    "253": Code(
        Refused,
        "Only real sales and rebills can be refunded or cancelled. This is another kind of payment, or a test.",
        ("refund_transaction", "cancel_transaction"),
    ),
    "266": Code(
        OutcomeUnknown,
        "Kartra reports that the refund failed, and does not say whether money moved. Do not repeat it: reload the "
        "lead's payments first, and check the payment processor.",
        ("refund_transaction",),
    ),
    "268": Code(
        Refused,
        "Kartra did not accept the amount. Write digits and a dot, such as 19.95.",
        ("refund_transaction", "edit_subscription"),
    ),
    # Subscriptions
    "248": Code(
        NotFound,
        "Kartra has no subscription with this number. Reload the lead's subscriptions.",
        (
            "search_subscription",
            "get_subscription_details",
            "edit_subscription",
            "modify_subscription_status",
            "cancel_transaction",
        ),
    ),
    "249": Code(
        Refused,
        "This payment was made once and belongs to no subscription, so none was cancelled.",
        ("cancel_transaction",),
    ),
    "252": Code(
        AlreadyDone,
        "This subscription was cancelled before. Nothing was left to do.",
        ("cancel_transaction", "modify_subscription_status"),
    ),
    "267": Code(
        OutcomeUnknown,
        "Kartra reports that the cancellation failed, and does not say how far it came. Do not repeat it: read the "
        "subscription first.",
        ("cancel_transaction", "modify_subscription_status"),
    ),
    "274": Code(
        Refused,
        f"A subscription can be cancelled, paused or resumed, and Kartra understood none of them. {_OUR_MISTAKE}",
        ("modify_subscription_status",),
    ),
    "275": Code(
        Refused,
        "The subscription is cancelled or has ended, and can no longer be changed. The customer has to buy again.",
        ("modify_subscription_status", "edit_subscription"),
    ),
    "276": Code(Refused, "The quantity must be between 1 and 9999. Correct it.", ("edit_subscription",)),
    "277": Code(Refused, "The price must be between 1.00 and 9999.99. Correct it.", ("edit_subscription",)),
    "278": Code(
        Refused, "One of the values must be a number and is not. Check the numbers typed.", ("edit_subscription",)
    ),
    "280": Code(
        Refused, "This price point cannot be charged at that interval. Choose another.", ("edit_subscription",)
    ),
    "281": Code(
        Refused,
        "The interval of this subscription is fixed by its price point. Leave it as it is.",
        ("edit_subscription",),
    ),
    "282": Code(
        Refused,
        "The payments left must be a whole number, or 'until cancelled'. Correct them.",
        ("edit_subscription",),
    ),
    "283": Code(
        Refused,
        "The product has no such price point. Enter a product and one of its price points.",
        ("edit_subscription",),
    ),
    "284": Code(
        Refused,
        "This subscription is charged by PayPal: it can be cancelled, and neither paused nor changed.",
        ("modify_subscription_status", "edit_subscription"),
    ),
    "285": Code(Refused, "Nothing was given to change. Fill in at least one value.", ("edit_subscription",)),
    "290": Code(Refused, "The tax must be between 0 and 100 percent. Correct it.", ("edit_subscription",)),
}

# Refused before any action is looked at. Not among them: 254 and 262, which may come in the middle of a call.
BEFORE_ANY_ACTION = frozenset(
    ("201", "202", "203", "204", "206", "223", "224", "233", "236", "238", "239", "240", "242")
)
# A call names one lead: where Kartra does not have it, no action on it can have been done.
NO_SUCH_LEAD = frozenset(("234", "243", "245"))

NAMELESS = "206"

_NO_LEAD_TEXTS = ("no lead found", "lead not found")
_NO_REASON = "Kartra refused this without giving a reason. Nothing was changed."


def error_for(number: str, words: str) -> ProviderError:
    """The error that a number stands for. One that nobody knows shows Kartra's own words."""
    if number not in CODES and words.strip(" .!").casefold() in _NO_LEAD_TEXTS:
        return NotFound(CODES["234"].sentence, code=number, words=words)
    if code := CODES.get(number):
        return code.error(code.sentence, code=number, words=words)
    said = f"“{words}”" if words else ""
    numbered = f"(number {number})" if number else ""
    told = " ".join(part for part in (said, numbered) if part)
    return Refused(f"Kartra refused this, in its own words: {told}." if told else _NO_REASON, code=number, words=words)


def is_no_such_lead(error: ProviderError) -> bool:
    """Whether Kartra does not have the lead of the call, told by number or by text."""
    return error.code in NO_SUCH_LEAD or error.sentence == CODES["234"].sentence


def may_want_email(error: ProviderError) -> bool:
    """Whether a lead that was named by id may be there all the same, for one who names it by email."""
    return error.code == NAMELESS or (is_no_such_lead(error) and not isinstance(error, Deleted))


def is_documented(number: str, command: str) -> bool:
    """Whether Kartra's pages name the number as an answer to the command."""
    return number in CODES and command in CODES[number].commands


def is_refusal(number: str, command: str) -> bool:
    """Whether the number says for certain that nothing of the command was done: documented for it, or answered before
    anything is looked at."""
    code = CODES.get(number)
    if code is None or code.error is OutcomeUnknown:
        return False
    return command in code.commands or "global" in code.commands

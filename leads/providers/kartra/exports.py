"""How Kartra calls a lead's fields, as a file taken from it may head its columns.

The API names are those of 'Lead: Retrieving data'; what Kartra's own export writes above its columns is not documented,
so only words are listed that its pages use for the same things.
"""

HEADINGS = {
    "lead_id": ("id", "lead id", "lead", "kartra id", "kartra lead id"),
    "email": ("email", "lead email", "buyer email"),
    "first_name": ("first name", "lead first name", "buyer first name"),
    "last_name": ("last name", "lead last name", "buyer last name"),
    "phone_code": ("phone country code", "lead phone country code"),
    "phone": ("phone", "phone number", "lead phone number"),
    "company": ("company",),
    "city": ("city", "lead city"),
    "state": ("state", "lead state"),
    "country": ("country", "lead country"),
    "tags": ("tags", "tag name", "tag names"),
    "lists": ("lists", "list name", "list names", "lists subscribed"),
    "sequences": ("sequences", "sequence name", "sequence names"),
    "memberships": ("memberships", "membership name", "membership names"),
    "products": ("products", "product name", "product names"),
}

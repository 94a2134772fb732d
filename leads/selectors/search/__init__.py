"""Finding leads in the directory."""

from collections.abc import Collection

from accounts.models import Account
from leads.models import Entry
from leads.selectors.search._matching import narrow
from leads.selectors.search._patience import TookTooLong, at_most
from leads.selectors.search.finding import Found, Hit, find, find_exactly, narrow_by

__all__ = ["Found", "Hit", "TookTooLong", "at_most", "find", "find_exactly", "narrow_by", "words_in_use"]


def words_in_use(account: Account, words: Collection[str]) -> set[str]:
    """Those of the words that some entry of the account has. One quick query each."""
    entries = Entry.objects.filter(account=account)
    return {word for word in words if narrow(account, entries, [[f" {word} "]]).exists()}

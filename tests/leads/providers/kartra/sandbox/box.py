"""Calls the sandbox as any program would, without the product's client."""

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from leads.providers.kartra.sandbox.app import create_app
from leads.providers.kartra.sandbox.credentials import ACCOUNTS, APP_ID, Account
from leads.providers.kartra.sandbox.notable import NOTABLE

FORM = "application/x-www-form-urlencoded"


def credentials(account: Account = ACCOUNTS[0]) -> dict[str, str]:
    return {"app_id": APP_ID, "api_key": account.api_key, "api_password": account.api_password}


def action(cmd: str, position: int = 0, /, **params: str) -> dict[str, str]:
    """An entry of ``actions``; ``a__b`` in a name is ``[a][b]`` on the wire."""
    named = {f"actions[{position}][{name.replace('__', '][')}]": value for name, value in params.items()}
    return {f"actions[{position}][cmd]": cmd, **named}


class Box:
    """A seeded sandbox."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.app = create_app(path)

    def raw(self, body: bytes, **environ: Any) -> tuple[str, dict[str, str], bytes]:
        """Status, headers and body of a call with this body."""
        answered: list[Any] = []
        call = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/api",
            "CONTENT_TYPE": FORM,
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        page = b"".join(self.app(call, lambda *given: answered.extend(given)))  # type: ignore[arg-type]
        return answered[0], dict(answered[1]), page

    def post(
        self, fields: dict[str, str], account: Account = ACCOUNTS[0], *, scheme: str = "https", ip: str = "127.0.0.1"
    ) -> dict[str, Any]:
        """The JSON that answers these fields; credentials are added unless they are given."""
        body = urlencode({**credentials(account), **fields}).encode()
        status, headers, page = self.raw(body, **{"wsgi.url_scheme": scheme, "REMOTE_ADDR": ip})
        assert status == "200 OK"
        assert headers["Content-Type"].startswith("text/html")
        answer: dict[str, Any] = json.loads(page)
        return answer

    def act(self, cmd: str, who: str = "", **params: str) -> dict[str, Any]:
        """The answer to one action, on a lead of `NOTABLE`."""
        named = {"lead[id]": NOTABLE[who].id} if who else {}
        return self.post({**named, **action(cmd, **params)})

    def did(self, cmd: str, who: str = "", **params: str) -> dict[str, Any]:
        """What stands in the envelope of one action."""
        result: dict[str, Any] = self.act(cmd, who, **params)["actions"][0][cmd]
        return result

    def number(self, cmd: str, who: str = "", **params: str) -> str:
        """The number of the error that answers one action."""
        body = self.act(cmd, who, **params)
        assert body["status"] == "Error"
        return str(body["type"])

    def lead(self, who: str) -> dict[str, Any]:
        return self.lead_by_id(NOTABLE[who].id)

    def lead_by_id(self, number: str) -> dict[str, Any]:
        details: dict[str, Any] = self.post({"get_lead[id]": number})["lead_details"]
        return details

    def tags(self, who: str) -> list[str]:
        return [tag["tag_name"] for tag in self.lead(who)["tags"]]

    def transactions(self, who: str) -> list[dict[str, str]]:
        rows: list[dict[str, str]] = self.did("retrieve_transactions_from_lead", who)["transaction_list"]
        return rows

    def transaction(self, number: str) -> dict[str, str]:
        details: dict[str, str] = self.did("get_transaction_details", transaction_id=number)["transaction_details"]
        return details

    def subscription(self, number: str) -> dict[str, str]:
        details: dict[str, str] = self.did("get_subscription_details", subscription_id=number)["subscription_details"]
        return details

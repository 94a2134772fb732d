"""The proxy of the handbook: what staff search for, emails among it, and secret addresses do not stay in its logs."""

import re

import pytest
from django.conf import settings
from django.urls import reverse

HANDBOOK = (settings.BASE_DIR / "docs" / "operations.md").read_text()
# What of nginx's variables holds a query string, its own or that of the page before.
TELLING = r"\$(request|request_uri|args|query_string|http_referer|arg_\w+|is_args)\b"


def servers() -> list[str]:
    found = re.findall(r"^server \{\n(.+?)^\}$", HANDBOOK, re.M | re.S)
    assert len(found) == 2
    return found


def test_the_sample_logs_no_query_string() -> None:
    (form,) = re.findall(r"^log_format desk '(.+)';$", HANDBOOK, re.M)
    assert "$uri" in form
    assert not re.search(TELLING, form)


@pytest.mark.parametrize("number", [0, 1])
def test_every_server_of_the_sample_logs_so_or_not_at_all(number: int) -> None:
    said = servers()[number]
    logs = re.findall(r"^ +access_log (.+?);", said, re.M)
    assert logs, "without a word nginx logs in its own format"
    assert all(log == "off" or log.endswith(" desk") for log in logs)
    assert re.findall(r"^    error_log \S+ (\w+);", said, re.M) == ["crit"]


@pytest.mark.parametrize("name", ["hook-post", "account_reset_password_from_key"])
def test_what_is_a_secret_itself_is_not_logged_at_all(name: str) -> None:
    given = {"secret": "s3cret"} if name == "hook-post" else {"uidb36": "1", "key": "a-b"}
    route = reverse(f"leads:{name}" if name == "hook-post" else name, kwargs=given)
    places = re.findall(r"^    location ~ (\S+) \{[^\n]*\n(.+?)^    \}", servers()[0], re.M | re.S)
    said = [inside for pattern, inside in places if re.search(pattern, route)]
    assert said, "a pattern goes before the location of all else"
    assert "access_log off;" in said[0]

"""Where somebody is sent who is not signed in."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.decorators import require_perm

pytestmark = pytest.mark.django_db


def back(location: str) -> str:
    address = urlsplit(location)
    assert address.path == "/sign-in/"
    return parse_qs(address.query).get("next", [""])[0]


def test_after_signing_in_the_page_asked_for_comes() -> None:
    assert back(Client().get("/audit/?lead=a&outcome=failed")["Location"]) == "/audit/?lead=a&outcome=failed"


def test_a_post_is_not_repeated_by_signing_in() -> None:
    assert back(Client().post("/team/add/")["Location"]) == ""
    assert back(Client().post("/team/add/", {"name": "x"})["Location"]) == ""


def test_a_fragment_sends_the_whole_page_and_back_to_where_the_person_was() -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/leads/7/"}
    answer = Client().get("/audit/", headers=headers)
    assert answer.status_code == 200
    assert back(answer["HX-Redirect"]) == "/leads/7/#/audit/"
    assert back(Client().post("/team/1/link/", headers=headers)["HX-Redirect"]) == "/leads/7/"


@pytest.mark.parametrize("current", ["http://evil.example/x", "//evil.example", "", "javascript:alert(1)"])
def test_nobody_is_sent_to_another_site(current: str) -> None:
    answer = Client().get("/audit/", headers={"HX-Request": "true", "HX-Current-URL": current})
    assert "evil" not in answer["HX-Redirect"]
    assert "javascript" not in answer["HX-Redirect"]


def test_a_misspelt_permission_fails_where_it_is_written() -> None:
    with pytest.raises(KeyError):
        require_perm("lead.veiw")

"""What every answer tells the browser, and what browsers tell us."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

import run
from kartra_admin import checks, csp_reports
from tests.test_access import TABLE, address

pytestmark = pytest.mark.django_db
REPORT = {"csp-report": {"violated-directive": "script-src", "blocked-uri": "https://evil.example/x.js?secret=1"}}
# All of it but what scripts may run, which is the nonce of one answer.
POLICY = {
    "default-src": "'none'", "style-src": "'self'", "img-src": "'self' data:", "font-src": "'self'",
    "connect-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'",
    "report-uri": "/csp-report/", "report-to": "csp",
}  # fmt: skip


def policy(answer: object) -> dict[str, str]:
    text = answer["Content-Security-Policy"]  # type: ignore[index]
    return dict(part.strip().partition(" ")[::2] for part in text.split(";"))


@pytest.mark.parametrize("path", ["/sign-in/", "/profile/", "/nowhere/", "/team/", "/csp-report/"])
def test_every_answer_carries_them(client_of: Callable[[str], Client], path: str) -> None:
    answer = client_of("agent").get(path)
    found = policy(answer)
    assert re.fullmatch(r"('nonce-[\w+/=-]{20,}')?", found.pop("script-src"))
    assert found == POLICY
    assert answer["Reporting-Endpoints"] == 'csp="/csp-report/"'
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "bluetooth" not in answer["Permissions-Policy"]  # Chromium knows no such feature and warns on each page
    assert "publickey-credentials-get=(self)" in answer["Permissions-Policy"]


@pytest.mark.parametrize("name", [name for name, line in TABLE.items() if line.method == "get"])
def test_no_page_stays_in_a_cache(
    client_of: Callable[[str], Client], user_of: Callable[..., object], name: str
) -> None:
    """Redirects and refusals too: each tells something."""
    user_of("viewer")
    assert "no-store" in client_of("admin").get(address(name))["Cache-Control"]


class Page(HTMLParser):
    """What a page holds of its own that the policy would not let run or show, and the nonces of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.nonces: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        is_data = given.get("type") == "application/json"  # which is not run
        if tag == "script" and "src" in given:
            self.nonces.append(given.get("nonce"))
        elif tag == "style" or (tag == "script" and not is_data):
            self.inline.append(tag)
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]


def test_what_a_page_runs_has_the_nonce_of_its_answer_and_nothing_is_inline(
    client_of: Callable[[str], Client], user_of: Callable[..., object]
) -> None:
    """As served, from whatever template or library; a fragment brings no script and so allows none."""
    user_of("viewer")
    admin, seen = client_of("admin"), set[str]()
    for client in (admin, Client()):
        for name, line in TABLE.items():
            answer = client.get(address(name)) if line.method == "get" else None
            if answer is None or not answer["Content-Type"].startswith("text/html") or answer.streaming:
                continue
            page = Page(answer.content.decode())
            assert page.inline == [], name
            assert b"&amp;lt;" not in answer.content, f"{name} escapes twice"
            allowed = policy(answer)["script-src"]
            assert allowed == (f"'nonce-{page.nonces[0]}'" if page.nonces else ""), name
            assert len(set(page.nonces)) == bool(page.nonces), name
            assert not seen & {allowed}, "a nonce is used once"
            seen |= {allowed} - {""}
    assert len(seen) > 45


@pytest.mark.parametrize("bad", ["<script>go()</script>", "<style>a{}</style>", '<p style="x">', '<a onclick="go()">'])
def test_what_is_inline_is_found(bad: str) -> None:
    assert len(Page(bad).inline) == 1


def production(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The program as it is run for real, in a process of its own."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "DATA_DIR": str(django_settings.DATA_DIR),
        "SITE_URL": "https://desk.example.com",
        "KARTRA_APP_ID": "app-for-checks",
        "SECRET_KEY": "k3Jd9-sPq0_ZxR7vLw2mTn8bYc5hGf1aUe6iOo4yk3Jd9-sPq0_",
        "CREDENTIAL_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "AUDIT_SIGNING_KEY": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
        "AUDIT_ANCHORS": "mailto:auditor@example.com",
        "EMAIL_URL": "smtp://127.0.0.1:25",
        "CACHE_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": "sqlite:////nowhere/at-all.sqlite3",
        **more,
    }
    return subprocess.run(
        [sys.executable, *arguments], cwd=Path(django_settings.BASE_DIR), env=environment, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_check_for_production_has_nothing_to_say() -> None:
    """A large server, with two processes that share a cache, and the small one of ``run.py serve``."""
    small = {"CACHE_URL": "locmemcache://", "WEB_CONCURRENCY": "1"}
    for server in ({"WEB_CONCURRENCY": "2"}, small):
        done = production("manage.py", "check", "--deploy", "--fail-level", "WARNING", **server)
        assert done.returncode == 0, done.stderr
        assert "no issues (0 silenced)" in done.stdout


def test_the_database_of_a_real_desk_keeps_what_it_confirmed_when_the_power_fails() -> None:
    """Both ways: as the desk is set, SQLite waits for the disk; what does not is told."""
    asked = "import django; django.setup(); from django.db import connection as c; u = c.cursor(); "
    asked += "u.execute('PRAGMA synchronous'); print(u.fetchone()[0])"
    done = production("-c", asked, DJANGO_SETTINGS_MODULE="kartra_admin.settings", DATABASE_URL="sqlite://:memory:")
    assert done.stdout == "2\n", done.stderr
    assert [message.id for message in checks.check_durability(None)] == ["kartra_admin.durability"]  # that of the tests


def test_the_small_server_is_one_process() -> None:
    command = run.gunicorn(8000)
    assert command[command.index("--workers") + 1] == "1"


def test_more_processes_without_a_cache_that_they_share_are_told() -> None:
    more = {"CACHE_URL": "locmemcache://", "WEB_CONCURRENCY": "2"}
    done = production("manage.py", "check", "--deploy", "--fail-level", "WARNING", **more)
    assert done.returncode == 1
    assert "CACHE_URL is not set" in done.stderr
    assert done.stderr.count("kartra_admin.") == 1


def test_with_https_cookies_are_bound_to_this_host_and_browsers_insist_on_it() -> None:
    names = (
        "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH", "CSRF_COOKIE_DOMAIN", "SECOND_FACTOR_ROLES",
    )  # fmt: skip
    code = "import json, kartra_admin.wsgi; from django.conf import settings; "
    code += "found = [settings.CONTENT_SECURITY_POLICY['DIRECTIVES']['upgrade-insecure-requests']]; "
    code += f"print(json.dumps(found + [getattr(settings, name) for name in {names!r}]))"
    done = production("-c", code)
    assert json.loads(done.stdout) == [
        True, "__Host-sessionid", "__Host-csrftoken", True, True, 31536000, None, "/", "/", None,
        ["support", "manager", "admin"],
    ], done.stderr  # fmt: skip


def test_a_list_of_passwords_of_one_s_own_takes_the_place_of_django_s(tmp_path: Path) -> None:
    (tmp_path / "breached.txt").write_text("ourveryown horse battery\n")
    ask = (
        "import kartra_admin.wsgi; from django.contrib.auth.password_validation import validate_password as check;"
        " check('letmein12345 is not there'); check('ourveryown horse battery')"
    )
    done = production("-c", ask, PASSWORD_LIST=str(tmp_path / "breached.txt"))
    assert "This password is too common." in done.stderr
    assert "letmein" not in done.stderr


# Reports


def report(body: object, kind: str = "application/csp-report", **more: str) -> int:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return int(Client().post("/csp-report/", text, content_type=kind, **more).status_code)  # type: ignore[arg-type]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "kartra_admin.csp_reports")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "kartra_admin.csp_reports"]


def test_a_report_is_one_line_without_what_was_searched_for(said: Callable[[], list[str]]) -> None:
    assert report(REPORT) == 204
    new = {
        "type": "csp-violation",
        "body": {
            "effectiveDirective": "img-src",
            "blockedURL": "data",
            "documentURL": "http://testserver/leads/?q=ada",
        },
    }
    assert report([new], "application/reports+json") == 204
    assert said() == [
        "policy: script-src blocked https://evil.example/x.js on nothing, from 127.0.0.1",
        "policy: img-src blocked data on /leads/, from 127.0.0.1",
    ]


def test_reports_are_bounded(said: Callable[[], list[str]]) -> None:
    assert report("x" * (csp_reports.MOST_BYTES + 1)) == 413
    for _ in range(csp_reports.MOST_A_MINUTE + 20):
        assert report(REPORT) == 204
    assert len(said()) == csp_reports.MOST_A_MINUTE
    assert all(len(line) < 900 for line in said())


@pytest.mark.parametrize(
    "junk", ["", "null", "[]", "[1]", "{", '{"csp-report": 1}', b"\xff\x00", '[{"body": null}]',
     '{"csp-report": {"blocked-uri": "http://["}}', "[" * 16_000],
)  # fmt: skip
def test_a_forged_report_breaks_nothing(junk: str | bytes, said: Callable[[], list[str]]) -> None:
    assert report(junk) == 204
    assert report(junk, "multipart/form-data; boundary=x") == 204


def test_a_report_cannot_forge_lines_of_the_log(said: Callable[[], list[str]]) -> None:
    report({"csp-report": {"violated-directive": "x\n2026 INFO root all is well", "blocked-uri": "a\u2028b" * 500}})
    (line,) = said()
    assert "\n" not in line
    assert "\u2028" not in line


def test_static_files_say_they_are_ours_alone(client: Client, settings: Settings) -> None:
    answer = client.get("/static/css/base.css")
    answer.close()
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"

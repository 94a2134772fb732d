"""Thousands of secrets sealed anew by a rotation that is killed at random, again and again.

``python3 run.py rig keys`` runs it whole: 10,000 secrets, 100 kills with SIGKILL; `tests/test_rig.py` a shorter one.
After every kill each secret is opened with the keys that are there, and must be what it was; in the end, with the
newest alone. The key that signs the log turns too, and in the end the log verifies with the newest alone.
"""

import argparse
import base64
import io
import os
import random
import signal
import time
from contextlib import suppress

from tests.rig import world

_FIFTH = (
    5  # of the secrets are those of authenticator apps, as many keys of leads; the others are halves of credentials
)


# 32 bytes, which keep the digests.
_INDEX_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="run.py rig keys", description="Kill the rotation of keys at random.")
    parser.add_argument("--secrets", type=int, default=10_000, help="how many secrets (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="how often it is killed (default: %(default)s)")
    parser.add_argument("--within", type=float, default=2.0, help="seconds it lives at most (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="what chance begins with (default: %(default)s)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    wrong: list[str] = []
    with world.opened():
        try:
            _run(options, wrong)
        except ChildProcessError as error:
            wrong.append(str(error))
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


def _run(options: argparse.Namespace, wrong: list[str]) -> None:
    from django.conf import settings
    from django.core.management import CommandError, call_command

    from accounts import seals, subjects
    from accounts.models import IndexKey
    from accounts.selectors.keys import uses
    from accounts.services import checkpoints

    chance = random.Random(f"keys {options.seed}")
    settings.CREDENTIAL_KEYS = [_new_key()]
    settings.AUDIT_SIGNING_KEY = _new_key()
    sealed = seals.keyring().seal(_INDEX_KEY, bound_to=seals.of_index())
    IndexKey.objects.update_or_create(pk=1, defaults={"sealed_key": sealed})
    subjects.lay_index_key(using="default")  # which forgets the one before
    _make(options.secrets)
    killed, rounds = 0, 0
    while killed < options.kills:
        checkpoints.sign()  # with the key that is about to be turned over
        settings.CREDENTIAL_KEYS = [_new_key(), settings.CREDENTIAL_KEYS[0]]
        settings.AUDIT_SIGNING_KEY = f"{_new_key()},{settings.AUDIT_SIGNING_KEY}"
        rounds += 1
        while killed < options.kills:
            if not _rotate(kill_after=chance.uniform(0, options.within)):
                break
            killed += 1
            if unreadable := _unreadable(options.secrets):
                wrong.append(f"{unreadable} secrets do not open, or are not what they were, after kill {killed}")
        _rotate(kill_after=None)
        if left := uses().left:
            wrong.append(f"{left} secrets on an older key at the end of round {rounds}")
        settings.AUDIT_SIGNING_KEY = settings.AUDIT_SIGNING_KEY.split(",")[0]
    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
    if unreadable := _unreadable(options.secrets):
        wrong.append(f"{unreadable} secrets do not open with the newest key alone, or are not what they were")
    try:
        call_command("auditverify", stdout=io.StringIO())
    except CommandError as error:
        wrong.append(f"auditverify with the newest signing key alone: {error}")
    print(
        f"{options.secrets} secrets, {killed} kills in {rounds} rotations, {unreadable} unreadable, {uses().left} left"
    )


def _new_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _rotate(*, kill_after: float | None) -> bool:
    """Rotate in a process of its own. Whether it was killed before it was done."""
    from django.db import connections

    connections.close_all()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            from accounts.services import rotation

            rotation.rotate_keys(program="rig")
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise ChildProcessError("a rotation failed by itself; the lines above say why")
    return os.WIFSIGNALED(status)


def _make(secrets: int) -> None:
    from allauth.mfa.models import Authenticator

    from accounts import seals
    from accounts.models import Account, Connection, Subject, User

    apps = leads = secrets // _FIFTH
    halves = (secrets - apps - leads) // 2
    people = User.objects.bulk_create(
        User(email=f"{number}@rig.example", name=str(number), role="agent") for number in range(max(apps, halves))
    )
    ring = seals.keyring()
    print_of = seals.fingerprints("rig")[0]
    account = Account.objects.create(
        name="Rig", fingerprint=print_of, sealed_digest=ring.seal("rig", bound_to=seals.of_account(print_of))
    )
    Connection.objects.bulk_create(
        Connection(
            user=one,
            account=account,
            placed_by=one,
            **{
                f"sealed_{half}": ring.seal(f"{half} of {one.pk}", bound_to=seals.of_connection(one.pk, "kartra", half))
                for half in ("key", "password")
            },
        )
        for one in people[:halves]
    )
    Authenticator.objects.bulk_create(
        Authenticator(
            user=one,
            type=Authenticator.Type.TOTP,
            data={"secret": ring.seal(f"app of {one.pk}", bound_to=seals.of_factor(one.pk)), "spent_until": 7},
        )
        for one in people[:apps]
    )
    Subject.objects.bulk_create(
        Subject(digest=f"rig {number}", sealed_key=ring.seal(f"key of {number}", bound_to=seals.of_subject()))
        for number in range(leads)
    )


def _unreadable(secrets: int) -> int:
    """How many of all secrets, the account's digest and the key of the index do not open to what they were."""
    from allauth.mfa.models import Authenticator

    from accounts import seals
    from accounts.models import Account, Connection, IndexKey, Subject
    from accounts.services import connections
    from kartra_admin.lib.crypto import SealBroken

    ring = seals.keyring()
    good = 0
    for row in Connection.objects.select_related("account"):
        try:
            opened = connections.open_credentials(row)
        except SealBroken:
            continue
        good += (opened.key == f"key of {row.user_id}") + (opened.password == f"password of {row.user_id}")
    for row in Authenticator.objects.all():
        try:
            opened_secret = ring.open(row.data["secret"], bound_to=seals.of_factor(row.user_id))
        except SealBroken:
            continue
        good += opened_secret == f"app of {row.user_id}" and row.data["spent_until"] == 7
    for row in Subject.objects.filter(digest__startswith="rig "):
        with suppress(SealBroken):
            opened_key = ring.open(row.sealed_key, bound_to=seals.of_subject())
            good += opened_key == f"key of {str(row.digest).removeprefix('rig ')}"
    account, index = Account.objects.get(), IndexKey.objects.get()
    with suppress(SealBroken):
        good += ring.open(account.sealed_digest, bound_to=seals.of_account(account.fingerprint)) == "rig"
    with suppress(SealBroken):
        good += ring.open(index.sealed_key, bound_to=seals.of_index()) == _INDEX_KEY
    return secrets + 2 - good

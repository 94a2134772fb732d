"""The stand-alone verifier: our own modules as one script that needs Python and ``cryptography`` alone."""

import inspect
import textwrap
from functools import cache
from types import ModuleType

from accounts.evidence import chain, checkpoints, exported, kept, merkle

_OPENING = '''\
"""Verify an export of the audit log. Needs Python 3.11 and ``cryptography``, no database and nothing of the desk.

{usage}

KEPT-CHECKPOINTS are those which left the desk: a folder of them, or a file of the lines of its mails. Then a log that
is older than they are, or another one, is found too.

Says GOOD and ends with 0, or names the first line and entry that is wrong, says what is, and ends with 1. PART and 3
mean that nothing is wrong and the log does not prove all entries; 2 that it could not try. The public key is 64 hex
digits: have it from somebody you trust, not from whoever gave you the export.
"""

import sys
from types import SimpleNamespace


def _module(body):
    """What the functions below define, each under its own name."""
    return SimpleNamespace(**body())
'''
_CLOSING = """\
if __name__ == "__main__":
    sys.exit(exported.main(sys.argv[1:]))
"""
_OURS = "from accounts.evidence import "


@cache
def source() -> str:
    """The text of ``verify.py``."""
    parts = [_OPENING.format(usage=exported.USAGE)]
    parts += [_as_function(module) for module in (chain, checkpoints, merkle, kept, exported)]
    return "\n\n".join([*parts, _CLOSING])


def _as_function(module: ModuleType) -> str:
    """The module as a function that defines all it holds: names of two modules cannot be taken for each other."""
    lines = [line for line in inspect.getsource(module).splitlines() if not line.startswith(_OURS)]
    name = module.__name__.rpartition(".")[2]
    return f"@_module\ndef {name}():\n{textwrap.indent(chr(10).join(lines), '    ')}\n    return locals()\n"

"""What a desk kept before anything was sealed is sealed by its next start."""

import os
import subprocess
import sys
from pathlib import Path


def test_what_was_there_is_sealed(tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.leads.sealing_script"],
        env={**given, "DEMO": "true", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("sealed\n", 0), done.stderr[-2000:]

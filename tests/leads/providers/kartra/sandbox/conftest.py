"""A sandbox for each test: a copy of one that was seeded once."""

import shutil
from pathlib import Path

import pytest

from leads.providers.kartra.sandbox.seed import seed
from leads.providers.kartra.sandbox.state import configure
from tests.leads.providers.kartra.sandbox.box import Box


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "seeded.sqlite3"
    seed(path, leads=60)
    configure(path, calls_per_second=0)
    return path


@pytest.fixture
def box(seeded: Path, tmp_path: Path) -> Box:
    path = tmp_path / "box.sqlite3"
    shutil.copy(seeded, path)
    return Box(path)

"""What every test has: a cache of its own, not the user's, and no deadline."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("any time", deadline=None)  # other work on a machine is no fault of a test
settings.load_profile("any time")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))

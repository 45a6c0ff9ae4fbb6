"""The studio: a local web application to paint conditions and see many images; an HTTP API; human studies."""

from __future__ import annotations

from importlib.util import find_spec

from ..core.errors import ConfigError


def require_packages() -> None:
    """Raises ConfigError if a package that serves pages is missing."""
    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"serving pages needs the package {missing[0]}: pip install 'variegate[studio]'")

"""Whatever fits the OpenAPI document is answered as it says, and whatever does not is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from helpers.studio import AUTHORISED, TOKEN
from variegate.studio.app import make_app
from variegate.studio.security import own_hosts
from variegate.studio.service import Studio
from variegate.studio.shelf import Shelf

STUDIO = Studio(Shelf([Path("street")]))
STUDIO.close = lambda: None  # type: ignore[method-assign]  # each request below ends the application's life
APP = make_app(STUDIO, own_hosts("127.0.0.1", 80), TOKEN)
HEADERS = {**AUTHORISED, "host": "127.0.0.1"}
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
schema = schemathesis.openapi.from_asgi("/openapi.json", APP, headers=HEADERS)


@pytest.mark.filterwarnings("ignore::Warning")
@schema.parametrize()
@settings(max_examples=25, derandomize=True, phases=[Phase.generate], suppress_health_check=HealthCheck)
def test_the_document_is_kept(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS, headers=HEADERS)

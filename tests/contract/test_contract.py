"""Is docs/contract.md true? Everything in its tables exists, and what exists is in them."""

import re
from pathlib import Path
from typing import Any

from tests.contract.document import code, rows, words
from universal_agent import errors
from universal_agent.api.calendar import ACTIONS
from universal_agent.api.problems import EVERYWHERE
from universal_agent.domain.event_types import (
    EventType,
)
from universal_agent.domain.flags import FLAGS
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.run import RunStatus
from universal_agent.metrics import COUNTERS
from universal_agent.settings import Settings, variable_name

Operations = dict[str, dict[str, Any]]


def _is_query_or_header(parameter: dict[str, Any]) -> bool:
    return bool(parameter["in"] != "path")


async def test_every_route_is_in_the_contract_and_every_route_of_the_contract_exists(
    operations: Operations,
) -> None:
    assert set(words("contract.md", "route")) == set(operations)


async def test_the_contract_names_exactly_the_parameters_of_each_route(
    operations: Operations,
) -> None:
    documented = {route: code(row[1]) for route, row in words("contract.md", "route").items()}
    taken = {
        route: [p["name"] for p in operation.get("parameters", []) if _is_query_or_header(p)]
        for route, operation in operations.items()
    }
    assert {r: sorted(p) for r, p in documented.items()} == {r: sorted(p) for r, p in taken.items()}


async def test_the_contract_names_exactly_the_statuses_that_are_a_routes_own(
    operations: Operations,
) -> None:
    everywhere = {str(status) for status in EVERYWHERE}
    documented = {
        route: set(re.findall(r"\b\d{3}\b", row[4])) - everywhere
        for route, row in words("contract.md", "route").items()
    }
    answered = {route: set(op["responses"]) - everywhere for route, op in operations.items()}
    assert documented == answered


async def test_the_contract_names_every_field_of_each_body(
    operations: Operations, app: Any
) -> None:
    schemas = app.openapi()["components"]["schemas"]
    job_fields = {"command", "every", "cron_expr", "run_at", "schedule", "version"}
    job_fields |= set(words("contract.md", "field"))
    wrong = {}
    for route, row in words("contract.md", "route").items():
        names = _fields_of_body(operations[route], schemas)
        documented = set(code(row[2])) | (job_fields if "fields" in row[2] else set())
        if names - documented:
            wrong[route] = names - documented
    assert wrong == {}


def _fields_of_body(operation: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    if "requestBody" not in operation:
        return set()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    choices = schema.get("anyOf", [schema])
    references = [choice["$ref"] for choice in choices if "$ref" in choice]
    models = [schemas[reference.rpartition("/")[2]] for reference in references]
    return {name for model in models for name in model.get("properties", {})}


def test_every_setting_is_in_the_contract_with_its_default_and_nothing_else_is() -> None:
    documented = {name: row[1] for name, row in words("contract.md", "variable").items()}
    settings = {
        variable_name(field): _default(info.default)
        for field, info in Settings.model_fields.items()
    }
    assert documented == settings


def _default(value: object) -> str:
    if value in (None, "", ()):
        return "none"
    if isinstance(value, bool):
        return f"`{int(value)}`"
    if isinstance(value, Path):
        return f"`{value.as_posix()}`"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value}`"


def test_the_flags_that_can_be_turned_at_run_time_come_first() -> None:
    assert list(words("contract.md", "variable"))[: len(FLAGS)] == list(FLAGS)


def test_every_type_of_event_is_in_the_contract_and_no_other() -> None:
    assert set(words("contract.md", "type")) == {str(kind) for kind in EventType}


def test_every_counter_is_in_the_contract_in_the_documents_order() -> None:
    assert tuple(words("contract.md", "counter")) == COUNTERS


def test_every_action_is_in_the_contract_and_no_other() -> None:
    assert set(words("contract.md", "action")) == set(ACTIONS)


def test_every_problem_type_is_in_the_contract_with_its_status() -> None:
    documented = {
        code(row[0])[0]: int(row[1])
        for row in rows("contract.md", "problem type: `urn:universal-agent:problem:` +")
    }
    raised = {
        error().slug: error.status
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, errors.UniversalAgentError)
        and not issubclass(error, errors.StartupError)
        and error is not errors.UniversalAgentError
    }
    assert raised.items() <= documented.items()


def test_the_model_names_every_cause_of_a_miss() -> None:
    assert set(words("model.md", "cause")) == {str(cause) for cause in Cause}


def test_the_states_are_those_of_runs_and_of_missed_slots() -> None:
    named = set(words("state_machine.md", "status"))
    assert named == {*map(str, RunStatus), *map(str, MissedStatus)}

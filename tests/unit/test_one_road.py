"""The log drives the engine: no wake-up is carried by hand, and no callback leads outward."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "universal_agent"
ENGINE = PACKAGE / "engine"

#: The parts that claim, execute and record runs, and what they may know of the engine.
EXECUTION = ("capacity", "executor", "run_queue", "running")
KNOWN_TO_EXECUTION = {*EXECUTION, "ids", "live_turns"}

#: The methods by which something is woken, and the modules that may call them.
WAKES = {
    "notice": {"dispatch"},
    # The timer looks at its clock, and troubles at the disk.
    "look": {"dispatch", "timer", "troubles"},
    "bring_forward": {"timer", "scheduler"},
    "rearm": set[str](),
}

LONGEST_FUNCTION = 60
LONGEST_ROOT = 400


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def engine_modules_imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, name = node.module.rpartition(".")
            if package == "universal_agent.engine":
                found.add(name)
    return found


def calls_of_others(path: Path) -> Iterator[tuple[str, str]]:
    """Method calls on anything but `self`: the method, and on what."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner != "self":
                yield node.func.attr, owner


@pytest.mark.parametrize(
    "path", [*sorted(ENGINE.glob("*.py")), PACKAGE / "runtime.py"], ids=lambda path: path.stem
)
def test_only_the_dispatcher_wakes_what_reacts_to_a_commit(path: Path) -> None:
    carried = {
        f"{owner}.{method}()"
        for method, owner in calls_of_others(path)
        if method in WAKES and path.stem not in WAKES[method]
    }
    assert carried == set()


@pytest.mark.parametrize("name", EXECUTION)
def test_no_callback_leads_from_the_executor_outward(name: str) -> None:
    path = ENGINE / f"{name}.py"
    assert engine_modules_imported_by(path) <= KNOWN_TO_EXECUTION
    outward = [
        argument.arg
        for function in functions(path)
        if function.name == "__init__"
        for argument in [*function.args.args, *function.args.kwonlyargs]
        if argument.arg.startswith("on_")
        or (argument.annotation is not None and "Callable" in ast.unparse(argument.annotation))
    ]
    assert outward == []


@pytest.mark.parametrize(
    "name", ["jobs", "beats", "heartbeats", "stasis", "changes", "turns", "sessions", "flags"]
)
def test_commands_know_nothing_that_could_be_woken(name: str) -> None:
    path = ENGINE / f"{name}.py"
    woken = {"executor", "run_queue", "running", "capacity", "timer", "dispatch"}
    assert not engine_modules_imported_by(path) & woken
    # Slots that are due are decided before a job changes: work, not a wake-up.
    asked = {method for method, owner in calls_of_others(path) if owner == "self._scheduler"}
    assert asked <= {"decide"}


def test_only_the_run_queue_claims() -> None:
    claims = {"verbs.execution.claim", "verbs.execution.settle", "verbs.admission.admit"}
    claiming = {
        path.stem
        for path in [*ENGINE.glob("*.py"), *(PACKAGE / "api").glob("*.py")]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in claims
    }
    assert claiming == {"run_queue"}


@pytest.mark.parametrize(
    "path",
    [PACKAGE / "runtime.py", *sorted((PACKAGE / "wiring").glob("*.py"))],
    ids=lambda p: p.stem,
)
def test_the_composition_is_short_and_plain(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_ROOT
    assert not [node for node in ast.walk(tree(path)) if isinstance(node, ast.Lambda)]
    long = {
        function.name: function.end_lineno - function.lineno + 1
        for function in functions(path)
        if function.end_lineno is not None
        and function.end_lineno - function.lineno >= LONGEST_FUNCTION
    }
    assert long == {}

"""The statements in store/sql and the code that uses them."""

import ast
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from universal_agent.store.databases.migrate import migrate
from universal_agent.store.statements import queries

STORE = Path(str(files("universal_agent.store")))

#: The methods of a transaction that take the name of a query first.
ASKING = {"all", "one", "run", "many", "put"}

DIALECTS = ["sqlite"]


def names_used() -> Iterator[str]:
    """The query's name in every call such as `tx.one("get_job", ...)`."""
    for path in STORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ASKING
                and node.args
            ):
                yield from _names(node.args[0])


def _names(argument: ast.expr) -> Iterator[str]:
    """The text, or both of `"a" if x else "b"`."""
    match argument:
        case ast.Constant(value=str(name)):
            yield name
        case ast.IfExp(body=body, orelse=orelse):
            yield from _names(body)
            yield from _names(orelse)


def headings() -> list[tuple[str, str]]:
    """(name, dialect) of every statement; those of feed.sql may be asked for by computed names."""
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in STORE.joinpath("sql").glob("*.sql")
        if path.stem != "feed"
    )
    return re.findall(r"^-- ([a-z_]+)(?: \[(\w+)\])? --$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_query_that_is_asked_for_exists(dialect: str) -> None:
    assert set(names_used()) - set(queries(dialect)) == set()


def test_every_query_that_exists_is_asked_for() -> None:
    assert {name for name, _ in headings()} - set(names_used()) == set()


def test_no_query_is_written_twice() -> None:
    assert [block for block, count in Counter(headings()).items() if count > 1] == []


#: Tables that grow with time: to read one through is to be slow some day.
GROWING = {"slots", "runs", "events", "missed", "job_versions", "idempotency"}

#: What people ask for now and then, over all that there is or was in a window.
OVERVIEWS = {
    "calendar_missed",
    "calendar_versions",
    "ledger_missed",
    "ledger_versions",
    "missed_spans",
    "sizes",
}

#: Parameters that are JSON lists.
LISTS = {"keys", "off", "refs", "rows", "summed", "types"}


#: Who reads the runs of a job through: `ua explain`, and those that stop at the latest.
WHOLE_PAST = {
    "get_job",
    "interruptions_of_slot",
    "list_beats",
    "list_jobs",
    "list_runs_of_job",
    "next_jobs",
    "runs_of_slot",
    "said_before",
    "untold_turn",
}


def plan(query: str) -> list[str]:
    """The steps that SQLite would take."""
    parameters = {
        name: "[]" if name in LISTS else None for name in re.findall(r":([a-z_]+)", query)
    }
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, dialect="sqlite")
        steps = connection.execute(f"EXPLAIN QUERY PLAN {query}", parameters).fetchall()
    return [step[3] for step in steps]


def scans(query: str) -> list[str]:
    """The names or aliases of tables that SQLite would read through, index or no index."""
    return [found[1] for step in plan(query) if (found := re.fullmatch(r"SCAN (\w+)", step))]


@pytest.mark.parametrize("name", sorted(set(queries("sqlite")) - OVERVIEWS))
def test_no_statement_on_the_way_of_a_run_reads_a_growing_table_through(name: str) -> None:
    query = queries("sqlite")[name]
    aliases = {
        alias: table
        for table, alias in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)\s+(?:AS\s+)?([a-z])\b", query)
    }
    assert {aliases.get(scan, scan) for scan in scans(query)} & GROWING == set()


@pytest.mark.parametrize("name", sorted(set(queries("sqlite")) - WHOLE_PAST))
def test_no_statement_goes_through_all_that_a_job_ever_ran(name: str) -> None:
    steps = plan(queries("sqlite")[name])
    assert [step for step in steps if re.search("SEARCH .* INDEX runs_of_job", step)] == []


@pytest.mark.parametrize("name", ["count_jobs", "count_enabled_jobs"])
def test_jobs_are_counted_in_an_index_alone(name: str) -> None:
    (step,) = plan(queries("sqlite")[name])
    assert step.startswith(
        "SEARCH jobs USING COVERING INDEX jobs_counted (source=? AND deleted_at=?"
    )


def test_the_next_due_instant_is_found_in_an_index_alone() -> None:
    on_jobs = [step for step in plan(queries("sqlite")["next_due"]) if "jobs" in step]
    assert on_jobs == ["SEARCH jobs USING COVERING INDEX jobs_due (due_at>?)"]

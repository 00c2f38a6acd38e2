"""The build before, measured in turns with this one: A B A B, and the ratio pair by pair.

The drivers of the load are this checkout's for both builds; the gateway, its libraries and the rows
that are seeded are each build's own.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from bench.figure import Better, Figure

ROOT = Path(__file__).resolve().parents[1]

#: Names the `bench/seed.py` of the build that is measured; see `bench.__main__`.
SEED_VARIABLE = "BENCH_SEED"


@dataclass(frozen=True, slots=True)
class Build:
    """A checkout that has been set up."""

    name: str
    root: Path

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    @property
    def seed(self) -> Path:
        """Seeding uses the store's own code, so each build brings its own."""
        return self.root / "bench" / "seed.py"


def this_build() -> Build:
    return Build("this build", ROOT)


def check_out(revision: str, directory: Path) -> Build:
    """Export a revision into `directory` and set it up; kept for the next time.

    Raises RuntimeError when git does not know the revision or its set-up fails.
    """
    commit = _output("git", "rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    root = (directory / "against" / commit[:12]).absolute()
    if not (root / ".bench-ready").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        with tarfile.open(fileobj=BytesIO(_output("git", "archive", commit))) as archive:
            archive.extractall(root, filter="data")
        if (ROOT / ".uv").is_dir():
            shutil.copytree(ROOT / ".uv", root / ".uv")
        _output("./ua", "setup", cwd=root)
        (root / ".bench-ready").touch()
    return Build(revision, root)


async def measure_in_turns(
    part: str, arguments: Sequence[str], builds: tuple[Build, Build], *, rounds: int
) -> list[Figure]:
    """Each figure of a part as the median of `rounds` of this build, beside the other's."""
    pairs = []
    for _ in range(rounds):
        ours = await _measured(builds[0], part, arguments)
        pairs.append((ours, await _measured(builds[1], part, arguments)))
    return [_beside(name, pairs) for name in pairs[0][0]]


def _beside(name: str, pairs: Sequence[tuple[dict[str, Figure], dict[str, Figure]]]) -> Figure:
    ours = [first[name] for first, _ in pairs]
    before = [second[name].value for _, second in pairs]
    ratios = [figure.value / other for figure, other in zip(ours, before, strict=True) if other]
    return replace(
        ours[0],
        value=median(figure.value for figure in ours),
        before=median(before),
        before_ratio=median(ratios) if ratios else None,
        detail={
            "ours": [figure.value for figure in ours],
            "before": before,
            "ratios": ratios,
            "rounds": [dict(figure.detail) for figure in ours],
        },
    )


async def _measured(build: Build, part: str, arguments: Sequence[str]) -> dict[str, Figure]:
    """One round of a part, in a process of the build's own."""
    with tempfile.NamedTemporaryFile(suffix=".json") as told:
        process = await asyncio.create_subprocess_exec(
            *(build.python, "-m", "bench", part, *arguments),
            *("--rounds", "1", "--no-peer", "--json", told.name),
            cwd=ROOT,
            env={**os.environ, SEED_VARIABLE: str(build.seed)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            print(said.decode(errors="replace"), file=sys.stderr)
            raise RuntimeError(f"{build.name}: the part {part} ended with {process.returncode}")
        figures = orjson.loads(told.read())["figures"]
    return {figure["name"]: _figure(figure) for figure in figures}


def _figure(document: Mapping[str, Any]) -> Figure:
    return Figure(
        name=document["name"],
        unit=document["unit"],
        better=Better(document["better"]),
        value=document["value"],
        must=document["must"],
        goal=document["goal"],
        detail=document["detail"],
    )


def _output(*command: str, cwd: Path = ROOT) -> bytes:
    """What a command printed. Raises RuntimeError with its errors when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout

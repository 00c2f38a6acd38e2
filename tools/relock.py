"""Which exact version of every dependency is in use? Writes the answer into pyproject.toml.

uv.lock holds the addresses that packages came from, so it stays out of the repository. Kept
instead, in `[tool.uv]` as constraint-dependencies, is one exact pin for each package of the
resolved set, on every platform: a fresh clone that resolves under them comes to the same set.

    ./ua relock                       add and drop pins after a change of the dependencies
    ./ua relock --upgrade             pin the newest version of everything
    ./ua relock --upgrade httpx rich  pin the newest of these, and leave the others
    ./ua relock --check               fail when the pins are not the resolved set
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_BLOCK = re.compile(r"^constraint-dependencies = \[.*?^\]\n", re.DOTALL | re.MULTILINE)


def read_pins(pyproject: str) -> list[str]:
    """The pins that pyproject.toml holds."""
    pins: list[str] = tomllib.loads(pyproject)["tool"]["uv"]["constraint-dependencies"]
    return pins


def with_pins(pyproject: str, pins: Sequence[str]) -> str:
    """The text of pyproject.toml with `pins` in place of its own."""
    lines = "".join(f'  "{pin}",\n' for pin in pins)
    return _BLOCK.sub(lambda _: f"constraint-dependencies = [\n{lines}]\n", pyproject, count=1)


def package(pin: str) -> str:
    """The name in `name==1.2 ; marker`."""
    return pin.partition("==")[0]


def pins_from_export(export: str) -> list[str]:
    """One pin for each line of `uv export --no-hashes`.

    Where a package is needed does not matter to a pin, so its marker is dropped; but a package
    that has several versions is pinned to each under its own marker.
    """
    lines = export.splitlines()
    versions = Counter(package(line) for line in lines)
    return [
        line if versions[package(line)] > 1 else line.partition(";")[0].rstrip() for line in lines
    ]


def resolve(pyproject: str, *, lock: Path | None, upgrade: Collection[str] = ()) -> list[str]:
    """The pins of the set that uv resolves for `pyproject`, in all its groups and extras.

    Works in a folder of its own, so a failure leaves no trace. `lock` is a starting point that
    saves asking for what is known. Exits with what uv says when there is no such set.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        if lock is not None and lock.exists():
            shutil.copy(lock, folder)
        command = [os.environ.get("UV", "uv"), "export", "--quiet", "--all-groups", "--all-extras"]
        command += ["--no-hashes", "--no-header", "--no-annotate", "--no-emit-project"]
        command += [f"--upgrade-package={package}" for package in upgrade]
        exported = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if exported.returncode != 0:
        raise SystemExit(exported.stderr.rstrip())
    return pins_from_export(exported.stdout)


def main() -> int:
    """Write the pins, or compare them with --check; 1 when they differ."""
    parser = argparse.ArgumentParser(
        prog="./ua relock", description="Pin the exact version of every dependency."
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    mode.add_argument(
        "--upgrade", nargs="*", metavar="PACKAGE", help="pin newest versions; all without a name"
    )
    choice = parser.parse_args()

    path, lock = ROOT / "pyproject.toml", ROOT / "uv.lock"
    pyproject = path.read_text(encoding="utf-8")
    pins = read_pins(pyproject)
    if choice.upgrade is None:
        resolved = resolve(pyproject, lock=lock)
    elif choice.upgrade:
        kept = [pin for pin in pins if package(pin) not in choice.upgrade]
        resolved = resolve(with_pins(pyproject, kept), lock=lock, upgrade=choice.upgrade)
    else:
        resolved = resolve(with_pins(pyproject, []), lock=None)

    for pin in sorted({*pins} ^ {*resolved}):
        print("-" if pin in pins else "+", pin)
    if choice.check:
        if pins != resolved:
            print("The pins in pyproject.toml are not the resolved set: run ./ua relock.")
        return int(pins != resolved)
    path.write_text(with_pins(pyproject, resolved), encoding="utf-8")
    print(f"{len(resolved)} packages pinned; ./ua setup installs them.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

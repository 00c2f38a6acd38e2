"""`python -m chaos`, which `./ua chaos` calls."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

import orjson

from chaos.checker import check
from chaos.evidence import Evidence
from chaos.rig import Options, Rig


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ua chaos",
        description="Kill a gateway again and again under load, and count what was lost.",
        epilog="Exit code 0: nothing was. The evidence stays in FOLDER; --check reads it again.",
    )
    parser.add_argument("--kills", type=int, default=200, help="kills at random instants (200)")
    parser.add_argument(
        "--failpoint-kills", type=int, default=20, help="kills at each exact instant (20)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything that is chosen (1)")
    parser.add_argument("--jobs", type=int, default=200, help="jobs under load (200)")
    parser.add_argument("--writes", type=float, default=50, help="API writes a second (50)")
    parser.add_argument("--folder", type=Path, help="where to work; a new one in /tmp by default")
    parser.add_argument("--out-json", type=Path, help="where the report goes; FOLDER/report.json")
    parser.add_argument("--check", action="store_true", help="only check the evidence in FOLDER")
    return parser.parse_args()


def main() -> int:
    """Run what the arguments say; 0 when nothing was wrong."""
    arguments = _arguments()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="ua-chaos-"))
    if arguments.check:
        faults = check(Evidence(folder / "evidence")).faults
        for fault in faults:
            print(f"{fault.sort}: {fault.sentence}")
        return 1 if faults else 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave no gateway behind
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(
        folder=folder,
        seed=arguments.seed,
        kills=arguments.kills,
        failpoint_kills=arguments.failpoint_kills,
        jobs=arguments.jobs,
        writes_per_second=arguments.writes,
    )
    report = asyncio.run(Rig(options).run())
    out = arguments.out_json or folder / "report.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(orjson.dumps(report.record(), option=orjson.OPT_INDENT_2))
    for fault in report.verdict.faults[:20]:
        print(f"{fault.sort}: {fault.sentence}")
    print(report.summary)
    if report.durability is None:
        print("no strace here: whether writes reach the disk was not looked at")
    print(f"report: {out}")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())

"""The built page: how much a browser loads first, and that it is in what is installed."""

import gzip
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.acceptance.gateway import GatewayProcess
from universal_agent.api.web_page import WEB_DIST

ROOT = Path(__file__).parents[2]

JS_BUDGET = 200_000
CSS_BUDGET = 40_000


def first_files() -> set[str]:
    """The files that the page loads before it shows anything."""
    if not (WEB_DIST / "index.html").is_file():
        pytest.fail("the dashboard is not built; ./ua web builds it", pytrace=False)
    index = (WEB_DIST / "index.html").read_text(encoding="utf-8")
    return set(re.findall(r'(?:src|href)="\./(assets/[^"]+)"', index))


@pytest.mark.parametrize(("suffix", "budget"), [(".js", JS_BUDGET), (".css", CSS_BUDGET)])
def test_what_a_browser_loads_first_keeps_to_its_budget(suffix: str, budget: int) -> None:
    files = [WEB_DIST / name for name in first_files() if name.endswith(suffix)]
    sizes = {file.name: len(gzip.compress(file.read_bytes())) for file in files}
    assert sizes
    assert sum(sizes.values()) <= budget, sizes


def uv(*arguments: str) -> None:
    """Run uv: from its cache when that is enough, else with the network."""
    program = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    for attempt in (["--offline"], []):
        done = subprocess.run(
            [program, *arguments, *attempt], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
    pytest.fail(f"uv {' '.join(arguments)}: {done.stderr}")


def test_an_installed_package_brings_the_dashboard_without_node(tmp_path: Path) -> None:
    expected = first_files() | {"index.html"}
    uv("build", "--quiet", "--out-dir", str(tmp_path), str(ROOT))
    (source,) = tmp_path.glob("*.tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    with tarfile.open(source) as tar, zipfile.ZipFile(wheel) as zipped:
        for names in (tar.getnames(), zipped.namelist()):
            assert expected <= {name.partition("web_dist/")[2] for name in names}

    venv = tmp_path / "venv"
    uv("venv", "--quiet", "--python", shutil.which("python3.11") or "3.11", str(venv))
    uv("pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), str(wheel))
    gateway = GatewayProcess(tmp_path / "gateway", PATH=os.devnull)
    gateway.python = str(venv / "bin" / "python")
    gateway.start()
    try:
        page = httpx.get(gateway.base_url, headers={"accept": "text/html"}, trust_env=False)
        assert '<div id="root">' in page.text
        for name in expected - {"index.html"}:
            assert httpx.get(f"{gateway.base_url}/{name}", trust_env=False).status_code == 200
    finally:
        gateway.kill()

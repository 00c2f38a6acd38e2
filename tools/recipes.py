"""Checks the recipes of docs/runners.md with the real programs: `./ua recipes`.

Installs claude, codex, gemini and opencode from npm into a temporary folder (1.3 GB), and has the
`agent` runner answer a prompt with each, against an endpoint on loopback (findings/endpoint.py).
Not part of the tests, which go by what was recorded of these programs.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from universal_agent.clock import SystemClock
from universal_agent.runners.agent import AgentRunner
from universal_agent.runners.base import RunRequest, RunResult
from universal_agent.runners.output import RunOutput
from universal_agent.settings import Settings

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "claude": "@anthropic-ai/claude-code",
    "codex": "@openai/codex",
    "gemini": "@google/gemini-cli",
    "opencode": "opencode-ai",
}
PROMPT = "- say that all is well"

#: What each program can tell; gemini calls a reply that was cut a success, and the page says so.
EXPECTED = {
    (name, mode): "success" if mode == "complete" or name == "gemini" else "error"
    for name in PACKAGES
    for mode in ("complete", "cut")
}


def recipes() -> dict[str, tuple[str, str]]:
    """The version and the argv of each program, from the page."""
    page = (ROOT / "docs" / "runners.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) ([\d.]+) \| `([^`]+)` \|", page, re.MULTILINE)
    return {name: (version, argv) for name, version, argv in rows}


def configure(home: Path, base: str) -> dict[str, str]:
    """Point every program at the endpoint; the environment it needs."""
    files = {
        ".config/opencode/opencode.json": json.dumps(
            {
                "model": "stub/m",
                "small_model": "stub/m",
                "provider": {
                    "stub": {
                        "npm": "@ai-sdk/openai-compatible",
                        "name": "stub",
                        "models": {"m": {"name": "m"}},
                        "options": {"baseURL": f"{base}/v1", "apiKey": "unused"},
                    }
                },
            }
        ),
        ".codex/config.toml": f"""
            model = "m"
            model_provider = "stub"
            [model_providers.stub]
            name = "stub"
            base_url = "{base}/v1"
            env_key = "STUB_KEY"
            wire_api = "responses"
            stream_max_retries = 0
            """,
        ".gemini/settings.json": '{"security": {"auth": {"selectedType": "gemini-api-key"}}}',
    }
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {
        "HOME": str(home),
        "ANTHROPIC_API_KEY": "unused",
        "ANTHROPIC_BASE_URL": base,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "STUB_KEY": "unused",
        "GEMINI_API_KEY": "unused",
        "GOOGLE_GEMINI_BASE_URL": base,
    }


async def ask(argv: str, folder: Path, environment: dict[str, str]) -> tuple[RunResult, str]:
    """Have a prompt answered as the gateway would; how it ended, and the reply."""
    os.environ.update(environment)
    settings = Settings(
        data_dir=folder, agent_command=argv, agent_base_url="", child_env=tuple(environment)
    )
    output = RunOutput(folder / "run.log")
    request = RunRequest(
        run_id="run_1",
        job_id="job_1",
        event_id="cron|job_1|0",
        command=PROMPT,
        workspace_dir=settings.workspaces_root / "w",
        workspaces_root=settings.workspaces_root,
        output=output,
        scheduled_at=SystemClock().now(),
    )
    result = await AgentRunner(settings).run(request)
    output.close()
    return result, output.preview.strip()


def main() -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        found = recipes()
        packages = [f"{PACKAGES[program]}@{found[program][0]}" for program in PACKAGES]
        print("installing", *packages)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", *packages],
            cwd=work,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        os.environ["PATH"] = f"{work}/node_modules/.bin:{os.environ['PATH']}"
        for (program, mode), expected in EXPECTED.items():
            folder = work / f"{program}_{mode}"
            folder.mkdir()
            port_file = folder / "port"
            os.mkfifo(port_file)  # reading it waits for the endpoint
            server = subprocess.Popen(
                [sys.executable, ROOT / "findings" / "endpoint.py", mode, port_file]
            )
            try:
                environment = configure(
                    folder / "home", f"http://127.0.0.1:{port_file.read_text().strip()}"
                )
                result, reply = asyncio.run(ask(found[program][1], folder, environment))
            finally:
                server.terminate()
                server.wait()
            fits = result.status == expected and (mode == "cut" or reply == "HEARTBEAT_OK")
            wrong += not fits
            verdict = "ok   " if fits else "WRONG"
            print(f"{verdict} {program} {mode}: {result.status} {result.error or reply!r}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Answers from the data directory while the gateway is down.

By the gateway's own application, in this process: the store is opened, which takes the process
lock, nothing else is started, and requests reach the routes without a socket. So every read-only
command gives the answer that the gateway would give.
"""

import asyncio

import httpx

from universal_agent.api.app import create_app
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.errors import DataDirLocked
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings


class OfflineTransport(httpx.BaseTransport):
    """Answers requests from the data directory.

    Raises CommandFailed when there is no database, or another process uses it, and StoreCorrupt
    when it cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.database_path.exists():
            raise CommandFailed(
                f"The gateway is down, and there is no database at {settings.database_path} yet. "
                "Start it with `ua serve`, or name another with --url or --data-dir.",
                ExitCode.UNREACHABLE,
            )
        # A reader of the files needs no token, and reading works with an engine that is off.
        runtime = Runtime(
            settings.model_copy(update={"ops_token": "", "enable_cron": True}), runners={}
        )
        self._runner = asyncio.Runner()
        self._runtime = runtime
        try:
            self._runner.run(_open(runtime))
        except DataDirLocked as error:
            self._runner.close()
            raise CommandFailed(
                f"Nothing answers there, but the data are in use. {error.message}",
                ExitCode.UNREACHABLE,
            ) from None
        except BaseException:
            self._runner.close()
            raise
        self._app = httpx.ASGITransport(create_app(runtime), raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "GET", "nothing is changed while no engine runs"
        return self._runner.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._app.handle_async_request(request)
        return httpx.Response(
            response.status_code, headers=response.headers, content=await response.aread()
        )

    def close(self) -> None:
        self._runner.run(self._runtime.stop())
        self._runner.close()


async def _open(runtime: Runtime) -> None:
    """Open the store and the event feed without starting any loop."""
    await runtime.store.open()
    await runtime.event_feed.start()

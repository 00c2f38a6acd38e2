"""The HTTP server: uvicorn around the application.

The socket is bound before the runtime starts (a port in use is an error, not a race). The server
has no access log (it would print tokens), ticks once a second instead of ten times, and shuts down
without waiting for clients.
"""

import asyncio
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from universal_agent import failpoint
from universal_agent.api.app import create_app
from universal_agent.api.connection import bounded_protocols
from universal_agent.api.garbage import collect_at_times, look_at_the_young
from universal_agent.api.logs import configure_logging, journal
from universal_agent.api.open_connections import (
    OpenConnections,
    descriptor_limit,
    most_connections,
)
from universal_agent.errors import SettingsError
from universal_agent.masking import SECRETS
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings, secrets_of
from universal_agent.threads import RESOLVING

_log = structlog.get_logger(__name__)

#: Called with the URL and the overview's counts (docs/contract.md, Dashboard summary).
OnReady = Callable[[str, Mapping[str, Any]], None]

#: Connections waiting to be accepted.
_BACKLOG = 2048

#: Seconds between two ticks of the server.
_TICK_SECONDS = 1.0

#: The interpreter's switch interval. The writer thread and the event loop alternate thousands of
#: times a second, and each switch may take that long: Python's default of 5 ms is more than a
#: commit takes.
_SWITCH_SECONDS = 0.00005

#: Seconds that a connection may wait for its next request. Longer than proxies keep theirs (Caddy:
#: 120 s), or a proxy sends a request on a connection that is being closed.
_IDLE_SECONDS = 150

#: Bytes of a message that a client may send over a WebSocket; one that is larger ends it (1009).
_MESSAGE_BYTES = 256 * 1024

#: Seconds between two pings of a WebSocket, and from a ping to the answer it must have.
_PING_SECONDS = 20.0


class CalmServer(uvicorn.Server):
    """uvicorn, waking once a second while nothing is asked of it."""

    def __init__(
        self,
        config: uvicorn.Config,
        before_shutdown: Callable[[], None],
        connections: OpenConnections,
        drain: Callable[[], bool],
    ) -> None:
        """`drain` begins a drain at a signal; False if the server is to stop immediately."""
        super().__init__(config)
        self._before_shutdown = before_shutdown
        self.connections = connections
        self._drain = drain
        self._stop = asyncio.Event()

    async def main_loop(self) -> None:
        ticks = 0
        await self.on_tick(ticks)
        while not self.should_exit:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stop.wait()
            # uvicorn counts ten ticks to a second, and refreshes its Date header at each tenth.
            ticks += 10
            self.connections.sweep()
            if await self.on_tick(ticks):
                break

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT, SIGTERM and SIGHUP.

        A SIGHUP that is ignored, as under nohup, stays ignored. uvicorn's own way raises the signal
        again after it stops serving, which would end the process before the runtime has recorded
        what it stopped.
        """
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._exit, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open streams first, so that no reconnecting client holds up the stop."""
        self._before_shutdown()
        await super().shutdown(sockets)

    def stop(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self._stop.set()

    def _exit(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._drain():
            _log.info("draining", signal=name)
            return
        _log.info("stopping", signal=name)
        self.handle_exit(number, None)
        self._stop.set()


def bind(settings: Settings) -> socket.socket:
    """The listening socket. Raises SettingsError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.gateway_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.gateway_host, settings.gateway_port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {settings.gateway_host}:{settings.gateway_port} "
            f"({error.strerror}). Stop what uses it, or choose another UA_GATEWAY_PORT."
        ) from error
    return listener


def as_bound(settings: Settings, listener: socket.socket) -> Settings:
    """The settings with the port that the gateway has: its guards go by it."""
    return settings.model_copy(update={"gateway_port": listener.getsockname()[1]})


def close_to_others(data_dir: Path) -> None:
    """Take from other users what rights they have to a data directory that was there before."""
    try:
        mode = stat.S_IMODE(data_dir.stat().st_mode)
    except OSError:
        return  # it is made with the right mode, or the start says what is wrong with it
    if mode & 0o077:
        try:
            data_dir.chmod(0o700)
        except OSError as error:
            _log.warning(
                "data_dir_open",
                data_dir=str(data_dir),
                mode=f"{mode:04o}",
                error=error.strerror,
            )
        else:
            _log.warning(
                "data_dir_closed",
                data_dir=str(data_dir),
                was=f"{mode:04o}",
            )


def url_of(listener: socket.socket) -> str:
    """Where the gateway can be reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_of(runtime: Runtime) -> CalmServer:
    """uvicorn, configured to serve the app over a runtime."""
    workers = runtime.settings.cron_max_concurrency
    connections = OpenConnections(
        runtime.clock, most=lambda: most_connections(descriptor_limit(), workers)
    )
    http, ws = bounded_protocols(runtime.clock, connections)
    config = uvicorn.Config(
        create_app(runtime),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        http=http,
        ws=ws,
        ws_max_size=_MESSAGE_BYTES,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        # Messages are small: compression gains little, and without it no small message can expand
        # into a large one.
        ws_per_message_deflate=False,
        # The client is the peer of the connection; a header that says otherwise can be forged.
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=2,
    )
    server = CalmServer(config, runtime.end_streams, connections, runtime.drain_at_signal)
    runtime.drain.then(server.stop)
    return server


async def _serve(settings: Settings, on_ready: OnReady) -> None:
    listener = bind(settings)
    settings = as_bound(settings, listener)
    runtime = Runtime(settings, journal=journal(settings.log_level))
    server = server_of(runtime)
    try:
        await runtime.start()
        if runtime.keepers is not None:
            runtime.keepers.prepare()
        close_to_others(settings.data_dir)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await runtime.clock.sleep(0.005)
        collecting = asyncio.create_task(collect_at_times(runtime.clock))
        if server.started:
            # The first request does not wait for these counts.
            on_ready(url_of(listener), await runtime.dashboard_summary())
        await serving
        collecting.cancel()
    finally:
        await runtime.stop()
        listener.close()


def run_gateway(settings: Settings, on_ready: OnReady) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called with the URL and what there is.

    Raises StartupError (bad address, locked data directory, unreadable database).
    """
    SECRETS.hold(secrets_of(settings))
    configure_logging(settings.log_level)
    failpoint.arm(settings.failpoint)
    os.umask(0o077)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    sys.setswitchinterval(_SWITCH_SECONDS)
    look_at_the_young()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, on_ready))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    base: Any
    try:
        import uvloop
    except ImportError:
        base = asyncio.SelectorEventLoop
    else:
        base = uvloop.Loop

    class Loop(base):  # type: ignore[misc]
        """Resolves names in threads of their own: the default pool is for computing."""

        async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
            return await RESOLVING.run(socket.getaddrinfo, host, port, **hints)

    return Loop

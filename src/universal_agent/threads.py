"""Bounded pools of threads, one for each kind of blocking work.

asyncio has one pool for everything, name resolution included: a resolver that hangs takes all of
its threads, and then no process is looked for and none is ended. Here each kind of work has its
own threads. They are daemons: one that hangs does not hold up the end of the process.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Up to `size` threads for one kind of work; a further call waits for one of them."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._lock = threading.Lock()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call returns, made in one of the threads. Raises what it raises.

        A call that has begun goes on when its caller is cancelled; one that waits is dropped.
        """
        return await asyncio.wrap_future(self.submit(lambda: call(*args, **kwargs)))

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """The same for callers without an event loop."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        with self._lock:
            if not self._idle.acquire(blocking=False) and self._threads < self._size:
                self._threads += 1
                name = f"ua-{self._name}-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            del future, call  # what they hold is not kept until the next call
            self._idle.release()


#: Names to addresses. A resolver that hangs holds up other names, and nothing else.
RESOLVING = Pool("resolver", 16)

#: Files that may lie on a slow disk: workspaces, run logs, certificates.
FILES = Pool("files", 4)

#: Looking for a run's processes and ending them.
PROCESSES = Pool("processes", 4)

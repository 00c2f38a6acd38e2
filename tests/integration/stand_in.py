"""A verb replaced by a stand-in, for one store."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from universal_agent.store.store import Store


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    verb: Callable[..., Any],
    by: Callable[..., Awaitable[Any]],
) -> None:
    """Call `by` where the store would run the verb: with the real call, then the arguments."""

    def patched(name: str) -> None:
        really = getattr(store, name)

        async def instead(called: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if called is verb:
                return await by(partial(really, verb), *args, **kwargs)
            return await really(called, *args, **kwargs)

        monkeypatch.setattr(store, name, instead)

    patched("write")
    patched("read")

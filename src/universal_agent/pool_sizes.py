"""Names and sizes of pools, as settings and requests give them."""

import re
from collections.abc import Sequence

#: The pool of jobs that name none. Its size is UA_CRON_MAX_CONCURRENCY.
DEFAULT_POOL = "default"

#: Pools in all, and the size of one.
MOST_POOLS = 100
_LARGEST_POOL = 4096

_POOL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def pool_name(name: str) -> str:
    """The name of a pool. Raises ValueError."""
    if not _POOL_NAME.fullmatch(name):
        raise ValueError(
            "expected a pool's name of up to 40 letters, digits, '-', '_' and '.', got "
            f"{name[:60]!r}"
        )
    if name == DEFAULT_POOL:
        raise ValueError(
            f"expected another name than {DEFAULT_POOL!r}: that is the pool of jobs that name "
            "none, and UA_CRON_MAX_CONCURRENCY is its size"
        )
    return name


def pool_size(size: int) -> int:
    """The size of a pool. Raises ValueError."""
    if not 1 <= size <= _LARGEST_POOL:
        raise ValueError(f"expected a size of 1 to {_LARGEST_POOL}, got {size}")
    return size


def pool_sizes(words: Sequence[str]) -> dict[str, int]:
    """The pools of UA_POOLS: sizes by name, from `NAME=SIZE` each. Raises ValueError."""
    pools: dict[str, int] = {}
    for word in words:
        name, sign, size = (part.strip() for part in word.partition("="))
        if not sign or not re.fullmatch(r"[0-9]{1,9}", size):
            raise ValueError(f"expected NAME=SIZE, such as browser=2, got {word!r}")
        if pool_name(name) in pools:
            raise ValueError(f"expected each pool once, got {name!r} twice")
        pools[name] = pool_size(int(size))
    if len(pools) > MOST_POOLS:
        raise ValueError(f"expected at most {MOST_POOLS} pools, got {len(pools)}")
    return pools

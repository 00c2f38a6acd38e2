"""What holds a pool while runs wait for it, in words."""

from universal_agent.domain.pools import Holder, held_by
from universal_agent.domain.slot import from_epoch
from universal_agent.store.tx import Row, Tx

#: More runs than the sentence names.
_READ = 3


class Holders:
    """Reads the runs in execution of each pool once in a transaction."""

    def __init__(self, tx: Tx, concurrency: int) -> None:
        """`concurrency` is the size of the pool of jobs that name none."""
        self._tx = tx
        self._concurrency = concurrency
        self._words: dict[str | None, str] = {}

    def words(self, pool: str | None) -> str:
        """What holds the pool right now; a named pool with free places waits for a worker."""
        if pool not in self._words:
            self._words[pool] = self._read(pool)
        return self._words[pool]

    def _read(self, pool: str | None) -> str:
        row = None if pool is None else self._tx.one("get_pool", name=pool)
        if row is not None:
            rows = self._tx.all("pool_holders", pool=pool, limit=_READ)
            if rows and rows[0][-1] >= row[1]:
                return held_by(pool, row[1], [self._holder(one) for one in rows], rows[0][-1])
        rows = self._tx.all("pool_holders", pool=None, limit=_READ)
        count = rows[0][-1] if rows else 0
        return held_by(None, self._concurrency, [self._holder(one) for one in rows], count)

    def _holder(self, row: Row) -> Holder:
        run_id, started_at, text, own, source_ref, _ = row
        try:
            spec = self._tx.specs.get(own or text)
            title = spec.display_title
        except Exception:  # it cannot be read: its job's id names it
            title = source_ref
        return Holder(run_id=run_id, title=title, started_at=from_epoch(started_at))

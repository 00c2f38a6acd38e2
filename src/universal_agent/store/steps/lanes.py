"""The workers and the places of pools that one transaction may give to runs."""

from universal_agent.store.tx import Tx
from universal_agent.store.values import ClaimRules


class Lanes:
    """Counts what is left while runs are chosen.

    Ordinary runs take ordinary workers, and a place of their pool. Light runs take the workers in
    reserve first, then ordinary ones. Runs of missed slots take ordinary workers, up to a share.
    """

    def __init__(self, tx: Tx, free: int, rules: ClaimRules) -> None:
        """`free` workers in all, those in reserve included."""
        ordinary = free if rules.ordinary_workers is None else min(free, rules.ordinary_workers)
        self.ordinary = ordinary
        self.reserve = free - ordinary
        self.late = ordinary if rules.late_workers is None else rules.late_workers
        #: The free places of each pool, and whether one of its runs waits.
        self._pools = {
            name: (places, bool(waits))
            for name, places, waits in (tx.all("pool_rooms") if free > 0 else ())
        }
        self._places = {name: places for name, (places, _) in self._pools.items()}

    @property
    def free(self) -> int:
        """How many workers are left."""
        return self.ordinary + self.reserve

    def pools(self) -> list[tuple[str | None, int]]:
        """The pools with free places whose runs wait, with the places; None: runs of no pool."""
        named = [
            (name, self._places[name])
            for name, (_, waits) in self._pools.items()
            if waits and self._places[name] > 0
        ]
        return [(None, self.free), *named]

    def has_room(self, pool: str | None, *, light: bool, late: bool) -> bool:
        """Whether a run may start: there is a worker for it, and its pool has a place."""
        if pool is not None and self._places.get(pool, 1) <= 0:
            return False
        if late:
            return self.late > 0 and self.ordinary > 0
        return self.ordinary > 0 or (light and self.reserve > 0)

    def take(self, pool: str | None, *, light: bool, late: bool) -> None:
        """A run starts for which there is room."""
        if pool in self._places:
            self._places[pool] -= 1
        if late:
            self.late -= 1
        if light and not late and self.reserve > 0:
            self.reserve -= 1
        else:
            self.ordinary -= 1

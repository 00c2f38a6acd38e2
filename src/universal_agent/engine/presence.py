"""Presence of nodes, as they report it themselves.

Kept in memory: after a restart, the nodes that are still present report again.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from universal_agent.clock import Clock

#: The most nodes that are kept: those with the latest reports.
_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that has reported itself."""

    node_id: str
    status: str
    reason: str | None
    metadata: Mapping[str, Any]
    seen_at: datetime

    def document(self) -> dict[str, Any]:
        """The wire form (docs/contract.md, Heartbeats)."""
        return {
            "node_id": self.node_id,
            "status": self.status,
            "reason": self.reason,
            "metadata": dict(self.metadata),
            "updated_at": self.seen_at.isoformat(),
        }


class Presence:
    """The nodes that have reported themselves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: OrderedDict[str, Node] = OrderedDict()

    def report(
        self, node_id: str, *, status: str, reason: str | None, metadata: Mapping[str, Any]
    ) -> Node:
        """Keep what a node reports of itself."""
        node = Node(
            node_id=node_id,
            status=status,
            reason=reason,
            metadata=metadata,
            seen_at=self._clock.now(),
        )
        self._nodes[node_id] = node
        self._nodes.move_to_end(node_id)
        if len(self._nodes) > _MOST:
            self._nodes.popitem(last=False)
        return node

    def nodes(self) -> list[Node]:
        """All nodes, the latest report first."""
        return list(reversed(self._nodes.values()))

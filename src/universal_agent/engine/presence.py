"""Who is here? Nodes say so themselves, again and again; what nobody repeats is forgotten.

Kept in memory: after a restart, who is still here says so again.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from universal_agent.clock import Clock

#: Nodes remembered, those that were heard of last.
_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Somebody who is, or was, here."""

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
    """The nodes that were heard of."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: OrderedDict[str, Node] = OrderedDict()

    def report(
        self, node_id: str, *, status: str, reason: str | None, metadata: Mapping[str, Any]
    ) -> Node:
        """Remember what a node says of itself."""
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
        """Them all, the one heard of last first."""
        return list(reversed(self._nodes.values()))

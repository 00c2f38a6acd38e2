"""Deliveries of notifications to targets."""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain.deliveries import Delivery, DeliveryStatus
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.rows.notifications import notification_from_row
from universal_agent.store.tx import Tx


def adopt_targets(tx: Tx, targets: Sequence[str], *, since: datetime, now: datetime) -> None:
    """Make `targets` the only targets: deliveries to other targets end.

    Deliveries that an older schema made for every target, after `since`, become one for each.
    """
    for target in targets:
        tx.run("spread_deliveries", target=target, since=since.timestamp())
    tx.run("drop_spread_deliveries")
    tx.run("end_deliveries_elsewhere", targets=to_json(list(targets)), now=now.timestamp())


def next_delivery(tx: Tx, target: str) -> Delivery | None:
    """The delivery to the target that is tried next, now or later; None when there is none."""
    row = tx.one("next_delivery", target=target)
    if row is None:
        return None
    target, attempts, refusals, created_at, next_at = row[:5]
    return Delivery(
        notification=notification_from_row(row[5:]),
        target=target,
        attempts=attempts,
        refusals=refusals,
        created_at=from_epoch(created_at),
        next_at=from_epoch(next_at),
    )


def delivery_attempted(
    tx: Tx,
    delivery: Delivery,
    status: DeliveryStatus,
    *,
    next_at: datetime | None = None,
    refused: bool = False,
    error: str | None = None,
    now: datetime,
) -> bool:
    """Record an attempt and the status of the delivery after it. False when it had ended before."""
    return bool(
        tx.run(
            "delivery_attempted",
            notification_id=delivery.notification.notification_id,
            target=delivery.target,
            status=status,
            refused=refused,
            next_at=stamp(next_at),
            ended_at=None if status is DeliveryStatus.PENDING else now.timestamp(),
            error=error,
        )
    )


def delivery_statuses(
    tx: Tx, notification_id: str | None = None
) -> dict[tuple[str, str], DeliveryStatus]:
    """Statuses of deliveries, by notification and target."""
    rows = tx.all("list_deliveries", notification_id=notification_id)
    return {(row[0], row[1]): DeliveryStatus(row[2]) for row in rows}

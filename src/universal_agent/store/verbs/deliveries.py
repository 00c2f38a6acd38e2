"""Deliveries of notifications to channels, and the state of the channels.

An attempt claims its channel in the database, so there is one at a time for each channel. What was
sent and not recorded before a crash is sent again, with the same id.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.channels import ChannelState, ChannelStatus, Route
from universal_agent.domain.deliveries import (
    TRIED_FOR,
    Claim,
    Delivery,
    DeliveryStatus,
    Occasion,
)
from universal_agent.domain.notifications import Notification
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.rows.decoding import readable
from universal_agent.store.rows.notifications import channel_from_row, notification_from_row
from universal_agent.store.steps.notifications import add_new, open_incident, put_changed
from universal_agent.store.tx import Row, Tx

#: How long an attempt may hold its channel before another one may begin.
LEASE = timedelta(minutes=2)

#: Deliveries that one message combines at most.
_MOST_COMBINED = 200

#: Columns of a delivery and the batch before them.
_WIDTH = 9

#: The incident of a channel that does not take messages.
CHANNEL_INCIDENT = "delivery:"


def adopt_targets(tx: Tx, targets: Sequence[str], *, since: datetime, now: datetime) -> None:
    """Make `targets` the only channels: deliveries to others end.

    Attempts that an earlier process had begun have ended with it, and a channel that is down is
    probed soon. Deliveries that an older schema made for every channel, after `since`, become one
    for each.
    """
    for target in targets:
        tx.run("spread_deliveries", target=target, since=since.timestamp())
        if tx.one("get_channel", target=target) is None:
            put_channel(tx, target, ChannelState())
        tx.run("adopt_channel", target=target, now=now.timestamp())
    tx.run("drop_spread_deliveries")
    listed = to_json(list(targets))
    tx.run("end_deliveries_elsewhere", targets=listed, now=now.timestamp())
    tx.run("drop_channels_elsewhere", targets=listed)
    for row in tx.all("open_notifications", prefix=CHANNEL_INCIDENT):
        failing = notification_from_row(row)
        if failing.incident.removeprefix(CHANNEL_INCIDENT) not in targets:
            put_changed(tx, failing.resolved(now=now), now=now)


def claim_deliveries(
    tx: Tx,
    target: str,
    *,
    urgent: bool,
    released: datetime | None,
    combined_from: int,
    may_probe: bool,
    now: datetime,
) -> Claim | None:
    """Claim what is due at a channel for one attempt; None if nothing is, or one is under way.

    Due are errors if `urgent`, and what was created until `released`. `combined_from` or more are
    one message. A channel that is down is claimed at its probes only; a Claim without deliveries
    is a probe with a message of its own, which `may_probe` allows.
    """
    state = _state(tx, target)
    is_down = state.status is ChannelStatus.DOWN
    if is_down and state.probe_at is not None and state.probe_at > now:
        return None
    tx.run("give_up_deliveries", target=target, since=stamp(now - TRIED_FOR), now=stamp(now))
    tx.run("drop_idle_deliveries", target=target, now=stamp(now))
    found = _due(tx, target, urgent=urgent, released=released, whenever=is_down, now=now)
    if not found and not (is_down and may_probe):
        return None
    until = now + LEASE
    if not tx.run("claim_channel", target=target, until=until.timestamp(), now=now.timestamp()):
        return None
    if not found:
        return Claim(target=target)
    batch = found[0][0]
    if batch is not None:
        rows = tx.all("deliveries_of_batch", target=target, batch=batch)
        return Claim(target=target, batch=batch, deliveries=tuple(_delivery(row) for row in rows))
    fresh = tuple(delivery for other, delivery in found if other is None)
    if len(fresh) < combined_from:
        return Claim(target=target, deliveries=fresh[:1])
    batch = f"{fresh[0].message_id}-and-{len(fresh) - 1}"
    tx.many("put_into_batch", [{"batch": batch, **_key(one)} for one in fresh])
    return Claim(target=target, batch=batch, deliveries=fresh)


def _due(
    tx: Tx,
    target: str,
    *,
    urgent: bool,
    released: datetime | None,
    whenever: bool,
    now: datetime,
) -> list[tuple[str | None, Delivery]]:
    rows = tx.all(
        "due_deliveries",
        target=target,
        urgent=urgent,
        released=stamp(released) or 0.0,
        whenever=whenever,
        now=now.timestamp(),
        limit=_MOST_COMBINED,
    )
    # The key is the notification's: what cannot be read holds back nothing else.
    keyed = [(*row[_WIDTH:], *row[:_WIDTH]) for row in rows]
    width = len(keyed[0]) - _WIDTH if keyed else 0
    return [
        (row[width], delivery)
        for row, delivery in readable(
            tx, "notifications", keyed, lambda row: _delivery((*row[width:], *row[:width]))
        )
    ]


def _delivery(row: Row) -> Delivery:
    """A delivery from its batch, {delivery_columns} and {notification_columns}."""
    _, _, target, number, occasion, attempts, refusals, created_at, next_at = row[:_WIDTH]
    return Delivery(
        notification=notification_from_row(row[_WIDTH:]),
        target=target,
        number=number,
        occasion=Occasion(occasion),
        attempts=attempts,
        refusals=refusals,
        created_at=from_epoch(created_at),
        next_at=from_epoch(next_at),
    )


def _key(delivery: Delivery) -> dict[str, object]:
    return {
        "notification_id": delivery.notification.notification_id,
        "target": delivery.target,
        "number": delivery.number,
    }


def next_turn(
    tx: Tx, target: str, *, urgent: bool, released: datetime | None
) -> tuple[datetime | None, int]:
    """When something may be due at a channel next, as far as it is released; and what is pending.

    None: nothing is due at any time. A channel that is down has its turn at its next probe.
    """
    row = tx.one("next_delivery", target=target, urgent=urgent, released=stamp(released) or 0.0)
    assert row is not None
    at = None if row[0] is None else from_epoch(row[0])
    state = _state(tx, target)
    if state.status is ChannelStatus.DOWN and state.probe_at is not None:
        at = state.probe_at
    if at is not None and state.claimed_until is not None:
        at = max(at, state.claimed_until)
    return at, int(row[1])


def delivered(
    tx: Tx, claim: Claim, *, name: str, recovered: Notification, route: Route, now: datetime
) -> bool:
    """Record that a channel took a message. False when the deliveries had ended before.

    A channel that was down is back: what waits for it is due, its incident is closed, and
    `recovered` is told on the other channels.
    """
    took = [_attempted(tx, one, DeliveryStatus.DELIVERED, now=now) for one in claim.deliveries]
    tx.run("release_channel", target=claim.target)
    channel_took(tx, claim.target, name=name, recovered=recovered, route=route, now=now)
    return all(took)


def channel_took(
    tx: Tx, target: str, *, name: str, recovered: Notification, route: Route, now: datetime
) -> None:
    """Record that a channel took a message, whatever it was."""
    before = _state(tx, target)
    put_channel(tx, target, before.after_success(now=now))
    if before.status is ChannelStatus.OK:
        return
    tx.run("release_deliveries", target=target, now=now.timestamp())
    if before.status is ChannelStatus.DOWN:
        tx.append(events.channel_changed(name, status=ChannelStatus.OK, error=None, now=now))
    failing = open_incident(tx, CHANNEL_INCIDENT + target)
    if failing is not None:
        put_changed(tx, failing.resolved(now=now), now=now)
        add_new(tx, recovered, _others(route, target), now=now)


def not_delivered(
    tx: Tx,
    claim: Claim,
    *,
    error: str,
    refused: bool,
    channel_refused: bool,
    name: str,
    failing: Notification,
    route: Route,
    now: datetime,
) -> ChannelState:
    """Record that an attempt failed, and when the next one is made.

    `refused`: the message is not taken later either; `channel_refused`: no message is. `failing` is
    told on the other channels once: when this one is marked down, or a message is given up.
    Returns the channel's state.
    """
    tx.run("release_channel", target=claim.target)
    state = channel_failed(
        tx,
        claim.target,
        error=error,
        refused=channel_refused,
        is_about_message=refused and not channel_refused,
        name=name,
        failing=failing,
        route=route,
        now=now,
    )
    for delivery in claim.deliveries:
        if state.status is ChannelStatus.DOWN:
            # The channel's probes count from here, and the delivery waits for them.
            next_at: datetime | None = state.probe_at
        else:
            next_at = delivery.next_try(now=now, refused=refused and not channel_refused)
        status = DeliveryStatus.GIVEN_UP if next_at is None else DeliveryStatus.PENDING
        _attempted(tx, delivery, status, next_at=next_at, refused=refused, error=error, now=now)
        if next_at is None:
            _tell_failing(tx, claim.target, failing, route, now=now)
    return state


def channel_failed(
    tx: Tx,
    target: str,
    *,
    error: str,
    refused: bool,
    is_about_message: bool = False,
    name: str,
    failing: Notification,
    route: Route,
    now: datetime,
) -> ChannelState:
    """Record that a channel did not take a message, whatever it was."""
    before = _state(tx, target)
    state = before.after_failure(error, refused=refused, is_about_message=is_about_message, now=now)
    put_channel(tx, target, state)
    if state.status is ChannelStatus.DOWN and before.status is not ChannelStatus.DOWN:
        tx.append(events.channel_changed(name, status=state.status, error=error, now=now))
        _tell_failing(tx, target, failing, route, now=now)
    return state


def _tell_failing(
    tx: Tx, target: str, failing: Notification, route: Route, *, now: datetime
) -> None:
    """Open the channel's incident on the other channels, unless it is open."""
    if open_incident(tx, failing.incident) is None:
        add_new(tx, failing, _others(route, target), now=now)


def _others(route: Route, target: str) -> Route:
    def others(notification: Notification, occasion: Occasion) -> Sequence[str]:
        return [other for other in route(notification, occasion) if other != target]

    return others


def _attempted(
    tx: Tx,
    delivery: Delivery,
    status: DeliveryStatus,
    *,
    next_at: datetime | None = None,
    refused: bool = False,
    error: str | None = None,
    now: datetime,
) -> bool:
    return bool(
        tx.run(
            "delivery_attempted",
            **_key(delivery),
            status=status,
            refused=refused,
            next_at=stamp(next_at),
            ended_at=None if status is DeliveryStatus.PENDING else now.timestamp(),
            error=error,
        )
    )


def _state(tx: Tx, target: str) -> ChannelState:
    row = tx.one("get_channel", target=target)
    return ChannelState() if row is None else channel_from_row(row)


def put_channel(tx: Tx, target: str, state: ChannelState) -> None:
    """Store a channel's state."""
    tx.run(
        "put_channel",
        target=target,
        status=state.status,
        since=stamp(state.since),
        failures=state.failures,
        refusals=state.refusals,
        error=state.error,
        delivered_at=stamp(state.delivered_at),
        failing_since=stamp(state.failing_since),
        probes=state.probes,
        probe_at=stamp(state.probe_at),
        claimed_until=stamp(state.claimed_until),
    )


def channel_states(tx: Tx) -> dict[str, ChannelState]:
    """The state of every channel, by target id."""
    return {row[0]: channel_from_row(row[1:]) for row in tx.all("list_channels")}


def pending_counts(tx: Tx) -> dict[str, int]:
    """How many deliveries wait for each channel, by target id."""
    return {row[0]: int(row[1]) for row in tx.all("pending_deliveries")}


def delivery_statuses(
    tx: Tx, notification_id: str | None = None
) -> dict[tuple[str, str], DeliveryStatus]:
    """Statuses of the latest deliveries, by notification and target."""
    rows = tx.all("list_deliveries", notification_id=notification_id)
    return {(row[0], row[1]): DeliveryStatus(row[3]) for row in rows}

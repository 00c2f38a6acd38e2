"""The stasis queue in its order, with what is recommended; and what expired."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson

from universal_agent.domain.calendar_size import MAX_GROUPS
from universal_agent.domain.recommendation import order, recommend
from universal_agent.domain.slot import Source, from_epoch
from universal_agent.errors import InvalidInput
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.views.calendar import CalendarView

#: Later than everything, as the place before the first expired span.
_LATEST = (2.0**53, "")


#: The types of a place in the queue (recommendation.order).
_ORDER = (bool, bool, float, int, float, str)


class StasisView:
    """Queries about missed slots that wait, or waited."""

    def __init__(
        self, store: Store, calendar: CalendarView, *, agent: Sequence[str], off: Sequence[Source]
    ) -> None:
        self._store = store
        self._calendar = calendar
        self._agent = agent
        self._off = off

    async def queue(self, *, now: datetime, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of the queue. Raises InvalidInput for a cursor that is none.

        A page begins after the last item of the page before, by the order as it was at the first
        page: what is added or decided in between shifts nothing.
        """
        as_of, after = (now, None) if cursor is None else _place(cursor, _ORDER)
        items = {text.name: text.json for text in await self._calendar.stasis_items(now=now)}
        # Read after the items, so that what was decided in between is left out.
        groups = await self._store.read(
            verbs.waiting.waiting_groups, agent=self._agent, off=self._off
        )
        ordered = sorted(
            ((order(group, now=as_of), group) for group in groups if group.event_id in items),
            key=itemgetter(0),
        )
        left = [(key, group) for key, group in ordered if after is None or list(key) > after]
        page = left[:limit]
        return {
            "stasis_queue": [
                _with(items[group.event_id], "recommended", recommend(group, now=now).document())
                for _, group in page
            ],
            # The foremost groups are listed; all of them are counted.
            "total": len(groups) if len(items) >= MAX_GROUPS else len(ordered),
            "next_cursor": _cursor(as_of, page[-1][0]) if len(left) > limit else None,
        }

    async def expired(self, *, limit: int, cursor: str | None) -> dict[str, Any]:
        """A page of what expired without a decision, the latest first. Raises InvalidInput."""
        before = _LATEST
        if cursor is not None:
            at, place = _place(cursor, (str,))
            before = (at.timestamp(), str(place[0]))
        found = await self._store.read(verbs.expired.expired_before, before=before, limit=limit + 1)
        page = found[:limit]
        last = page[-1].record if len(found) > limit else None
        return {
            "expired": [one.document() for one in page],
            "next_cursor": None if last is None else _cursor(last.updated_at, [last.missed_id]),
        }


def _with(item: bytes, name: str, value: object) -> orjson.Fragment:
    """A JSON object with one more field."""
    added = b',"%b":%b}' % (name.encode(), orjson.dumps(value))
    return orjson.Fragment(item.removesuffix(b"}") + added)


def _cursor(at: datetime, place: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([at.timestamp(), *place])).decode()


def _place(cursor: str, kinds: Sequence[type]) -> tuple[datetime, list[Any]]:
    """What `_cursor` wrote, with a place of these types. Raises InvalidInput."""
    try:
        at, *place = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        if [type(part) for part in place] != list(kinds):
            raise ValueError("another query's")
        return from_epoch(float(at)), place
    except (ValueError, TypeError, binascii.Error, OverflowError, OSError):
        raise InvalidInput(
            "expected the next_cursor of a page before, got something else", field="cursor"
        ) from None

"""The cache of feeds: one bound in bytes for all their forms."""

import tracemalloc

from universal_agent.domain.calendar import Feed
from universal_agent.domain.calendar_row import Row
from universal_agent.views.feed_cache import ANSWER, BUILT, FeedCache

MEGABYTE = 1_000_000


def feed_of(rows: int) -> Feed:
    """A feed of recorded slots, whose rows are the largest: each has a run id of its own."""
    return Feed(
        rows=[
            Row(
                at=1_800_000_000 + number,
                source="cron",
                source_ref="job_1",
                version=1,
                deleted=False,
                status="success",
                run_id=f"run_{number:028x}",
                run_status="success",
                duration_seconds=number / 7,
            )
            for number in range(rows)
        ]
    )


def test_all_forms_share_one_bound_and_the_least_recently_used_goes_first() -> None:
    cache = FeedCache()
    cache.put(BUILT, "window", feed_of(20_000), edition=0)
    for number in range(20):
        cache.put(ANSWER, number, bytes(MEGABYTE), edition=0)
        assert cache.get(ANSWER, 0) is not None
    assert cache.get(BUILT, "window") is None
    assert cache.get(ANSWER, 19) is not None
    assert 0 < cache.kept.size <= cache.kept.limit


def test_a_value_of_more_than_a_third_of_the_bound_displaces_nothing() -> None:
    cache = FeedCache()
    cache.put(ANSWER, "small", b"a", edition=0)
    cache.put(ANSWER, "large", bytes(cache.kept.limit // 3 + 1), edition=0)
    assert (cache.get(ANSWER, "small"), cache.get(ANSWER, "large")) == (b"a", None)


def test_what_was_made_before_the_cache_was_cleared_is_not_kept() -> None:
    cache = FeedCache()
    cache.put(ANSWER, "etag", b"old", edition=0)
    cache.forget()
    cache.put(ANSWER, "etag", b"old", edition=0)
    assert (cache.get(ANSWER, "etag"), cache.kept.size) == (None, 0)
    cache.put(ANSWER, "etag", b"new", edition=cache.edition)
    assert cache.get(ANSWER, "etag") == b"new"


def test_what_is_dropped_frees_its_bytes() -> None:
    cache = FeedCache()
    cache.put(ANSWER, "etag", b"abc", edition=0)
    cache.drop(ANSWER, "etag")
    cache.drop(ANSWER, "etag")
    assert (cache.get(ANSWER, "etag"), cache.kept.size) == (None, 0)


def test_a_feed_takes_no_more_memory_than_it_is_counted_as() -> None:
    tracemalloc.start()
    try:
        feed = feed_of(10_000)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= BUILT.size(feed)

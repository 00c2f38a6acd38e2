"""What each address requires. Addresses that are not in the table need the operator's token.

A new route is closed until it is listed here.
"""

from enum import StrEnum


class Need(StrEnum):
    """What a request must show, in addition to an accepted Host and Origin."""

    #: Nothing, and Host may be any: checks of proxies send the address, or none.
    ANY_HOST = "any_host"
    #: Nothing.
    NOTHING = "nothing"
    #: Nothing, and links on other sites may lead here: the page holds no data.
    PAGE = "page"
    #: Nothing; but the answer depends on the principal.
    TOKEN_OR_NOTHING = "token_or_nothing"  # noqa: S105 - a word, not a secret
    #: The operator's token, in a header or as a session.
    TOKEN = "token"  # noqa: S105
    #: The same, or the token in the query: EventSource and calendar programs send no headers.
    TOKEN_MAYBE_IN_QUERY = "token_maybe_in_query"  # noqa: S105
    #: The same, or a token for calendar programs.
    FEED_TOKEN = "feed_token"  # noqa: S105


#: Every address that needs something else than the operator's token.
POLICY = {
    ("GET", "/"): Need.PAGE,
    ("HEAD", "/"): Need.PAGE,
    ("GET", "/api/v1/health"): Need.ANY_HOST,
    ("HEAD", "/api/v1/health"): Need.ANY_HOST,
    ("GET", "/config"): Need.TOKEN_OR_NOTHING,
    ("POST", "/api/v1/auth/login"): Need.NOTHING,
    ("GET", "/api/v1/ops/scheduling/stream"): Need.TOKEN_MAYBE_IN_QUERY,
    ("GET", "/api/v1/ops/calendar.ics"): Need.FEED_TOKEN,
}

#: First parts of the paths of the dashboard's pages and of the files they are made of. They are
#: the same for everybody: what they show, they ask the API for.
PAGES = frozenset(
    {
        "activity",
        "assets",
        "calendar",
        "changes",
        "favicon.ico",
        "jobs",
        "logs",
        "sessions",
        "settings",
        "stasis",
    }
)

#: The methods that change nothing.
READING = frozenset({"GET", "HEAD"})


def need_of(method: str, path: str) -> Need:
    """What a request of this method for this path must show."""
    need = POLICY.get((method, path))
    if need is not None:
        return need
    if method in READING and path[1:].partition("/")[0] in PAGES:
        return Need.PAGE
    return Need.TOKEN

"""The ASGI application: middleware, routers and error handlers."""

from fastapi import FastAPI

from universal_agent import __version__
from universal_agent.api import (
    calendar,
    cron,
    dashboard,
    drain,
    feed_tokens,
    flags,
    health,
    heartbeat,
    ics,
    metrics,
    notify,
    ops,
    pools,
    projection,
    resources,
    scheduling,
    session_stream,
    sessions,
    slot_changes,
    stasis,
    system,
    web_page,
)
from universal_agent.api.access import install_access
from universal_agent.api.access_log import AccessLog, query_parameters
from universal_agent.api.head_requests import HeadAsGet
from universal_agent.api.problems import EVERYWHERE, install_problem_handlers
from universal_agent.api.proxied import install_proxied
from universal_agent.api.short_way import ShortWay
from universal_agent.runtime import Runtime


def create_app(runtime: Runtime) -> FastAPI:
    """The application over a runtime, which its caller starts and stops."""
    app = FastAPI(
        title="Universal Agent",
        version=__version__,
        description="The scheduling runtime for always-on AI agents.",
        docs_url=None,  # its page loads scripts from elsewhere, which ours never do
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=EVERYWHERE,
    )
    app.state.runtime = runtime
    app.add_middleware(ShortWay, ways=cron.SHORT_WAYS)
    app.add_middleware(web_page.PageFiles, public_path=runtime.settings.public_path)
    install_problem_handlers(app)
    modules = (
        health,
        cron,
        calendar,
        slot_changes,
        stasis,
        ics,
        scheduling,
        projection,
        flags,
        feed_tokens,
        pools,
        resources,
        dashboard,
        notify,
        metrics,
        ops,
        drain,
        heartbeat,
        system,
        sessions,
        session_stream,
    )
    for module in modules:
        app.include_router(module.router)
    gate = install_access(app, runtime.settings, clock=runtime.clock)
    runtime.token.on_change(gate.rotate)
    gate.accepts_feed = runtime.feed_tokens.accepts
    # The page answers every address that no other route does: it comes last.
    app.include_router(web_page.router)
    shown = query_parameters(route for module in modules for route in module.router.routes)
    app.add_middleware(HeadAsGet)
    app.add_middleware(AccessLog, clock=runtime.clock, shown=shown)
    install_proxied(app, runtime.settings)
    return app

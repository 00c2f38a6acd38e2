"""F3: the disk answers a sync with an error, once or for as long as strace holds on."""

from collections.abc import Iterator

import httpx

from chaos.checker import LOST, OTHER, Fault
from chaos.faults.site import CRON, TICK, Site, site, until
from chaos.faults.trial import Round
from chaos.strace import attached

ERROR = "inject=fsync,fdatasync:error=EIO"


def trial(this: Round) -> Iterator[Fault]:
    """A write meets the error; it is refused, told, and taken when the disk is well again."""
    for_ever = this.number % 2 == 0
    trace = this.folder / "strace"
    options = ("-e", "trace=fsync,fdatasync", "-e", ERROR + ("" if for_ever else ":when=1"))
    with site(this.folder) as at:
        tick = at.add(**TICK)
        at.add(**CRON)
        until(lambda: at.done(tick), "the first run")
        refusals: list[httpx.Response] = []
        with attached(at.gateway.pid, *options, "-o", str(trace)):
            if for_ever:
                yield from _while_it_lasts(at, refusals)
            else:
                at.add_when_it_may(dict(TICK), meanwhile=refusals.append)
                until(lambda: "INJECTED" in trace.read_text(), "a sync that failed")
                seconds = until(lambda: at.health == 200, "health without a restart")
                yield from this.measure("healthy_again_seconds", seconds, limit=5)
        if for_ever:
            seconds = until(lambda: at.health == 200, "health without a restart")
            yield from this.measure("healthy_again_seconds", seconds, limit=5)
            at.add_when_it_may(dict(TICK), meanwhile=refusals.append)
        yield from _refused_well(refusals)
        before = len(at.done(tick))
        until(lambda: len(at.done(tick)) > before, "a further run")
        at.gateway.kill()
        at.gateway.start()
        yield from at.account()


def _while_it_lasts(at: Site, refusals: list[httpx.Response]) -> Iterator[Fault]:
    """No write goes through; reading does; health says why; the loop lives."""
    for number in range(5):
        body = {"command": "true", "every": "1h", "title": f"refused {number}"}
        response = at.ask("POST", "/api/v1/cron/jobs", body)
        if response.is_success:
            yield Fault(LOST, "a write was acknowledged while no sync succeeded")
        refusals.append(response)
    health = at.ask("GET", "/api/v1/health")
    if health.status_code != 503 or health.json()["db_status"] != "error":
        yield Fault(OTHER, f"health says {health.status_code} while no sync succeeds")
    if any("has not looked at its clock" in reason for reason in health.json()["reasons"]):
        yield Fault(OTHER, "the loop stood still")
    if at.ask("GET", "/api/v1/cron/jobs").status_code != 200:
        yield Fault(OTHER, "jobs cannot be read while no sync succeeds")


def _refused_well(refusals: list[httpx.Response]) -> Iterator[Fault]:
    for refusal in refusals:
        if refusal.status_code not in (503, 507):
            yield Fault(OTHER, f"a write was answered {refusal.status_code} for a failing disk")

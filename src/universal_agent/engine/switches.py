"""Which engines are switched on: `UA_ENABLE_CRON` and `UA_ENABLE_HEARTBEAT`."""

from universal_agent.domain.slot import Source
from universal_agent.errors import EngineOff
from universal_agent.settings import Settings


class Switches:
    """The sources whose engine is on, and those whose engine is off."""

    def __init__(self, settings: Settings) -> None:
        is_on = {
            Source.CRON: settings.enable_cron,
            Source.HEARTBEAT: settings.enable_heartbeat,
        }
        self.on = tuple(source for source in Source if is_on[source])
        self.off = tuple(source for source in Source if not is_on[source])

    def require(self, source: Source) -> None:
        """Raise EngineOff if the source's engine is switched off."""
        if source in self.off:
            raise EngineOff(f"{source.capitalize()} service not available.")

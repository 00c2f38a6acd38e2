"""The cache of decoded job specs."""

from functools import lru_cache

from universal_agent.domain.job import JobSpec, spec_from_record
from universal_agent.domain.run import Run
from universal_agent.store.encoding import from_json


class SpecCache:
    """LRU cache of decoded specs, keyed by their stored text.

    A transaction that fails takes back the text that it wrote, and another transaction may store a
    different spec under the same job and version. So the key is the text, not (job, version).
    """

    def __init__(self, size: int = 20_000) -> None:
        self._decoded = lru_cache(maxsize=size)(_decode)

    def get(self, text: str) -> JobSpec:
        """The spec that `text` is the record of."""
        return self._decoded(text)

    def of_run(self, run: Run, text: str | None, own: str | None) -> JobSpec:
        """The spec of a run: its own, or else its job version's `text`."""
        if own is not None:
            return _decode(own)
        assert text is not None, f"version {run.job_version} of {run.source_ref} was never stored"
        return self.get(text)


def _decode(text: str) -> JobSpec:
    return spec_from_record(from_json(text))

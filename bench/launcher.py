"""Starts the gateway as `ua serve` does: python -m bench.launcher."""

from universal_agent.api.server import run_gateway
from universal_agent.settings import load_settings

if __name__ == "__main__":
    run_gateway(load_settings(), on_ready=lambda url: None)

"""The scheduling runtime for always-on AI agents."""

__version__ = "0.1.0"

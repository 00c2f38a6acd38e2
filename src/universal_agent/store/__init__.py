"""The durable state."""

"""Domain values, decoded from rows."""

"""The parts of the benchmark: each measures one thing and says what it must reach."""

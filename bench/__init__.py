"""The benchmark: how late, how many, how much, measured on the real process over HTTP."""

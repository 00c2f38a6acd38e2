"""Faults other than kill -9: one module for each, all in the table of `chaos.faults.table`."""

"""Kills a gateway again and again under load, and counts what was lost; brings about other faults.

    python -m chaos --kills 200 --seed 7
    python -m chaos faults F3 F19 --rounds 20 --seed 7

A driver makes jobs and changes them over HTTP and writes down every acknowledgement; every run
writes a line of its own outside the store; followers read the event log across the restarts. A
checker that knows nothing of the product's code then holds these against each other
(docs/chaos.md).
"""

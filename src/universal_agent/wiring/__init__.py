"""The composition of the gateway's parts, by duty; `runtime.py` puts them together."""

"""May a webhook connect to this target?

A job's author names a URL, and the gateway connects from where it stands: inside the network, on
the machine itself, next to a cloud's metadata service. So a name is resolved once, every address
is judged, and the connection is made to an address that was judged and to no other: what the
name resolves to a moment later does not matter. UA_WEBHOOK_ALLOW opens targets one by one.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from universal_agent.errors import InvalidInput, SettingsError

type_Address = IPv4Address | IPv6Address

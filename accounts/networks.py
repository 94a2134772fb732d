"""Which networks a role is bound to, as a text says it."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache

from accounts import permissions

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=8)
def parse(text: str) -> Mapping[str, tuple[Network, ...]]:
    """``admin=10.0.0.0/8,2001:db8::/32; manager=192.0.2.7`` as networks by role. Raises ValueError with a sentence."""
    found: dict[str, tuple[Network, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        role, _, networks = part.partition("=")
        if role.strip() not in permissions.ROLES:
            raise ValueError(f"{role.strip()} is not a role")
        found[role.strip()] = tuple(ipaddress.ip_network(network.strip()) for network in networks.split(","))
    return found


def holds(networks: tuple[Network, ...], address: str) -> bool:
    """Whether the address lies in one of them. An address nobody knows lies in none."""
    if not address:
        return False
    known = ipaddress.ip_address(address)
    plain = getattr(known, "ipv4_mapped", None) or known
    return any(plain in network for network in networks)

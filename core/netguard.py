"""Which addresses the hub may connect to on somebody else's behalf: the table, and nothing else.

`ipaddress.is_global` alone is not enough: on Python 3.11 it is true for NAT64, 6to4,
IPv4-compatible and site-local forms, for multicast and for some protocol assignments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Literal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Verdict = Literal["public", "private", "refused"]


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """An operator's list of networks; raises ValueError for one that is none."""
    return tuple(ip_network(text) for text in texts)


# Nobody answers there, or everybody does: no list opens these.
_NOWHERE = networks(["0.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "::/128", "ff00::/8"])
_LOOPBACK = networks(["127.0.0.0/8", "::1/128"])
# Link-local, and the places where clouds keep credentials. A list opens one of these only by
# naming the single address.
_NEVER = networks(
    [
        "169.254.0.0/16",
        "fe80::/10",
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # Amazon
        "fd20:ce::254",  # Google
    ]
)
# Not public, although `is_global` says or may say so.
_NOT_PUBLIC = networks(
    ["100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "2001::/23", "3fff::/20"]
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")  # RFC 8215: where in it the address lies is not fixed
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")


def judge(address: str, allow: Sequence[Network] = ()) -> Verdict:
    """What may be done with a resolved address.

    `public`: anybody's. `private`: only because `allow`, the operator's list, contains it.
    `refused`: no connection. Loopback needs an entry that names nothing but loopback; link-local
    and cloud metadata need an entry for the single address. Raises ValueError for text that is no
    address.
    """
    outer = ip_address(address.partition("%")[0])
    inner = _unwrap(outer)
    forms = [outer] if inner is None else [outer, inner]
    if _among(forms, _NOWHERE):
        return "refused"
    ends = [*forms, *_perhaps(outer)]
    if _among(ends, _LOOPBACK):
        return "private" if _among(forms, _only_loopback(allow)) else "refused"
    if _among(ends, _NEVER):
        single = [network for network in allow if network.num_addresses == 1]
        return "private" if _among(forms, single) else "refused"
    if _is_public(inner or outer):
        return "public"
    return "private" if _among(forms, allow) else "refused"


def _unwrap(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address) or int(address) <= 1:
        return None
    if any(address in network for network in (_MAPPED, _COMPATIBLE, _NAT64)):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return None


def _perhaps(address: Address) -> list[IPv4Address]:
    """IPv4 addresses that packets to a tunnel or translator of a private network may end at.

    Such an address is never public; an operator who lists its network does not mean these.
    """
    if isinstance(address, IPv4Address):
        return []
    number = int(address)
    if address in _TRANSLATED:
        return [IPv4Address(number & 0xFFFFFFFF)]
    if address in _TEREDO:  # RFC 4380: server, and client with its bits turned over
        return [IPv4Address(number >> 64 & 0xFFFFFFFF), IPv4Address(~number & 0xFFFFFFFF)]
    if address in _LOCAL_NAT64:  # RFC 6052, 2.2: the octet from bit 64 on is skipped
        without = number >> 64 << 56 | number & (1 << 56) - 1
        return [IPv4Address(number & 0xFFFFFFFF)] + [
            IPv4Address(without >> shift & 0xFFFFFFFF) for shift in (40, 32, 24)
        ]
    return []


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return address.is_global and not _among([address], _NOT_PUBLIC)


def _only_loopback(allow: Sequence[Network]) -> list[Network]:
    return [
        network
        for network in allow
        if _among([network.network_address], _LOOPBACK)
        and _among([network.broadcast_address], _LOOPBACK)
    ]


def _among(addresses: Iterable[Address], table: Iterable[Network]) -> bool:
    wanted = list(addresses)
    return any(
        address.version == network.version and address in network
        for network in table
        for address in wanted
    )

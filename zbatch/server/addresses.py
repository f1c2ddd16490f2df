"""Which hosts a server may be sent to: names resolved once, addresses checked, connections held to those.

A server that fetches what a stranger names must not be a way into its own network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_CLOSED: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            # Python's releases differ in what they call global, so what matters is written out:
            "64:ff9b:1::/48",  # RFC 8215
            "fec0::/10",  # site-local, deprecated and still routed inside
            "3fff::/20",  # documentation
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata is at 192.0.0.192
            "192.88.99.0/24",  # 6to4 relays
            # and what is global by its number, and answers only inside of a cloud:
            "168.63.129.16/32",  # Azure's host
            "100.100.100.200/32",  # Alibaba's metadata
            "fd00:ec2::/32",  # Amazon's metadata
        ),
    )
)
_NUMERIC: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host and port."""


class PinnedResolver(AbstractResolver):
    """Asks for the addresses of a name once, checks them, and gives those: the connection goes to no others.

    All of them must be public: a name that has a private address beside is somebody's attempt.
    """

    def __init__(self, resolve: Resolve | None = None, *, allow_private: bool = False) -> None:
        self._resolve = resolve or _system_addresses
        self._allow_private = allow_private

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - both are taken
    ) -> list[ResolveResult]:
        """Resolve a name, or refuse where any of its addresses is private."""
        found: list[ResolveResult] = []
        for address in await self._resolve(host, port):
            if not self._allow_private and not is_public(address):
                raise OSError(f"{host} is a private address")
            found.append(
                ResolveResult(
                    hostname=host, host=address, port=port, proto=socket.IPPROTO_TCP,
                    family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )  # fmt: skip
        return found

    async def close(self) -> None:
        """Nothing is held open."""


async def _system_addresses(host: str, port: int) -> list[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


def host_refused(host: str, *, allow_private: bool = False) -> str:
    """Say why a host, as it is written, is not gone to; empty where it may be asked for.

    Odd spellings are refused in any case, before anybody can read them in two ways.
    """
    if not host.isascii():
        # What turns it into ASCII could find digits and dots in it.
        return "must write its host in ASCII (xn--...)"
    if _NUMERIC.fullmatch(host) and not _is_ipv4(host):
        # 2130706433, 0x7f.1, 127.1 and 0177.0.0.1 are addresses to some and names to others.
        return f"must not write an address as {host[:80]}"
    if not allow_private and (_is_private_literal(host) or _is_local_name(host)):
        return f"must not point at a private address ({host[:80]})"
    return ""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet, also where it wraps an IPv4 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    if any(ip in network for network in _CLOSED):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_private_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))

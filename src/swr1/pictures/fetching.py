"""Pictures by address: only from hosts that were named, by https, from public addresses.

The address that was checked is the one that is connected to, so a name that means another machine
a moment later (DNS rebinding) gains nothing. Every redirection is checked like the first address.
Proxies of the environment are not used.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

from swr1.pictures.decoding import Refusal

SECONDS = 30.0  # for a picture, with all redirections
REDIRECTIONS = 5
_MOVED = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def fetch(url: str, hosts: Sequence[str], most: int) -> bytes:
    """The bytes at an address, at most one more than `most`. Raises Refusal."""
    deadline = time.monotonic() + SECONDS
    try:
        for _ in range(REDIRECTIONS + 1):
            reply = _get(url, hosts, most, deadline)
            if isinstance(reply, bytes):
                return reply
            url = urljoin(url, reply)
    except TimeoutError:
        raise Refusal(f"it did not come within {SECONDS:g} s") from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        why = " ".join(str(error).split())[:80] or type(error).__name__
        raise Refusal(f"it could not be fetched ({why})") from None
    raise Refusal(f"more than {REDIRECTIONS} redirections")


def _get(url: str, hosts: Sequence[str], most: int, deadline: float) -> bytes | str:
    """What is there, or where it says to look instead."""
    host, target = _checked(url, hosts)
    connection = _connection(host, _public_address(host), _left(deadline))
    try:
        connection.request("GET", target, headers={"Host": host, "Accept-Encoding": "identity"})
        reply = connection.getresponse()
        if reply.status in _MOVED:
            return reply.headers.get("Location") or ""
        if reply.status != http.client.OK:
            raise Refusal(f"the server answered {reply.status}")
        if (reply.length or 0) > most:
            raise Refusal(f"more than {most // 2**20} MB")
        data = bytearray()
        while len(data) <= most and (chunk := reply.read1(2**16)):
            data += chunk
            if connection.sock:
                connection.sock.settimeout(_left(deadline))
        return bytes(data)
    finally:
        connection.close()


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _checked(url: str, hosts: Sequence[str]) -> tuple[str, str]:
    """(host, path with query) of an address that may be asked."""
    if not hosts:
        raise Refusal("nothing is fetched from addresses; --allow-picture-urls HOST allows it")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise Refusal("no address") from None
    if parts.scheme != "https":
        raise Refusal(f"by {parts.scheme or 'nothing'!r}, not https")
    if host not in {name.lower() for name in hosts}:
        raise Refusal(f"the host {host!r} is none of {', '.join(hosts)} (--allow-picture-urls)")
    if port not in (None, 443) or parts.username is not None:
        raise Refusal("an address with a port or a user's name")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, target


def _public_address(host: str) -> str:
    """An address of a host whose addresses are all public ones."""
    addresses = [
        str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    ]
    for address in addresses:
        if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise Refusal(f"the host {host!r} has the address {address}, which is not public")
    return addresses[0]


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # IPv6 addresses that stand for one of IPv4
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or [None])[-1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return address.is_global and not address.is_multicast


def _connection(host: str, address: str, timeout: float) -> http.client.HTTPConnection:
    """A connection to this address, whose certificate must be the host's."""
    connection = http.client.HTTPSConnection(host, timeout=timeout)
    plain = socket.create_connection((address, 443), timeout)
    try:
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return connection

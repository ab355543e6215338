"""Pictures by address: only from hosts that were named, by https, from public addresses."""

from collections.abc import Sequence

from swr1.pictures.decoding import Refusal


def fetch(url: str, hosts: Sequence[str], most: int) -> bytes:
    """The bytes at an address, at most one more than `most`. Raises Refusal."""
    if not hosts:
        raise Refusal(
            "pictures are not fetched from addresses; --allow-picture-urls HOST allows it"
        )
    raise Refusal("not fetched yet")

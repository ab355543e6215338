"""A server's words never hold our key, and a key that cannot be sent is told."""

from base64 import b64encode

import pytest

from swr1.errors import UsageError
from swr1.key_mask import Mask
from swr1.servers import Server, Servers

KEY = "sk-proj-AbCdEf0123456789xyz"


@pytest.mark.parametrize(
    "shown",
    [
        *(KEY, KEY.upper(), " ".join(KEY), KEY[:14] + "\n" + KEY[14:], KEY[5:], ".".join(KEY)),
        *(KEY.encode().hex(), b64encode(KEY.encode()).decode()),
        *(b64encode(user + KEY.encode()).decode() for user in (b"u:", b"us:", b"use:")),
    ],
)
def test_a_key_is_taken_out(shown):
    told = Mask(KEY)(f"bad key: {shown} (401)")
    assert "[key]" in told and told.startswith("bad key: ") and told.endswith(" (401)")
    assert not any(KEY[i : i + 8].lower() in told.lower() for i in range(len(KEY) - 8))


def test_other_words_stay():
    text = "the project has used its quota of 0123 requests"
    assert Mask(KEY)(text) == text == Mask(None)(text)


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://h:99999/v1", "http://h:0", "http://h:x", "ftp://h", "h", "http://"],
)
def test_odd_urls(url):
    with pytest.raises(UsageError, match="--url is like"):
        Server(url)
    assert Server("http://[::1]:8000").url == "http://[::1]:8000/v1"


@pytest.mark.parametrize("key", ["kéy", "a\nb", "\x00"])
def test_a_key_that_no_request_can_carry(key):
    with pytest.raises(UsageError, match="printable ASCII"):
        Servers(["http://h"], key=key, timeout=1, retry_for=1, learn=lambda *_: None)

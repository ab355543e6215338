"""Takes our key out of a server's messages, also where it is cut in pieces or encoded."""

from base64 import b64encode
from urllib.parse import quote

PIECE = 8  # characters of the key, or of its code, in a row


class Mask:
    """Takes a key out of texts: as it is, as hex, base64 or URL, whole or a piece of it, and with
    spaces or punctuation between its characters. A key that was changed otherwise is not found."""

    def __init__(self, key: str | None) -> None:
        data = (key or "").encode()
        # The base64 code of a text with the key in it depends on the key's position, modulo three.
        coded = [b64encode(bytes(n) + data).decode().rstrip("=")[4 * bool(n) :] for n in range(3)]
        forms = [key or "", quote(key or "", safe=""), data.hex(), *coded]
        forms = [_letters(form)[0].lower() for form in forms]
        self._pieces = {f[i : i + PIECE] for f in forms for i in range(len(f) - PIECE + 1)}
        self._whole = key or ""

    def __call__(self, text: str) -> str:
        if not self._whole:
            return text
        text = text.replace(self._whole, "[key]")
        letters, places = _letters(text)
        letters, out, done = letters.lower(), [], 0
        for at in range(len(letters) - PIECE + 1):
            if letters[at : at + PIECE] in self._pieces:
                first, last = places[at], places[at + PIECE - 1] + 1
                if first >= done:
                    out += [text[done:first], "[key]"]
                done = max(done, last)
        return "".join([*out, text[done:]])


def _letters(text: str) -> tuple[str, list[int]]:
    """The letters and digits of a text, and the position of each."""
    places = [i for i, c in enumerate(text) if c.isalnum()]
    return "".join(text[i] for i in places), places

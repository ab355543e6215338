"""What opens, as which picture, and what is refused, each in one line."""

import base64

import pytest

from swr1.errors import DataError
from swr1.picture_parts import has_pictures, parts
from swr1.pictures import Opener, part_of, picture_of, write_png
from swr1.records import make_id
from tests.pictures.drawing import drawn, encoded


def test_a_picture_is_the_same_by_path_by_base64_and_after_encoding_again(tmp_path):
    image = drawn()
    picture = picture_of(image)
    (tmp_path / "a.bmp").write_bytes(encoded(image, "BMP"))
    (tmp_path / "a.webp").write_bytes(encoded(image, "WEBP", lossless=True))
    written = write_png(picture, tmp_path)
    assert written == tmp_path / f"pictures/{picture.digest}.png"
    opener = Opener(base=tmp_path)
    by = [
        {"type": "image", "path": "a.bmp"},
        {"type": "image", "path": str(tmp_path / "a.webp")},
        part_of(picture, f"pictures/{picture.digest}.png"),
        part_of(picture),
        {"type": "image", "base64": base64.b64encode(encoded(image, "BMP")).decode()},
    ]
    for part in by:
        seen = opener.resolve(part)
        assert seen.digest == picture.digest
        assert seen.size == (9, 12)
        assert seen.image.tobytes() == image.tobytes()


def test_an_id_is_the_same_wherever_a_picture_lies_and_another_for_another_picture():
    def name(**part):
        prompt = [
            {
                "role": "user",
                "content": [{"type": "image", **part}, {"type": "text", "text": "How many?"}],
            }
        ]
        return make_id("vqa", prompt, "3")

    assert name(path="a/x.png", digest="d") == name(base64="AAAA", digest="d") == name(digest="d")
    assert name(path="a/x.png", digest="d") != name(path="a/x.png", digest="e")


def test_a_digest_that_is_not_the_picture_s_is_an_error(tmp_path):
    part = part_of(picture_of(drawn())) | {"digest": picture_of(drawn(seed=1)).digest}
    with pytest.raises(DataError, match="its pixels are others than when the record was made"):
        Opener().resolve(part)


def test_parts_in_order():
    one, two = ({"type": "image", "path": f"{n}.png"} for n in (1, 2))
    text = {"type": "text", "text": "and"}
    prompt = [
        {"role": "user", "content": [one, text, two]},
        {"role": "assistant", "content": "so"},
        {"role": "user", "content": [text, one]},
    ]
    assert parts(prompt) == [one, two, one]
    assert has_pictures({"prompt": prompt})
    assert not has_pictures({"prompt": prompt[1:2]})
    assert not has_pictures({})

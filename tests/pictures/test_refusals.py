"""Pictures that are refused: each in one line, before they cost memory."""

import base64
import http.client
import http.server
import os
import socket
import struct
import subprocess
import sys
import threading
import zlib

import pytest
from PIL import Image

from swr1.errors import DataError
from swr1.pictures import Limits, Opener, PictureOptions, fetching, picture_of, write_png
from tests.pictures.drawing import drawn, encoded


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *more, depth=8, colour=2, rows=None):
    """A PNG of these sizes; without `rows` its pixels are all zero, and its file small."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    if rows is None:
        row = bytes(1 + width * channels * depth // 8)
        packer = zlib.compressobj(9)
        rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *more, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def webp_canvas(width, height):
    """An extended WEBP that declares a canvas of this size."""
    frame = encoded(drawn(16, 16), "WEBP", lossless=True)[12:]
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\x00\x00\x00\x00" + size + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_canvas(width, height):
    data = bytearray(encoded(drawn(16, 16, "P"), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


def bmp_of(width, height):
    data = bytearray(encoded(drawn(16, 16), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n%%EndComments\nshowpage\n"
XBOMB = zlib.compress(bytes(2**26), 9)

FILES = {
    "nothing": (b"", "not a picture in one of the formats"),
    "a text": (b"no picture at all\n" * 9, "not a picture in one of the formats"),
    "an EPS": (EPS, "not a picture in one of the formats"),
    "an SVG": (SVG, "not a picture in one of the formats"),
    "a PDF": (encoded(drawn(), "PDF"), "not a picture in one of the formats"),
    "a TIFF": (encoded(drawn(), "TIFF"), "not a picture in one of the formats"),
    "a PPM": (encoded(drawn(), "PPM"), "not a picture in one of the formats"),
    "an ICO": (encoded(drawn(16, 16), "ICO"), "not a picture in one of the formats"),
    "a JPEG 2000": (encoded(drawn(16, 16), "JPEG2000"), "not a picture in one of the formats"),
    "an AVIF": (encoded(drawn(16, 16), "AVIF"), "not a picture in one of the formats"),
    "a pickle": (b"\x80\x04\x95\x00cos\nsystem\n", "not a picture in one of the formats"),
    "one pixel": (encoded(drawn(1, 1)), "1 x 1 pixels: the shorter side is below 8"),
    "seven pixels": (encoded(drawn(7, 20)), "20 x 7 pixels: the shorter side is below 8"),
    "a thread": (encoded(drawn(1600, 8)), "one side is 200 times the other"),
    "a bomb of 81 Mpx": (png(9000, 9000), "9000 x 9000 pixels are more than 16,777,216"),
    "a bomb of 400 Mpx": (png(20000, 20000, rows=b"x"), "pixels"),
    "a bomb of 2^62 pixels": (png(2**31 - 1, 2**31 - 1, rows=b"x"), "pixels"),
    "a WEBP bomb": (webp_canvas(16383, 16383), "pixels"),
    "a GIF bomb": (gif_canvas(65535, 65535), "pixels"),
    "a BMP bomb": (bmp_of(100_000, 100_000), "pixels"),
    "a BMP of no height": (bmp_of(16, 0), ""),
    "a bomb of text": (
        png(9, 9, *[chunk(b"zTXt", b"a\0\0" + XBOMB)] * 3),
        "truncated or damaged",
    ),
    "a bomb of a profile": (png(9, 9, *[chunk(b"iCCP", b"a\0\0" + XBOMB)] * 3), ""),
    "16 bits of grey": (png(9, 9, depth=16, colour=0), "16 bits a channel"),
    "16 bits of colour": (png(9, 9, depth=16), "16 bits a channel"),
    "a truncated PNG": (encoded(drawn(40, 40))[:-300], "truncated or damaged"),
    "a truncated JPEG": (encoded(drawn(40, 40), "JPEG")[:-300], "truncated or damaged"),
    "a truncated GIF": (encoded(drawn(40, 40, "P"), "GIF")[:-300], "truncated or damaged"),
    "a truncated BMP": (encoded(drawn(40, 40), "BMP")[:-300], "truncated or damaged"),
    "a truncated WEBP": (encoded(drawn(40, 40), "WEBP")[:-300], ""),
    "a wrong checksum": (png(9, 9, rows=zlib.compress(b"\0" * 252)[:-4] + b"abcd"), ""),
    "too many bytes": (encoded(drawn(), "PNG") + bytes(20 * 2**20), "more than 20 MB"),
}


def refusal(opener, part):
    with pytest.raises(DataError) as error:
        opener.of({"id": "r1", "prompt": [{"role": "user", "content": [part]}]})
    text = str(error.value)
    assert "\n" not in text and len(text) < 400
    assert text.startswith("record 'r1': a picture cannot be used: number 1, ")
    return text


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_pictures_for_us(tmp_path, name):
    data, why = FILES[name]
    (tmp_path / "x.png").write_bytes(data)
    assert why in refusal(Opener(base=tmp_path), {"type": "image", "path": "x.png"})
    inside = {"type": "image", "base64": base64.b64encode(data).decode()}
    assert why in refusal(Opener(), inside) or not data


def test_modes_that_only_some_formats_have():
    for mode in ("I;16", "I", "F"):
        with pytest.raises(ValueError, match="not 8 bits a channel"):
            picture_of(Image.new(mode, (9, 9)))


PARTS = {
    "a path upwards": ({"path": "../secret.png"}, "outside of"),
    "an absolute path": ({"path": "/etc/passwd"}, "outside of"),
    "the absolute path of a picture": ({"path": "{top}/secret.png"}, "outside of"),
    "a link out": ({"path": "link.png"}, "outside of"),
    "a folder that is a link out": ({"path": "folder/secret.png"}, "outside of"),
    "a neighbour with the same beginning": ({"path": "../in-more/x.png"}, "outside of"),
    "the folder itself": ({"path": "."}, "outside of"),
    "a link in a circle": ({"path": "circle.png"}, ""),
    "no file": ({"path": "none.png"}, "no such file"),
    "a folder": ({"path": "sub"}, "no regular file"),
    "a named pipe": ({"path": "pipe.png"}, "no regular file"),
    "a socket": ({"path": "socket.png"}, "no regular file"),
    "a device": ({"path": "/dev/zero"}, "outside of"),
    "a file of nobody": ({"path": "x\0.png"}, "no text that names a file"),
    "a path that is a number": ({"path": 7}, "no text"),
    "an empty path": ({"path": ""}, "no text"),
    "a long path": ({"path": "a" * 5000}, ""),
    "file://": ({"path": "file:///etc/passwd"}, "an address, not a path"),
    "file:// as an address": ({"url": "file:///etc/passwd"}, "nothing is fetched"),
    "http": ({"url": "http://127.0.0.1:9/x.png"}, "nothing is fetched"),
    "https": ({"url": "https://example.org/x.png"}, "nothing is fetched"),
    "broken base64": ({"base64": "%%%"}, "its base64 is broken"),
    "half of base64": ({"base64": "iVBORw0KGgo"}, "its base64 is broken"),
    "much base64": ({"base64": "A" * 28 * 2**20}, "more than 20 MB"),
    "data of another kind": ({"url": "data:text/plain,hello"}, "not a picture"),
    "no place": ({}, "one of path, base64, url must say where it is"),
    "two places": ({"path": "ok.png", "base64": "AAAA"}, "not 2"),
    "another picture's digest": ({"path": "ok.png", "digest": "0" * 32}, "its pixels are others"),
    "a digest that is a path": ({"path": "ok.png", "digest": "../x"}, "its pixels are others"),
    "a digest that is a number": ({"path": "ok.png", "digest": 5}, "its pixels are others"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "secret.png").write_bytes(encoded(drawn()))
    (tmp_path / "in-more").mkdir()
    (tmp_path / "in-more/x.png").write_bytes(encoded(drawn()))
    inside = tmp_path / "in"
    (inside / "sub").mkdir(parents=True)
    (inside / "ok.png").write_bytes(encoded(drawn()))
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "folder").symlink_to(tmp_path)
    (inside / "circle.png").symlink_to(inside / "circle.png")
    os.mkfifo(inside / "pipe.png")
    monkeypatch.chdir(inside)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        yield inside


@pytest.mark.parametrize("name", PARTS)
def test_places_that_are_not_opened(folder, name):
    part, why = PARTS[name]
    part = {
        k: v.format(top=folder.parent) if k == "path" and isinstance(v, str) else v
        for k, v in part.items()
    }
    assert why in refusal(Opener(base=folder), {"type": "image", **part})


def test_other_folders_and_links_within_the_folder_are_opened(folder):
    (folder / "sub/inner.png").symlink_to(folder / "ok.png")
    opener = Opener(PictureOptions(picture_folders=[str(folder.parent)]), base=folder)
    for path in ("ok.png", "./sub/../ok.png", "sub/inner.png", "../secret.png", "link.png"):
        assert opener.resolve({"type": "image", "path": path}).size == (9, 12)


def test_a_device_inside_an_allowed_folder_is_not_opened():
    opener = Opener(PictureOptions(picture_folders=["/dev"]))
    assert "no regular file" in refusal(opener, {"type": "image", "path": "/dev/zero"})


def test_too_many_pictures_in_a_prompt():
    part = {"type": "image", "path": "x.png"}
    with pytest.raises(DataError, match="'r2': 17 pictures in a prompt, and 16 are the most"):
        Opener().of({"id": "r2", "prompt": [{"role": "user", "content": [part] * 17}]})


def test_limits_are_options():
    small = {"type": "image", "base64": base64.b64encode(encoded(drawn(5, 5))).decode()}
    assert Opener(PictureOptions(min_picture_side=5)).resolve(small).size == (5, 5)
    with pytest.raises(DataError, match="5 x 5 pixels are more than 24"):
        Opener(limits=Limits(side=1, pixels=24)).resolve(small)


MEMORY = r"""
import re, sys
from swr1.errors import DataError
from swr1.pictures import Opener
opener = Opener(base=sys.argv[1])
from PIL import Image, ImageOps
def peak():
    # not ru_maxrss, which begins with the memory of the process that forked this one
    return int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1]) / 1024
start = peak()
for name in sys.argv[2:]:
    try:
        opener.resolve({"type": "image", "path": name})
        sys.exit(name + " was opened")
    except DataError:
        pass
print(peak() - start)
"""


def test_bombs_cost_no_memory(tmp_path):
    bombs = [n for n in FILES if "bomb" in n]
    for number, name in enumerate(bombs):
        (tmp_path / f"{number}.png").write_bytes(FILES[name][0])
    names = [f"{n}.png" for n in range(len(bombs))]
    command = [sys.executable, "-c", MEMORY, str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 40, "MiB"
    assert not done.stderr


# --- what is seen -------------------------------------------------------------------------------


def test_transparency_is_white_and_hides_what_is_under_it():
    hidden = Image.new("RGBA", (9, 9), (255, 0, 0, 0))
    assert picture_of(hidden).image.getcolors() == [(81, (255, 255, 255))]
    palette = drawn(9, 9, "P")
    palette.info["transparency"] = palette.getpixel((0, 0))
    assert picture_of(palette).image.getpixel((0, 0)) == (255, 255, 255)
    half = Image.new("LA", (9, 9), (0, 128))
    assert picture_of(half).image.getpixel((4, 4)) == (127, 127, 127)


def test_exif_turns_a_picture_and_is_dropped(tmp_path):
    image = drawn(20, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    exif[0x010E] = "where I live"
    (tmp_path / "a.png").write_bytes(encoded(image, "PNG", exif=exif))
    picture = Opener(base=tmp_path).resolve({"type": "image", "path": "a.png"})
    assert picture.size == (20, 10)
    assert picture.image.tobytes() == image.rotate(-90, expand=True).tobytes()
    written = write_png(picture, tmp_path).read_bytes()
    assert b"where I live" not in written and b"eXIf" not in written
    assert picture.digest == picture_of(image.rotate(-90, expand=True)).digest


def test_the_first_frame_of_an_animation_is_shown_and_said(tmp_path):
    frames = [drawn(16, 16, "P", seed=n) for n in range(3)]
    said = []
    opener = Opener(base=tmp_path, say=said.append)
    first = picture_of(frames[0])
    for kind in ("GIF", "WEBP", "PNG"):
        more = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **more)
        (tmp_path / f"a.{kind}").write_bytes(data)
        picture = opener.resolve({"type": "image", "path": f"a.{kind}"})
        assert picture.digest == first.digest and picture.animated
    assert len(said) == 3 and "only the first is shown" in said[0]


def test_pictures_are_kept_within_memory():
    opener = Opener(memory=10 * 20 * 20 * 4)
    parts = [
        {"type": "image", "base64": base64.b64encode(encoded(drawn(20, 20, seed=n))).decode()}
        for n in range(30)
    ]
    digests = [opener.resolve(part).digest for part in parts]
    assert len(opener._kept) == 10 and len(set(digests)) == 30
    assert [opener.resolve(part).digest for part in parts] == digests


# --- addresses ----------------------------------------------------------------------------------

ADDRESSES = {
    "http": ("http://pictures.example/a.png", "not https"),
    "another host": ("https://other.example/a.png", "is none of pictures.example"),
    "a host with more": ("https://pictures.example.evil.example/a", "is none of"),
    "a user": ("https://pictures.example@other.example/a.png", "is none of"),
    "a user of the host": ("https://me@pictures.example/a.png", "a user's name"),
    "a port": ("https://pictures.example:8443/a.png", "a port"),
    "a wrong port": ("https://pictures.example:x/a.png", "no address"),
    "an address of this machine": ("https://127.0.0.1/a.png", "is none of"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses_that_are_not_asked(name, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: pytest.fail("a name was looked up"))
    url, why = ADDRESSES[name]
    opener = Opener(PictureOptions(allow_picture_urls=["pictures.example"]))
    assert why in refusal(opener, {"type": "image", "url": url})


PRIVATE = (
    "127.0.0.1 10.0.0.1 192.168.1.1 172.16.0.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1".split()
)
PRIVATE += "::1 fe80::1%eth0 fc00::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_a_host_with_a_private_address_is_not_asked(address, monkeypatch):
    both = [(0, 0, 0, "", (name, 443)) for name in ("93.184.215.14", address)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: both)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("connected"))
    opener = Opener(PictureOptions(allow_picture_urls=["pictures.example"]))
    text = refusal(opener, {"type": "image", "url": "https://pictures.example/a.png"})
    assert f"has the address {address}, which is not public" in text


class Pictures(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        moved = {"/away": "https://127.0.0.1/a.png", "/plain": "http://pictures.example/a.png"}
        moved |= {"/round": "/round", "/next": "/a.png", "/nowhere": ""}
        if self.path in moved:
            self.send_response(302)
            self.send_header("Location", moved[self.path])
            self.end_headers()
        elif self.path in ("/a.png", "/long", "/endless"):
            self.send_response(200)
            if self.path == "/long":
                self.send_header("Content-Length", str(2**40))
            self.end_headers()
            try:
                self.wfile.write(encoded(drawn()))
                while self.path == "/endless":
                    self.wfile.write(bytes(2**20))
            except OSError:
                pass
        else:
            self.send_error(404)

    def log_message(self, *args):
        pass


@pytest.fixture
def web(monkeypatch):
    """The host pictures.example, without the cipher."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        there = [(0, 0, 0, "", ("93.184.215.14", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: there)
        asked = []

        def connect(host, address, timeout):
            asked.append((host, address))
            connection = http.client.HTTPConnection(host)
            connection.sock = socket.socket()
            connection.sock.settimeout(timeout)
            connection.sock.connect(server.server_address)
            return connection

        monkeypatch.setattr(fetching, "_connection", connect)
        yield asked
        server.shutdown()


def at(path):
    return {"type": "image", "url": f"https://pictures.example{path}"}


def test_a_picture_is_fetched_once_and_redirections_are_followed(web):
    opener = Opener(PictureOptions(allow_picture_urls=["pictures.example"]))
    assert opener.resolve(at("/a.png")).digest == picture_of(drawn()).digest
    assert opener.resolve(at("/a.png")).digest == picture_of(drawn()).digest
    assert web == [("pictures.example", "93.184.215.14")]
    assert opener.resolve(at("/next")).digest == picture_of(drawn()).digest
    assert len(web) == 3


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/away", "the host '127.0.0.1' is none of"),
        ("/plain", "not https"),
        ("/round", "more than 5 redirections"),
        ("/nowhere", "more than 5 redirections"),
        ("/none", "the server answered 404"),
        ("/long", "more than 20 MB"),
        ("/endless", "more than 20 MB"),
    ],
)
def test_what_a_server_says_is_checked_as_well(web, path, why):
    opener = Opener(PictureOptions(allow_picture_urls=["pictures.example"]))
    assert why in refusal(opener, at(path))


def test_a_slow_server_is_not_waited_for(web, monkeypatch):
    monkeypatch.setattr(fetching, "SECONDS", 0.0)
    opener = Opener(PictureOptions(allow_picture_urls=["pictures.example"]))
    assert "did not come within" in refusal(opener, at("/a.png"))

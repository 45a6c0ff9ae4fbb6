"""Nothing that another site, another machine or a hostile file can do reaches the models or the disk."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from helpers.studio import AUTHORISED, TOKEN, client_of, png, street
from variegate.core.errors import CheckpointError, DataError
from variegate.studio.app import make_app
from variegate.studio.recipes import read_archive, read_recipe
from variegate.studio.security import BODY_BYTES, own_hosts
from variegate.studio.service import Studio
from variegate.studio.shelf import Shelf
from variegate.studio.uploads import PIXELS, open_image

PICTURE = png(np.zeros((8, 8, 3), np.uint8))
SMALL = {"condition": street(16), "n": 1}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of() as opened:
        yield opened


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:8080", "", "0.0.0.0"])
def test_only_own_hosts_are_answered(client: TestClient, host: str) -> None:
    """A name that an attacker points at 127.0.0.1 (DNS rebinding), even if the origin is the same name."""
    for more in ({}, {"origin": f"http://{host}"}):
        assert client.get("/", headers={"host": host, **more}).status_code == 421
        assert client.post("/v1/sample", json=SMALL, headers={"host": host, **more}).status_code == 421


def test_two_hosts_are_refused(client: TestClient) -> None:
    headers = [("host", "127.0.0.1"), ("host", "evil.example")]
    assert client.get("/healthz", headers=httpx2.Headers(headers)).status_code == 421


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1:9", "file://"])
def test_foreign_origins_are_refused(client: TestClient, origin: str) -> None:
    answer = client.post("/v1/sample", json=SMALL, headers={"origin": origin})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_own_origin_is_answered_without_cors(client: TestClient) -> None:
    answer = client.post("/v1/sample", json=SMALL, headers={"origin": "http://127.0.0.1"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert client.options("/v1/sample", headers={"origin": "http://127.0.0.1"}).status_code == 405


def test_other_sites_are_refused_even_without_origin(client: TestClient) -> None:
    assert client.post("/v1/sample", json=SMALL, headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \xff"])
def test_every_write_needs_the_token(client: TestClient, header: str) -> None:
    given = {"authorization": header.encode("latin-1")}
    paths = client.get("/openapi.json").json()["paths"]
    writes = [(path, verb) for path, verbs in paths.items() for verb in verbs if verb != "get"]
    assert len(writes) == 7
    for path, verb in writes:
        answer = client.request(verb.upper(), path, headers=given, json={})
        assert (path, answer.status_code) == (path, 401)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_bodies_are_json(client: TestClient, kind: str) -> None:
    """The types that a form of another site can send without asking first."""
    assert client.post("/v1/sample", content=b"{}", headers={"content-type": kind}).status_code == 415


def test_large_bodies_are_refused_before_they_are_read(client: TestClient) -> None:
    announced = {"content-type": "application/json", "content-length": str(BODY_BYTES + 1)}
    assert client.post("/v1/sample", content=b"{}", headers=announced).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(BODY_BYTES // 2**20 + 1):
            yield b" " * 2**20

    assert client.post("/v1/sample", content=endless(), headers={"content-type": "application/json"}).status_code == 413


def test_every_answer_carries_the_policy(client: TestClient) -> None:
    for answer in (client.get("/"), client.get("/nothing"), client.post("/v1/sample", content=b"")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "index.html", "x" * 5000])
def test_no_path_of_a_request_reaches_the_disk(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
    assert client.get(f"/v1/models/{name}/examples/0").status_code == 404


def test_a_public_server_needs_the_token_for_reading_and_tells_it_nobody() -> None:
    with client_of(public=True) as client:
        nobody = {"authorization": ""}
        assert client.get("/v1/models", headers=nobody).status_code == 401
        assert client.get("/metrics", headers=nobody).status_code == 401
        assert TOKEN not in client.get("/", headers=nobody).text
        assert client.get("/v1/models").status_code == 200


def test_own_hosts() -> None:
    assert own_hosts("127.0.0.1", 8860) >= {"127.0.0.1:8860", "localhost:8860"}
    assert "localhost:8860" not in own_hosts("192.168.0.2", 8860)
    assert own_hosts("0.0.0.0", 80, ["studio.example"]) >= {"studio.example", "studio.example:80"}
    assert own_hosts("127.0.0.1", 8860, ["studio.example:443"]) >= {"studio.example", "studio.example:443"}
    assert "other.example" not in own_hosts("127.0.0.1", 8860, ["other.example:8443"])


def header_only(width: int, height: int) -> str:
    """A PNG that announces a size and has hardly any data."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return base64.b64encode(bytes(content)).decode()


def animation(kind: str) -> str:
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (header_only(30_000, 30_000), "pixels"),
        (header_only(5_000, 5_000), f"at most {PIXELS // 10**6} million"),
        (header_only(1_000, 1_000), "cut short or damaged"),
        (animation("PNG"), "is animated"),
        (animation("WEBP"), "is animated"),
        (animation("GIF"), "is not a PNG, JPEG or WebP"),
        (PICTURE[:60], "damaged"),
        (base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(), "is not a PNG, JPEG or WebP"),
        ("", "is empty"),
        ("!!!!", "is not base64"),
    ],
)
def test_pictures_that_are_refused(data: str, words: str) -> None:
    with pytest.raises(DataError, match=words if words != "pixels" else r"pixels|not a PNG"):
        open_image(data, "the image")


def test_a_photograph_with_previews_is_read() -> None:
    """A JPEG of several images (MPO), which some phones write."""
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (4, 3))])
    assert open_image(base64.b64encode(file.getvalue()).decode(), "the image").size == (8, 6)


def test_what_follows_a_picture_is_ignored_and_kept_nowhere(client: TestClient) -> None:
    """A file that is a PNG and a ZIP with a page in it."""
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as content:
        content.writestr("index.html", "<script>alert(1)</script>")
    ids = base64.b64decode(png(np.zeros((16, 16), np.uint8)))
    both = base64.b64encode(ids + inside.getvalue()).decode()
    answer = client.post("/v1/models/street/read", json={"data": both})
    assert answer.status_code == 200
    assert b"index.html" not in base64.b64decode(answer.json()["preview"])


def test_recipes_that_unpack_without_end_are_refused() -> None:
    """Text that Pillow unpacks, and text that we do."""
    packed = zlib.compress(b"variegate" * 2_000_000)
    whole, chunk = base64.b64decode(PICTURE), b"variegate\0\0" + packed
    body = b"zTXt" + chunk
    bomb = whole[:33] + struct.pack(">I", len(chunk)) + body + struct.pack(">I", zlib.crc32(body)) + whole[33:]
    with pytest.raises(DataError):
        read_recipe(base64.b64encode(bomb).decode())
    info = PngInfo()
    info.add_text("variegate", base64.b64encode(zlib.compress(b" " * (65 * 2**20))).decode())
    with pytest.raises(DataError, match="the recipe in this PNG is damaged"):
        read_recipe(png(np.zeros((8, 8, 3), np.uint8), pnginfo=info))


def test_the_server_s_own_mistakes_carry_the_policy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("variegate.studio.recipes.text_of", fail)
    app = make_app(Studio(Shelf([])), own_hosts("127.0.0.1", 80), TOKEN)
    client = TestClient(app, base_url="http://127.0.0.1", headers=AUTHORISED, raise_server_exceptions=False)
    answer = client.post("/v1/recipe", json={"png": PICTURE})
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_other_sites_cannot_make_it_work_by_reading(client: TestClient) -> None:
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert client.get("/v1/models/street/calibration", headers=elsewhere).status_code == 403
    assert client.get("/", headers=elsewhere).status_code == 200  # a link


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_pictures_and_recipes_raise_nothing_else(data: st.DataObject) -> None:
    content = bytearray(base64.b64decode(PICTURE))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    text = base64.b64encode(bytes(content[: data.draw(st.integers(1, len(content)))])).decode()
    for read in (lambda: open_image(text, "it"), lambda: read_recipe(text)):
        with suppress(DataError):
            read()


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_archives_raise_nothing_else(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    with zipfile.ZipFile(file, "w", data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as content:
        content.writestr("request.json", '{"condition": {"kind": "none"}, "n": 2}')
        content.writestr("model.json", "{}")
    damaged = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    with suppress(CheckpointError):
        read_archive(file)


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("request.json", b" " * (65 * 2**20))
        content.writestr("model.json", "{}")
    with pytest.raises(CheckpointError, match=r"request.json is larger than 64 MB"):
        read_archive(file)

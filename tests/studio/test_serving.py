"""`variegate studio` as a process: quick to start, it finishes what runs, and its files are drawn again elsewhere."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from helpers.studio import pixels, serving, street
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.studio.listening import Listening


@contextmanager
def studio(*arguments: str) -> Iterator[tuple[httpx2.Client, subprocess.Popen[str]]]:
    """A client of a studio, and its process."""
    with (
        serving(*arguments) as (address, token, process),
        httpx2.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=60) as client,
    ):
        yield client, process


def test_a_studio_draws_and_its_zip_is_drawn_again_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"condition": street(), "n": 3, "seed": 2}
    with studio() as (client, process):
        answer = client.post("/v1/sample", json=request)
        images = [pixels(image["png"]) for image in answer.json()["images"]]
        job = client.post("/v1/jobs", json={"kind": "archive", "sample": request}).json()
        while (state := client.get(f"/v1/jobs/{job['id']}").json())["state"] in ("queued", "running"):
            time.sleep(0.05)
        (tmp_path / "saved.zip").write_bytes(client.get(state["result"]).content)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    monkeypatch.chdir(tmp_path)
    main(["sample", "street", "--from-zip", "saved.zip"])
    files = sorted(path for path in Path("drawn").glob("0*.png"))
    assert len(files) == 3
    for file, image in zip(files, images):
        assert np.abs(np.asarray(Image.open(file)).astype(int) - image).max() <= 1  # another number of threads


def test_a_running_request_is_answered_when_the_server_is_stopped() -> None:
    with studio() as (client, process), ThreadPoolExecutor(1) as pool:
        client.post("/v1/sample", json={"condition": street(16), "n": 1}).raise_for_status()
        long = pool.submit(client.post, "/v1/sample", json={"condition": street(), "n": 64})
        time.sleep(0.15)
        process.send_signal(signal.SIGTERM)
        answer = long.result()
        assert answer.status_code == 200
        assert len(answer.json()["images"]) == 64
        process.wait(20)


def test_a_request_whose_sender_has_gone_is_dropped() -> None:
    with studio() as (client, _):
        body = {"condition": street(), "n": 64, "size": [480, 480]}
        with pytest.raises(httpx2.ReadTimeout):
            client.post("/v1/sample", json=body, timeout=1)
        started = time.monotonic()
        while "variegate_images_waiting 0.0" not in client.get("/metrics").text:
            assert time.monotonic() - started < 5
            time.sleep(0.05)
        client.post("/v1/sample", json={"condition": street(), "n": 1}).raise_for_status()
        assert time.monotonic() - started < 10  # 64 such images take minutes


def test_an_address_that_cannot_be_listened_on_is_one_sentence() -> None:
    taken = Listening()
    port = taken.socket.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: cannot be listened on \(Address already in use\)"):
        Listening(port=port)
    taken.socket.close()
    with pytest.raises(ConfigError, match=r"say by which name it is reached"):
        Listening("0.0.0.0")


def test_the_url_is_the_name_that_was_given() -> None:
    listening = Listening(names=["studio.example", "other.example:443"])
    port = listening.socket.getsockname()[1]
    assert listening.url == f"http://studio.example:{port}/"
    assert {f"studio.example:{port}", "other.example:443", f"localhost:{port}"} <= listening.hosts
    listening.socket.close()
    behind = Listening(names=["studio.example:443"])
    assert (behind.url, behind.public) == ("https://studio.example/", True)
    behind.socket.close()


def test_what_is_no_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["studio", str(tmp_path), "--port", "0"])
    assert "holds no saved model" in capsys.readouterr().err

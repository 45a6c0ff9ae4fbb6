"""Ray: shards that no killed process costs an image, and the studio served by several processes with equal images."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from helpers.studio import AUTHORISED, TOKEN, street
from helpers.untrained import untrained
from variegate.cli import main
from variegate.cluster import ray_serving
from variegate.cluster.bulk import sample_shards
from variegate.cluster.conditions import find_conditions
from variegate.cluster.plan import Bulk
from variegate.cluster.ray_sampling import sample_shards_on_ray
from variegate.cluster.ray_serving import SERVED_BY, serving
from variegate.cluster.ray_start import connected
from variegate.core.errors import ConfigError, DataError
from variegate.data.scenes.layouts import palette_image
from variegate.data.streets.streets import PALETTE
from variegate.studio.serve import app_of

ray = pytest.importorskip("ray")
WORKER = b"ray::MapWorker"
BODY = {"condition": street(), "n": 3, "seed": 4}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray on two processors of this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def bulk(tmp_path: Path) -> Bulk:
    """Eight conditions, one of which is damaged, in as many shards."""
    untrained().save(tmp_path / "run")
    (tmp_path / "layouts").mkdir()
    for i in range(8):
        ids = np.random.default_rng(i).integers(0, 8, (4, 4)).repeat(8, 0).repeat(8, 1)
        palette_image(ids, PALETTE).save(tmp_path / "layouts" / f"c{i}.png")
    (tmp_path / "layouts" / "c5.png").write_bytes(b"\x89PNG")
    given = find_conditions(tmp_path / "run", [str(tmp_path / "layouts")])
    return Bulk(tmp_path / "run", tmp_path / "one", given, n=40, size=(32, 32), per_shard=40)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def workers() -> list[int]:
    """The processes of this test's Ray that draw."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            name, state = (place / "cmdline").read_bytes(), (place / "stat").read_text()
            raylet = int(state.rpartition(")")[2].split()[1])
            started_here = int(Path(f"/proc/{raylet}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
        except (OSError, ValueError, IndexError):
            continue
        if name.startswith(WORKER) and started_here:
            found.append(int(place.name))
    return found


def test_a_killed_actor_costs_no_image(
    cluster: Any, bulk: Bulk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=r"c5\.png: .* \(1 of 8 conditions cannot be read"):
        sample_shards(bulk)
    killed: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 120
        while not killed and time.monotonic() < until:
            if list((tmp_path / "two").glob(".shard-*.writing.tar")) and (found := workers()):
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    words = ["sample", str(bulk.run), str(tmp_path / "layouts"), "-n", "40", "--shard", "--shard-images", "40"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--out", str(tmp_path / "two"), "--ray", "local", "--ray-actors", "2"])
    assert ended.value.code == 2
    assert re.search(r"variegate: .*c5\.png: .* \(1 of 8 conditions cannot be read", capsys.readouterr().err)
    killer.join()
    assert killed, "no actor was killed while it wrote a shard"
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_every_replica_answers_with_the_same_images_and_the_same_care(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def ask_instead_of_waiting() -> None:
        address = capsys.readouterr().out.split()[1]
        with httpx2.Client(base_url=address, headers=AUTHORISED, timeout=60) as client:
            for question in (same_images, refusals, jobs):
                question(client)
                asked.append(question)

    monkeypatch.setattr(ray_serving, "wait_for_signal", ask_instead_of_waiting)
    main(["studio", "street", "--port", "0", "--token", TOKEN, "--ray-replicas", "2"])
    assert asked == [same_images, refusals, jobs]


def same_images(client: httpx2.Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/sample", json=BODY), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers[SERVED_BY] for answer in answers}) == 2, "both replicas have answered"
    assert len({str([image["png"] for image in answer.json()["images"]]) for answer in answers}) == 1


def refusals(client: httpx2.Client) -> None:
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/v1/models", headers={"origin": "http://evil.example"}).status_code == 403
    for path in ("/v1/sample", "/v1/jobs"):
        stranger = client.post(path, json=BODY, headers={"authorization": "Bearer no"})
        assert stranger.status_code == 401
        assert "content-security-policy" in stranger.headers
    assert client.get("/").status_code == 200


def jobs(client: httpx2.Client) -> None:
    """Every look at a job reaches the replica that has it."""
    job = client.post("/v1/jobs", json={"kind": "archive", "sample": BODY}).json()
    until = time.monotonic() + 60
    while (state := client.get(f"/v1/jobs/{job['id']}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert client.get(state["result"]).content[:2] == b"PK"


def test_what_ray_cannot_do_is_one_sentence(
    cluster: Any, bulk: Bulk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="has 2 processors, which is too few for 3 actors"):
        sample_shards_on_ray(bulk, actors=3)
    with (
        pytest.raises(ConfigError, match="has 2 CPUs, but 3 replicas need 3"),
        serving(partial(app_of, [], frozenset(), TOKEN), ("127.0.0.1", 1), 3),
    ):
        pass
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    with (
        pytest.raises(ConfigError, match=r"listens everywhere, not only on 127\.0\.0\.1; unset it"),
        serving(partial(app_of, [], frozenset(), TOKEN), ("127.0.0.1", 1), 1),
    ):
        pass
    monkeypatch.setattr("variegate.cluster.ray_start.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["sample", str(bulk.run), str(bulk.run.parent / "layouts"), "--shard", "--ray", "local"])
    assert "variegate: --ray needs the package ray: pip install 'variegate[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:1", r"--ray 127\.0\.0\.1:1: no Ray answers there \(.*refused\); start one with `ray start --head`"),
        ("ray://127.0.0.1:1", "no Ray answers there"),
        ("somewhere", "is no address; give local, auto or HOST:PORT"),
    ],
)
def test_an_address_where_no_ray_answers_is_one_sentence(
    address: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=told), connected(address):
        pass

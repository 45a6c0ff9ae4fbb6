"""The HTTP API draws what the library draws, whoever else asks, and answers failures in words."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from starlette.testclient import TestClient

import variegate
from helpers.studio import client_of, labels, pixels, png, street
from variegate.core.errors import DataError
from variegate.core.images import unit_to_uint8
from variegate.core.sampling import draw_rows
from variegate.studio import wire
from variegate.studio.recipes import check_recipe, redraw
from variegate.studio.shelf import Entry


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with client_of() as opened:
        yield opened


def drawn(client: TestClient, **request: object) -> list[np.ndarray]:
    answer = client.post("/v1/sample", json={"condition": street(), **request})
    assert answer.status_code == 200, answer.text
    return [pixels(image["png"]) for image in answer.json()["images"]]


def nested(depth: int) -> dict[str, object]:
    """A code that lies between codes so many times over."""
    seed: dict[str, object] = {"seed": 0, "index": 0}
    return {"between": [nested(depth - 1), seed], "share": 0.5} if depth else seed


def test_models_say_what_they_need(client: TestClient) -> None:
    [model] = client.get("/v1/models").json()["models"]
    assert model["id"] == "street"
    assert model["bundled"] is True
    assert [part["kind"] for part in model["parts"]] == ["labels"]
    assert [one["name"] for one in model["parts"][0]["classes"]][:2] == ["sky", "building"]
    example = client.get("/v1/models/street/examples/0").json()
    assert pixels(example["preview"]).shape == (model["height"], model["width"], 3)


def test_images_are_those_of_the_library(client: TestClient) -> None:
    model = variegate.load("street")
    ids = np.frombuffer(base64.b64decode(street()["ids"]), np.uint8).reshape(1, 64, 64)
    own = model.sample(torch.from_numpy(ids.copy()), n=3, seed=5).bytes()
    apart = [np.abs(a.astype(int) - b.permute(1, 2, 0).numpy()).max() for a, b in zip(drawn(client, n=3, seed=5), own)]
    assert max(apart) <= 1


def test_an_image_does_not_depend_on_how_many_are_asked(client: TestClient) -> None:
    many = drawn(client, n=11, seed=3)
    for first in (0, 5, 10):
        assert np.array_equal(drawn(client, n=1, seed=3, first=first)[0], many[first])


def test_an_image_does_not_depend_on_who_else_asks(client: TestClient) -> None:
    alone = {seed: drawn(client, n=1 + seed % 3, seed=seed) for seed in range(12)}
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda seed: drawn(client, n=1 + seed % 3, seed=seed), range(12)))
    for seed, images in enumerate(together):
        assert all(np.array_equal(a, b) for a, b in zip(images, alone[seed], strict=True))


def test_a_mixed_code_has_exactly_the_ends(client: TestClient) -> None:
    ends = [{"seed": 1, "index": 0}, {"seed": 2, "index": 0}]
    first, second = drawn(client, codes=ends)
    path = drawn(client, codes=[{"between": ends, "share": share} for share in (0, 0.5, 1)])
    assert np.array_equal(path[0], first)
    assert np.array_equal(path[2], second)
    assert not np.array_equal(path[1], first)
    morph = client.post("/v1/interpolate", json={"condition": street(), "start": ends[0], "end": ends[1], "frames": 3})
    assert all(np.array_equal(pixels(a["png"]), b) for a, b in zip(morph.json()["images"], path, strict=True))


def test_the_most_diverse_come_first(client: TestClient) -> None:
    plain = client.post("/v1/sample", json={"condition": street(), "n": 8}).json()["images"]
    diverse = client.post("/v1/sample", json={"condition": street(), "n": 8, "order": "diverse"}).json()["images"]
    assert sorted(image["position"] for image in diverse) == list(range(8))
    assert {image["png"] for image in diverse} == {image["png"] for image in plain}
    values = [pixels(image["png"]).astype(float) for image in plain]
    farthest = max(np.abs(a - b).sum() for a in values for b in values)
    first, second = (pixels(image["png"]).astype(float) for image in diverse[:2])
    assert np.abs(first - second).sum() == farthest


def test_a_recipe_makes_the_image_again(client: TestClient) -> None:
    near = {"between": [{"seed": 4, "index": 1}, {"seed": 9, "index": 0}], "share": 0.25}
    code = {"between": [near, {"seed": 1, "index": 0}], "share": 0.5}
    asked = {"condition": street(), "codes": [code], "recipe": True}
    saved = client.post("/v1/sample", json=asked).json()["images"][0]["png"]
    recipe = client.post("/v1/recipe", json={"png": saved}).json()
    assert recipe["known"] is True
    again = {key: recipe[key] for key in ("model", "condition", "size")} | {"codes": [recipe["code"]]}
    answer = client.post("/v1/sample", json=again).json()
    assert answer["layout"] == recipe["layout"]
    assert np.array_equal(pixels(answer["images"][0]["png"]), pixels(saved))


SEEDED = st.builds(lambda seed, index: {"seed": seed, "index": index}, st.integers(0, 2**53 - 1), st.integers(0, 999))
MIXED = st.builds(lambda a, b, share: {"between": [a, b], "share": share}, SEEDED, SEEDED, st.floats(0, 1))
LAYOUTS = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(0, 7))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=LAYOUTS, code=SEEDED | MIXED, size=st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_every_recipe_makes_its_image_again(
    client: TestClient, layout: np.ndarray, code: dict[str, object], size: tuple[int, int] | None
) -> None:
    asked = {"condition": labels(layout), "codes": [code], "size": size, "recipe": True}
    answer = client.post("/v1/sample", json=asked).json()
    saved = answer["images"][0]["png"]
    recipe = client.post("/v1/recipe", json={"png": saved}).json()
    assert (recipe["layout"], recipe["weights"]) == (answer["layout"], answer["weights"])
    again = {key: recipe[key] for key in ("model", "condition", "size")} | {"codes": [recipe["code"]]}
    assert np.array_equal(pixels(client.post("/v1/sample", json=again).json()["images"][0]["png"]), pixels(saved))


def test_large_layouts_fit_into_a_recipe(client: TestClient) -> None:
    """1024x1024 is 1.4 MB of base64, but packs well; what does not is refused before anything is drawn."""
    plain = {"condition": labels(np.tile(np.arange(8, dtype=np.uint8), (1024, 128))), "n": 1, "size": [64, 64]}
    saved = client.post("/v1/sample", json={**plain, "recipe": True}).json()["images"][0]["png"]
    recipe = client.post("/v1/recipe", json={"png": saved}).json()
    assert recipe["condition"] == {**plain["condition"], "boundaries": None}
    noise = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (1024, 1024, 3))
    request = wire.SampleRequest(condition=wire.ImageFile(data=png(noise, compress_level=0)))
    with pytest.raises(DataError, match="too large to be written into a PNG"):
        check_recipe(request)


def test_a_png_without_recipe_says_so(client: TestClient) -> None:
    answer = client.post("/v1/recipe", json={"png": png(np.zeros((4, 4, 3), np.uint8))})
    assert (answer.status_code, answer.json()) == (200, None)


def finished(client: TestClient, job: dict[str, str]) -> bytes:
    for _ in range(200):
        state = client.get(f"/v1/jobs/{job['id']}").json()
        if state["state"] not in ("queued", "running"):
            break
        time.sleep(0.05)
    assert state["state"] == "done", state
    return client.get(state["result"]).content


def test_an_archive_is_drawn_again_exactly(client: TestClient, tmp_path: Path) -> None:
    request = {"condition": street(), "n": 5, "seed": 8}
    answer = client.post("/v1/jobs", json={"kind": "archive", "sample": request})
    assert answer.status_code == 202
    file = tmp_path / "saved.zip"
    file.write_bytes(finished(client, answer.json()))
    again = redraw(file, Entry(Path("street"), "street"))
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(drawn(client, n=5, seed=8), again.pil(), strict=True))


def test_films_and_grids_are_files(client: TestClient) -> None:
    ends = {"condition": street(), "start": {"seed": 0, "index": 0}, "end": {"seed": 0, "index": 1}, "frames": 4}
    film = client.post("/v1/jobs", json={"kind": "gif", "interpolate": ends})
    assert finished(client, film.json())[:4] == b"GIF8"
    grid = client.post("/v1/jobs", json={"kind": "grid", "sample": {"condition": street(), "n": 4}})
    assert finished(client, grid.json())[1:4] == b"PNG"


def test_explanations_are_those_of_the_images(client: TestClient) -> None:
    answer = client.post("/v1/explain", json={"condition": street(), "n": 6}).json()
    images = np.stack([pixels(image["png"]) for image in answer["images"]]) / 255
    assert np.abs(pixels(answer["mean"]) / 255 - images.mean(axis=0)).max() < 0.01
    rms = np.sqrt(((images[0] - images[3]) ** 2).mean())
    assert answer["pairwise"][0][3] == pytest.approx(rms, abs=2e-3)
    assert answer["deviation_top"] == pytest.approx(np.sqrt(images.var(axis=0, ddof=1).mean(axis=-1)).max(), abs=5e-3)
    assert len(answer["nearest"]) == 6


def test_a_file_of_another_size_says_that_it_was_resized(client: TestClient) -> None:
    answer = client.post("/v1/models/street/read", json={"data": png(np.zeros((41, 63), np.uint8))}).json()
    assert (answer["condition"]["height"], answer["condition"]["width"]) == (64, 64)
    assert answer["note"] == "the file has 63x41 pixels and was resized to 64x64"
    same = client.post("/v1/models/street/read", json={"data": png(np.zeros((64, 64), np.uint8))}).json()
    assert same["note"] is None


def test_calibration_is_told_in_words_and_numbers(client: TestClient) -> None:
    answer = client.get("/v1/models/street/calibration").json()
    assert "samples vary" in answer["words"]
    assert sum(answer["ranks"]) == pytest.approx(1)
    assert len(answer["ranks"]) == answer["samples"] + 1
    assert 0.3 < answer["averaging_gain"] < 1.5  # of streets whose other images were never seen


def test_rows_of_one_shape_have_the_bits_of_one_another() -> None:
    """The reason why sharing a pass changes nothing: a row's place does not matter."""
    entry = Entry(Path("street"), "street")
    raw, codes = entry.examples[0], entry.model.codes(6)
    encoded = entry.model.encode(raw)
    with torch.no_grad():
        all_six = draw_rows(entry.model.generator, encoded, codes)
        turned = draw_rows(entry.model.generator, encoded, codes.flip(0)).flip(0)
    assert torch.equal(unit_to_uint8((all_six + 1) / 2), unit_to_uint8((turned + 1) / 2))


@pytest.mark.parametrize(
    ("request_body", "status", "words"),
    [
        ({"condition": street(), "n": 65}, 422, "n: input should be less than or equal to 64"),
        ({"condition": street(), "model": "other"}, 404, "there is no model 'other' here"),
        ({"condition": {"kind": "class", "index": 0}}, 422, "this model's condition is labels, got class"),
        ({"condition": labels(np.full((8, 8), 9, np.uint8))}, 422, "has label id 9, expected 0..7"),
        ({"condition": street() | {"height": 63}}, 422, "holds 4096 bytes, expected 4032"),
        ({"condition": street() | {"ids": "?"}}, 422, "is not base64"),
        ({"condition": street(), "codes": [{"values": "AAAA"}]}, 422, "is not a list of float32"),
        ({"condition": street(), "codes": [{"values": "AAAAAA=="}]}, 422, "codes have shape (1, 1)"),
        ({"condition": street(), "codes": [nested(5)]}, 422, "lies between codes 4 times over"),
        ({"condition": street(), "first": 2**53 - 1, "n": 2}, 422, "first + n must be at most 2**53"),
        ({"condition": street(), "n": 64, "size": [1024, 1024]}, 422, "are more than 16 million pixels in all"),
        ({"condition": street(), "other": 1}, 422, "other: extra inputs are not permitted"),
    ],
)
def test_bad_requests_get_one_sentence(
    client: TestClient, request_body: dict[str, object], status: int, words: str
) -> None:
    answer = client.post("/v1/sample", json=request_body)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text

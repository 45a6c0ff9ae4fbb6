"""Networks that a user brings: what an ONNX file sees, what records say of it, and the numbers that it adds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from helpers.onnx_files import write_onnx
from helpers.tiny import photo, save
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError, WeightsError
from variegate.core.interfaces import Generator, Shapes
from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.evaluation.measuring.drawn import draw_samples
from variegate.evaluation.measuring.measure import measure
from variegate.evaluation.metrics.plugged import Networks, networks, plug
from variegate.evaluation.protocols import NamedProtocol, protocols
from variegate.methods import method
from variegate.networks.features import IMAGENET_MEAN, IMAGENET_STD
from variegate.networks.onnx import OnnxNetwork
from variegate.networks.weights import file_digest, tensor_digest

pytestmark = pytest.mark.core

ANY = ("b", 3, "h", "w")


def images(count: int = 5, height: int = 9, width: int = 7) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def pairs() -> Pairs:
    return open_data("streets:20", size=32, split="test")


def generator(pairs: Pairs) -> Generator:
    """Untrained, of few weights."""
    torch.manual_seed(0)
    preset = method("basisgan", {"width": 4, "blocks": 1})
    return preset.build_generator(Shapes(pairs.condition.channels, 3, pairs.size)).eval().requires_grad_(False)


def test_a_file_sees_rgb_normalised_as_for_imagenet(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    network = OnnxNetwork(write_onnx(tmp_path / "same.onnx", ("Identity",), ANY))
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    assert torch.allclose(network(images()), ((images() + 1) / 2 - mean) / std, atol=1e-6)
    plain = OnnxNetwork(network.path, mean=(0, 0, 0), deviation=(1, 1, 1))
    assert torch.allclose(plain(images(40)), (images(40) + 1) / 2, atol=1e-6)
    assert network.resize == "none"


@pytest.mark.parametrize("batch", [1, 4, "b"])
def test_a_size_and_a_batch_that_the_file_fixes_are_kept(tmp_path: Path, batch: int | str) -> None:
    pytest.importorskip("onnxruntime")
    network = OnnxNetwork(write_onnx(tmp_path / "same.onnx", ("Identity",), (batch, 3, 4, 6)), (0, 0, 0), (1, 1, 1))
    expected = F.interpolate((images() + 1) / 2, (4, 6), mode="bilinear", align_corners=False, antialias=True)
    assert torch.allclose(network(images()), expected, atol=1e-6)
    assert network.resize == "4 x 6, bilinear, antialiased"


def test_normals_are_unit_vectors_of_the_images_size(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = write_onnx(tmp_path / "same.onnx", ("Identity",), (1, 3, 4, 6))
    normals = plug(path, "normals")
    found = normals(images())
    assert found.shape == images().shape
    assert torch.allclose(found.norm(dim=1), torch.ones(5, 9, 7), atol=1e-6)
    assert normals.weights == {"same.onnx": file_digest(path)}
    flat = plug(write_onnx(tmp_path / "flat.onnx", ("Flatten",), ANY), "normals")
    with pytest.raises(DataError, match="normals must have shape"):
        flat(images())


def test_files_that_cannot_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(WeightsError, match=r"none\.onnx: there is no such file"):
        plug(tmp_path / "none.onnx", "embedding")
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x08nothing")
    with pytest.raises(WeightsError, match="not a valid ONNX file"):
        plug(tmp_path / "cut.onnx", "embedding")
    with pytest.raises(WeightsError, match=r"expected one input of RGB images"):
        plug(write_onnx(tmp_path / "grey.onnx", ("Identity",), ("b", 1, "h", "w")), "embedding")
    monkeypatch.setattr("variegate.networks.onnx.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'variegate\[onnx\]'"):
        plug(tmp_path / "grey.onnx", "embedding")


def test_callables_are_named_and_modules_have_the_hash_of_their_weights() -> None:
    module = torch.nn.Conv2d(3, 3, 1)
    assert plug(module, "normals").weights == {"Conv2d": tensor_digest(module.state_dict())}
    named = type("Named", (), {"name": "pfld", "digest": "0123456789ab", "__call__": lambda self, x: x})()
    assert plug(named, "detector")[1:3] == ("pfld", {"pfld": "0123456789ab"})
    assert plug(torch.zeros_like, "normals").notes
    assert networks() == Networks()
    with pytest.raises(DataError, match="one finite row per image"):
        plug(lambda x: x[:1], "embedding")(images())


def test_networks_of_the_command_line_add_their_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    run = tmp_path / "run"
    words = ["--size", "32", "--width", "4", "--steps", "2", "--batch-size", "2", "--quiet", "--device", "cpu"]
    main(["train", "basisgan", "--data", "streets:20", "--blocks", "1", *words, "--out", str(run)])
    capsys.readouterr()
    normals = write_onnx(tmp_path / "normals.onnx", ("Identity",), ANY)
    embedding = write_onnx(tmp_path / "means.onnx", ("GlobalAveragePool", "Flatten"), ANY)
    brought = ["--normals", str(normals), "--embedding", str(embedding), "--segmenter", str(normals)]
    main(["evaluate", str(run), "--protocol", "quick", "--no-perceptual", "--json", *brought])
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((run / "metrics.json").read_text())
    metrics, protocol = content["metrics"], content["protocol"]
    assert {"std_identity", "normal_mean_best", "normal_below_30_mean", "centre_max", "rmse_best_of_4"} <= set(metrics)
    assert "diversity_score" not in metrics, "a sum of one deviation is none"
    assert protocol["normal_mean_best"]["weights"] == {"normals.onnx": file_digest(normals)}
    assert protocol["std_identity"]["weights"] == {"means.onnx": file_digest(embedding)}
    best, of_two, mean = (metrics[f"rmse_{kind}"]["value"] for kind in ("best", "best_of_2", "mean"))
    assert best < of_two + 1e-4 < mean + 2e-4, "after two steps samples are alike, and rounding may swap them"
    page = (run / "report.html").read_text()
    assert "rmse of the best of n samples" in page
    assert page.index("More samples") < page.index("rmse best of 2")


def test_a_detector_needs_conditions_with_landmarks(pairs: Pairs) -> None:
    brought = networks(detector=lambda x: torch.zeros(len(x), 2, 2))
    with pytest.raises(ConfigError, match="the condition of streets, a label map, does not contain landmarks"):
        measure(generator(pairs), pairs, pairs, "quick", perceptual=False, networks=brought)


def test_landmarks_of_conditions_are_the_truth_of_a_detector(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / "test" / f"{i}.png", photo(32, 32))
    (tmp_path / "test" / "landmarks.json").write_text(json.dumps({f"{i}.png": [[24, 8]] for i in range(5)}))
    pairs = open_data(tmp_path, split="test")
    brought = networks(detector=lambda x: torch.tensor([[[20.0, 5.0]]]).expand(len(x), -1, -1))
    measured = measure(generator(pairs), pairs, pairs, "quick", perceptual=False, networks=brought).results.measured
    assert measured["landmark_error_best"].value == pytest.approx(5 / 32)
    assert measured["landmark_error_best"].protocol.samples == 5


def test_a_segmenters_classes_are_compared_with_the_label_map_as_by_scikit_learn(pairs: Pairs) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    classes = pairs.condition.channels
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, classes, 3, padding=1).requires_grad_(False)
    preset, drawer = protocols()["quick"], generator(pairs)
    brought = networks(segmenter=network)
    measured = measure(drawer, pairs, pairs, "quick", perceptual=False, networks=brought).results.measured
    drawn = draw_samples(drawer, pairs, preset.inputs, preset.samples, 0, "both")
    true, found, real = [], [], []
    for i, (samples, truth) in enumerate(drawn.with_truth()):
        ids = pairs.raw(i)[0][0].long()
        true.append(ids.expand(preset.samples, -1, -1))
        found.append(network(samples[0]).argmax(dim=1))
        real.append(network(truth).argmax(dim=1).expand(preset.samples, -1, -1))
    flat, occurring = torch.cat(true).flatten(), torch.cat(true).unique()
    for suffix, classes_found in (("", found), ("_real", real)):
        one = torch.cat(classes_found).flatten()
        iou = metrics.jaccard_score(flat, one, labels=occurring, average="macro")
        assert measured["miou" + suffix].value == pytest.approx(iou, abs=1e-5)
        assert measured["pixel_accuracy" + suffix].value == pytest.approx(float((flat == one).float().mean()), abs=1e-5)
    assert measured["miou"].protocol.weights == {"Conv2d": tensor_digest(network.state_dict())}
    assert (measured["miou"].protocol.samples, measured["miou_real"].protocol.samples) == (preset.samples, 1)


def test_a_segmenter_of_other_classes_or_without_label_maps_is_refused(pairs: Pairs, tmp_path: Path) -> None:
    other = networks(segmenter=torch.nn.Conv2d(3, 4, 1).requires_grad_(False))
    found = measure(generator(pairs), pairs, pairs, "quick", perceptual=False, networks=other)
    assert "miou" not in found.results.measured
    assert any("a score for each of the 8 classes" in line for line in found.skipped)
    images = open_data("streets:20", size=32, split="test", condition="grey")
    with pytest.raises(ConfigError, match="--segmenter: streets has no label maps"):
        other.check_data(images)


@pytest.mark.parametrize(("name", "inputs", "samples"), [("dropout-pets", 686, 72), ("dropout-faces", 1711, 10)])
def test_numbers_of_the_papers_protocol_say_what_is_unverified(
    pairs: Pairs, name: str, inputs: int, samples: int
) -> None:
    preset = protocols()[name]
    assert (preset.inputs, preset.samples) == (inputs, samples)
    small = NamedProtocol.model_validate({**preset.model_dump(), "name": "small", "inputs": 2, "samples": 3})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(protocols(), "small", small)
        results = measure(generator(pairs), pairs, pairs, "small", perceptual=False).results.measured
    for metric in ("rmse_best", "ssim_mean", "centre_max", "diversity_pixel"):
        assert any("unverified" in note for note in results[metric].protocol.notes), metric

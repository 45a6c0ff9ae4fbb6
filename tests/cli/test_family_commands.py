"""The adversarial family from the command line: holes, styles of a given image, unpaired folders, coarse to fine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import variegate
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.runs.folder import RunFolder

SMALL = ["--width", "4", "--objective.layers", "2", "--batch-size", "2", "--steps", "2", "--quiet", "--device", "cpu"]


def trained(method: str, out: Path, *more: str, data: str = "streets:20", size: int = 32) -> Path:
    main(["train", method, "--data", data, "--size", str(size), "--out", str(out), *SMALL, *more])
    return out


def picture(path: Path, size: int = 32, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 250, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_hole_is_filled_and_nothing_outside_it_changes(tmp_path: Path) -> None:
    run = trained("basisgan-inpainting", tmp_path / "run", "--blocks", "1")
    given, mask = picture(tmp_path / "photo.png"), np.zeros((32, 32), dtype=np.uint8)
    mask[8:20, 4:28] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ["sample", str(run), str(given), "--mask", str(tmp_path / "mask.png"), "-n", "2", "--out"]
    main([*words, str(tmp_path / "drawn")])
    before = np.asarray(Image.open(given)).astype(int)
    for i in range(2):
        after = np.asarray(Image.open(tmp_path / "drawn" / f"0-{i}.png")).astype(int)
        assert np.abs(after - before)[mask == 0].max() <= 1
        assert np.abs(after - before)[mask > 0].max() > 20
    main(
        ["sample", str(run), "test:0", "--mask", str(tmp_path / "mask.png"), "-n", "1", "--out", str(tmp_path / "item")]
    )
    item = RunFolder(run).pairs("test").raw(0)[1].permute(1, 2, 0).numpy().astype(int)
    after = np.asarray(Image.open(next((tmp_path / "item").glob("*0.png")))).astype(int)
    assert np.abs(after - item)[mask == 0].max() <= 1, "an item's own image, without its hole"
    with pytest.raises(SystemExit):
        main(["sample", str(run), "test:0", "test:1", "--mask", str(tmp_path / "mask.png")])


def test_the_style_of_a_given_image_can_be_drawn_on_another_layout(tmp_path: Path) -> None:
    run = trained("bicyclegan", tmp_path / "run")
    image = picture(tmp_path / "style.png")
    main(["sample", str(run), "test:0", "--like", str(image), "--out", str(tmp_path / "drawn")])
    model = variegate.load(run)
    code = model.invert(image)
    assert code.shape == (1, 8)
    held = RunFolder(run).pairs("test").raw(0)[0]
    expected = model.sample(held, codes=code).pil()[0]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "drawn" / "0000.png")), np.asarray(expected))
    assert not np.allclose(model.invert(picture(tmp_path / "other.png", seed=1)), code)


def test_without_an_encoder_the_code_of_an_image_is_searched(tmp_path: Path) -> None:
    run = trained("msgan", tmp_path / "run")
    model, held = variegate.load(run), RunFolder(run).pairs("test").raw(0)[0]
    wanted = model.sample(held, 1, seed=5)
    wanted.pil()[0].save(tmp_path / "style.png")
    with pytest.raises(ConfigError, match=r"depends on its label map here; give invert\(image, label map\)"):
        model.invert(tmp_path / "style.png")
    code = model.invert(tmp_path / "style.png", held)
    assert torch.equal(code, model.invert(tmp_path / "style.png", held)), "the same candidates every time"

    def off(codes: torch.Tensor) -> torch.Tensor:
        return (model.sample(held, codes=codes).images - wanted.images).abs().mean(dim=(1, 2, 3))

    assert float(off(code)) < 0.7 * float(off(model.codes(64, seed=9)).min()), "nearer than the best of a first round"
    like = ["--like", str(tmp_path / "style.png"), "--like-condition", "test:0"]
    main(["sample", str(run), "test:0", *like, "--out", str(tmp_path / "drawn")])
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "0000.png"))
    assert np.array_equal(drawn, np.asarray(model.sample(held, codes=code).pil()[0]))
    with pytest.raises(ConfigError, match="candidates must be at least 1"):
        model.invert(tmp_path / "style.png", held, candidates=0)


def test_a_network_of_several_heads_is_searched_in_full(tmp_path: Path) -> None:
    def of_heads(count: int) -> Path:
        small = {"generator.widths": [6, 6, 4], "objective.perceptual": "laplacian", "heads": count, "batch_size": 2}
        return variegate.train("crn", "streets:20", tmp_path / f"heads-{count}", size=32, steps=2, quiet=True, **small)

    model, held = variegate.load(run := of_heads(3)), RunFolder(run).pairs("test").raw(0)[0]
    codes = model.fixed_codes()
    model.sample(held, codes=codes[1:2]).pil()[0].save(tmp_path / "style.png")
    assert torch.equal(model.invert(tmp_path / "style.png", held), codes[1:2])
    with pytest.raises(ConfigError, match="draws one image per condition, so there is no code"):
        variegate.load(trained("pix2pix", tmp_path / "one", "--noise", "none")).invert(tmp_path / "style.png", held)


def test_munit_learns_from_folders_that_do_not_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for side, count in (("trainA", 5), ("trainB", 4)):
        for i in range(count):
            picture(tmp_path / "data" / side / f"{side}-{i}.png", seed=i)
    run = trained("munit", tmp_path / "run", "--generator.blocks", "1", data=str(tmp_path / "data"))
    capsys.readouterr()
    main(["evaluate", str(run), "--protocol", "quick", "--no-perceptual", "--json"])
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert "diversity_pixel" in metrics
    assert not any("rmse" in name for name in metrics), "there is no truth to be near to"
    assert variegate.load(run).invert(picture(tmp_path / "style.png")).shape == (1, 8)


def test_the_global_network_is_trained_first_and_held_at_first(tmp_path: Path) -> None:
    shared = ["--generator.downs", "1", "--blocks", "1", "--perceptual", "laplacian", "--scales", "1"]
    before = ["--previous.training.steps", "2", "--previous.objective.perceptual", "laplacian"]
    before += ["--previous.generator.downs", "1"]
    before += ["--previous.objective.layers", "1", "--previous.objective.scales", "1", "--average-decay", "0"]
    run = trained("pix2pixhd", tmp_path / "run", "--fine", "true", *shared, *before, "--training.hold.until", "1")
    whole = variegate.load(run / "previous").generator.state_dict()
    fine = variegate.load(run).generator.state_dict()
    taken = [name for name in whole if name in fine and whole[name].shape == fine[name].shape and "outer" not in name]
    assert len(taken) >= 10
    assert all(np.array_equal(whole[name], fine[name]) for name in taken)
    assert variegate.load(run / "previous").size == (16, 16)


def test_a_network_of_torchvision_gets_sampled_filters(tmp_path: Path) -> None:
    options = ["--generator", "{kind: plugged}", "--randomness", "{kind: basis_filters, sites: ['classifier.*']}"]
    options += ["--objective.width", "4", "--batch-size", "2", "--steps", "2", "--quiet", "--device", "cpu"]
    main(["train", "basisgan", "--data", "streets:20", "--size", "32", "--out", str(tmp_path / "run"), *options])
    model = variegate.load(tmp_path / "run")
    images = model.sample(RunFolder(tmp_path / "run").pairs("test").raw(0)[0], n=3).images
    assert images.shape == (3, 3, 32, 32)
    assert float((images[0] - images[1]).abs().max()) > 0

"""`variegate import`: a public file becomes a model that every other command takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_imported import saved, trained

import variegate
from helpers.public_networks import PublicAddAll, PublicUNet
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.model.imported import import_weights


def test_an_imported_unet_draws_what_the_public_network_draws(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    network = trained(PublicUNet(7, 3, 3))
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "layout.png")
    main(["import", str(saved(network, tmp_path)), "--out", str(tmp_path / "model")])
    assert "U-Net" in capsys.readouterr().out
    model = variegate.load(tmp_path / "model")
    with torch.no_grad():
        expected = network(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    assert torch.allclose(model.sample(tmp_path / "layout.png", n=1).images[0], (expected + 1) / 2, atol=1e-5)
    main(["sample", str(tmp_path / "model"), str(tmp_path / "layout.png"), "-n", "2", "--out", str(tmp_path / "drawn")])
    assert len(list((tmp_path / "drawn").glob("0-*.png"))) == 2


def test_an_imported_bicyclegan_has_codes_but_no_encoder(tmp_path: Path) -> None:
    network = trained(PublicAddAll(7, 3, 8))
    main(["import", str(saved(network, tmp_path)), "--out", str(tmp_path / "model")])
    model = variegate.load(tmp_path / "model")
    assert model.generator.code_size == 8
    with pytest.raises(ConfigError, match="the code of an image depends on its image here"):
        model.invert(np.zeros((128, 128, 3), dtype=np.uint8))


def test_a_file_that_is_no_generator_ends_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "notes.pth").write_text("not a state dict")
    with pytest.raises(SystemExit) as ended:
        main(["import", str(tmp_path / "notes.pth"), "--out", str(tmp_path / "model")])
    assert ended.value.code == 2
    assert "truncated, damaged or not a .pth file" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_channels_that_are_no_image_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    network = PublicUNet(7, channels=1)
    last = network.model.model[-2]
    network.model.model[-2] = torch.nn.ConvTranspose2d(last.in_channels, 2, 4, 2, 1)
    with pytest.raises(ConfigError, match="outputs 2 channels"):
        import_weights(saved(network, tmp_path), tmp_path / "model")
    assert not (tmp_path / "model").exists()

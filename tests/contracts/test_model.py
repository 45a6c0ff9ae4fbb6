"""What a user holds: loading, drawing, saving, and what is said when a model is not whole."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from helpers.variants import COLOURS, conditions, model_of, size_of
from variegate.core.errors import CheckpointError, ConfigError, DataError
from variegate.core.images import sheet, to_pil, to_uint8
from variegate.model.model import Model
from variegate.model.samples import files_of, read_codes

pytestmark = pytest.mark.core


def ids(name: str = "basisgan") -> Tensor:
    """A raw label map, uint8 (1, H, W)."""
    return conditions(name, 1)[0].argmax(dim=0, keepdim=True).to(torch.uint8)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of("basisgan")


@pytest.fixture
def saved(model: Model, tmp_path: Path) -> Path:
    model.save(tmp_path / "run" / "model")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["pix2pix dropout unet", "basisgan shared", "cimle field encoder", "noise maps unet"])
def test_a_model_that_was_saved_and_loaded_draws_the_same_images(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    model.save(tmp_path / "run" / "model")
    first = model.sample(ids(name), n=3, seed=5)
    for place in (tmp_path / "run", tmp_path / "run" / "model", str(tmp_path / "run")):
        again = Model.load(place)
        # weights mapped from a file may lie across cache lines, where sums run in another order
        assert torch.allclose(again.sample(ids(name), n=3, seed=5).images, first.images, atol=1e-5)
        assert torch.equal(again.sample(ids(name), n=3, seed=5).codes, first.codes)
        assert (again.name, again.size, again.record) == (model.name, size_of(name), model.record)
        assert not any(parameter.requires_grad for parameter in again.generator.parameters())


def test_images_are_in_the_unit_interval_with_the_seeds_that_made_them(model: Model) -> None:
    out = model.sample(ids(), n=4, seed=2, first=3)
    assert out.images.shape == (4, 3, 16, 16)
    assert 0 <= float(out.images.min()) <= float(out.images.max()) <= 1
    assert out.seeds == [(2, 3), (2, 4), (2, 5), (2, 6)]
    assert len(out) == len(out.pil()) == 4
    assert out.pil()[1].size == (16, 16)
    assert np.array_equal(np.asarray(out.pil()[1]), (out.images[1] * 255).round().byte().permute(1, 2, 0).numpy())


def test_image_i_of_a_seed_is_the_same_in_any_window_and_chunk(model: Model) -> None:
    many = model.sample(ids(), n=7, seed=1)
    assert torch.allclose(model.sample(ids(), n=2, seed=1, first=4).images, many.images[4:6], atol=1e-5)
    assert torch.allclose(model.sample(ids(), n=7, seed=1, chunk=3).images, many.images, atol=1e-5)
    assert torch.equal(model.codes(2, seed=1, first=4), many.codes[4:6])


def test_codes_of_one_image_draw_the_same_style_on_another(model: Model) -> None:
    other = (ids() + 1) % 4
    out = model.sample(ids(), n=3, seed=1)
    moved = model.sample(other, codes=out.codes)
    assert moved.seeds is None
    assert torch.equal(moved.images, model.sample(other, n=3, seed=1).images)
    assert not torch.allclose(moved.images, out.images)


def test_a_path_an_image_an_array_and_a_tensor_are_the_same_condition(model: Model, tmp_path: Path) -> None:
    raw = ids()
    grey = Image.fromarray(raw[0].numpy())
    grey.save(tmp_path / "ids.png")
    colours = Image.fromarray(np.array(COLOURS, dtype=np.uint8)[raw[0].numpy()])
    colours.save(tmp_path / "colours.png")
    sources = [
        raw,
        raw[0],
        raw[0].long(),
        raw[0].numpy(),
        grey,
        colours,
        tmp_path / "ids.png",
        str(tmp_path / "ids.png"),
        tmp_path / "colours.png",
    ]
    expected = model.sample(raw, n=2).images
    for source in sources:
        assert torch.equal(model.sample(source, n=2).images, expected), source


def test_a_condition_is_resized_only_when_a_size_is_asked_for(model: Model) -> None:
    large = ids().repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :, :-3]
    assert model.sample(large, n=1).images.shape == (1, 3, 32, 29)
    assert model.sample(large, n=1, size=(16, 24)).images.shape == (1, 3, 16, 24)


def test_a_class_that_the_model_does_not_know_is_refused(model: Model) -> None:
    with pytest.raises(DataError, match=r"label id 9, expected 0\.\.3"):
        model.sample(np.full((16, 16), 9, dtype=np.uint8), n=1)


def test_codes_of_another_model_are_refused_with_both_shapes(model: Model) -> None:
    other = model_of("basisgan separate").codes(2)
    with pytest.raises(ConfigError, match=r"codes have shape \(2, 640\), but this basisgan model expects \(n, 128\)"):
        model.sample(ids(), codes=other)
    with pytest.raises(ConfigError, match="codes have shape"):
        model.sample(ids(), codes=model.codes(2)[0])
    with pytest.raises(ConfigError, match="codes have shape"):
        model.interpolate(ids(), other[0], 1)


def test_codes_that_draw_nothing_are_refused_and_other_numbers_are_read(model: Model) -> None:
    codes = model.codes(2)
    spoilt = codes.clone()
    spoilt[1, 5] = float("nan")
    with pytest.raises(ConfigError, match="code 1 of 2 holds NaN or infinity"):
        model.sample(ids(), codes=spoilt)
    with pytest.raises(ConfigError, match=r"codes have shape \(0, 128\)"):
        model.sample(ids(), codes=codes[:0])
    with pytest.raises(ConfigError, match="holds NaN or infinity"):
        model.interpolate(ids(), spoilt[1], 0)
    for kind in (torch.float64, torch.float16, torch.int32):
        other = codes.to(kind)
        assert torch.equal(model.sample(ids(), codes=other).images, model.sample(ids(), codes=other.float()).images)


def test_files_of_codes_that_are_of_another_shape_are_told_from_those_too_large_to_save(
    model: Model, tmp_path: Path
) -> None:
    save_file({"codes": model.codes(1)[0]}, tmp_path / "one.safetensors")
    with pytest.raises(ConfigError, match=r"codes have shape \(128,\)"):
        model.sample(ids(), codes=read_codes(tmp_path / "one.safetensors"))
    save_file({"codes": torch.empty(0)}, tmp_path / "large.safetensors")
    with pytest.raises(CheckpointError, match="too large to save; give the same --seed"):
        read_codes(tmp_path / "large.safetensors")


@pytest.mark.parametrize("files", ["0.5", "{}", "[1]", "["])
def test_damaged_names_of_files_are_none(files: str, tmp_path: Path) -> None:
    save_file({"codes": torch.zeros(1, 2)}, tmp_path / "codes.safetensors", {"files": files})
    assert files_of(tmp_path / "codes.safetensors") == []


def test_seeds_images_and_frames_are_counted_from_0_and_1(model: Model) -> None:
    with pytest.raises(ConfigError, match=r"seed -1, image 0: seeds and image indices must be 0 or more"):
        model.sample(ids(), n=1, seed=-1)
    with pytest.raises(ConfigError, match="seed 0, image -1"):
        model.sample(ids(), n=2, first=-1)
    with pytest.raises(ConfigError, match="seed 0, image -3"):
        model.sequence([ids()], code=-3)
    for frames in (0, -3):
        with pytest.raises(ConfigError, match=f"frames must be at least 1, got {frames}"):
            model.interpolate(ids(), 0, 1, frames=frames)
    assert len(model.interpolate(ids(), 0, 1, frames=1)) == 1


def test_a_device_that_is_not_there_is_refused_and_what_is_there_named(saved: Path) -> None:
    absent = "mps" if torch.cuda.is_available() else "cuda"
    for device in (absent, "gpu", "meta"):
        with pytest.raises(ConfigError, match=f"--device {device}: there is no such device here; give .*cpu"):
            Model.load(saved, device=device)


def test_an_interpolation_starts_and_ends_at_the_images_of_its_ends(model: Model) -> None:
    way = model.interpolate(ids(), 3, (8, 1), frames=5, seed=4)
    ends = torch.stack(
        [model.sample(ids(), n=1, seed=4, first=3).images[0], model.sample(ids(), 1, 8, first=1).images[0]]
    )
    assert len(way) == 5
    assert torch.allclose(way.images[[0, -1]], ends, atol=1e-4)
    assert torch.allclose(model.interpolate(ids(), way.codes[0], way.codes[-1], frames=2).images, ends, atol=1e-4)
    steps = (way.images[1:] - way.images[:-1]).abs().mean(dim=(1, 2, 3))
    assert float(steps.max()) < float((ends[0] - ends[1]).abs().mean()), "no frame jumps as far as from end to end"


def test_a_sequence_has_one_code_for_all_of_its_conditions(model: Model) -> None:
    layouts = [ids(), (ids() + 1) % 4, (ids() + 2) % 4]
    out = model.sequence(layouts, code=2, seed=6)
    assert out.codes.shape == (3, 128)
    for i, layout in enumerate(layouts):
        assert torch.equal(out.images[i], model.sample(layout, n=1, seed=6, first=2).images[0])


def test_saved_codes_draw_the_saved_images_again(model: Model, tmp_path: Path) -> None:
    out = model.sample(ids(), n=3, seed=9)
    files = out.save(tmp_path / "out", name="a-")
    assert [file.name for file in files] == ["a-9-0.png", "a-9-1.png", "a-9-2.png"]
    with safe_open(tmp_path / "out" / "a-codes.safetensors", "pt") as content:
        codes, metadata = content.get_tensor("codes"), content.metadata()
    assert json.loads(metadata["seeds"]) == [[9, 0], [9, 1], [9, 2]]
    assert json.loads(metadata["files"]) == [file.name for file in files]
    again = model.sample(ids(), codes=codes)
    for file, picture in zip(files, again.pil(), strict=True):
        assert np.abs(np.asarray(Image.open(file)).astype(int) - np.asarray(picture)).max() <= 1
    assert Image.open(tmp_path / "out" / "a-grid.png").size == (2 * 16 + 2, 2 * 16 + 2)
    mixed = model.interpolate(ids(), 0, 1, frames=2).save(tmp_path / "mixed")
    assert [file.name for file in mixed] == ["0000.png", "0001.png"]


def test_a_sheet_places_images_in_rows_with_a_gap() -> None:
    pictures = [torch.full((3, 4, 6), value, dtype=torch.uint8) for value in (10, 20, 30)]
    page = sheet([pictures[:2], pictures[2:]], gap=1)
    assert page.shape == (3, 9, 13)
    assert (int(page[0, 0, 0]), int(page[0, 0, 7]), int(page[0, 5, 0])) == (10, 20, 30)
    assert int(page[0, 0, 6]) == int(page[0, 4, 0]) == int(page[0, 5, 7]) == 255


def test_pixels_are_rounded_and_clipped() -> None:
    values = torch.tensor([-3.0, -1.0, 0.0, 0.999, 1.0, 3.0]).expand(3, 1, -1)
    assert to_uint8(values)[0, 0].tolist() == [0, 0, 128, 255, 255, 255]
    assert to_pil(to_uint8(values)[:1]).mode == "L"


# what is said when a model is not whole


def test_a_cut_short_weights_file_is_named(saved: Path) -> None:
    path = saved / "model" / "model.safetensors"
    for size in (len(path.read_bytes()) // 2, 4, 0):
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is cut short or damaged"):
            Model.load(saved)


@pytest.mark.parametrize(
    ("file", "words"),
    [("config.json", r"no saved model \(no config\.json\)"), ("model.safetensors", r"model\.safetensors is missing")],
)
def test_a_missing_file_of_a_model_is_named(saved: Path, file: str, words: str) -> None:
    (saved / "model" / file).unlink()
    with pytest.raises(CheckpointError, match=words):
        Model.load(saved)


@pytest.mark.parametrize("content", ["", "{", '{"method": {}}', "[]"])
def test_a_damaged_config_is_named(saved: Path, content: str) -> None:
    (saved / "model" / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        Model.load(saved)


def test_weights_that_belong_to_another_network_are_refused(saved: Path) -> None:
    path = saved / "model" / "config.json"
    record = json.loads(path.read_text())
    record["method"]["generator"]["width"] = 6
    path.write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"another network: size mismatch.*; copy the whole model folder again"):
        Model.load(saved)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no saved model"):
        Model.load(tmp_path)
    with pytest.raises(CheckpointError, match="is not a folder; give a run directory"):
        Model.load(tmp_path / "nothing")


def test_saving_a_model_into_a_folder_of_other_things_keeps_them(model: Model, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with contextlib.suppress(ConfigError):
        model.save(tmp_path)
    assert (tmp_path / "thesis.tex").is_file()

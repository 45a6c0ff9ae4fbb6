"""Models on the hub: pushed and loaded through the public client, against a hub on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

import variegate
from helpers.hub_server import TOKEN, Hub, running
from helpers.shared import ROOT
from helpers.untrained import untrained
from variegate.cli import main
from variegate.core.errors import CheckpointError, ConfigError
from variegate.runs.hub import OnHub, in_words, on_hub

hub_client = pytest.importorskip("huggingface_hub")

RUNS = ROOT / "tests" / "house" / "runs"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, an empty cache, somebody logged in, and an empty working directory."""
    from huggingface_hub import constants

    with running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        yield server


def front_matter(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text.split("---\n")[1])
    return found


def image(model: variegate.Model) -> torch.Tensor:
    layout = torch.arange(32 * 32).reshape(32, 32) % 8
    return model.sample(layout.to(torch.uint8), n=2, seed=3).images


def test_a_pushed_model_draws_the_same_images_and_needs_no_network_the_second_time(hub: Hub) -> None:
    model = untrained()
    address = model.push_to_hub("lena/street", license="cc-by-4.0")
    assert address == f"{hub.address}/lena/street"
    stored = hub.repositories["lena/street"]
    files = stored.commits[stored.branches["main"]]
    assert set(files) == {".gitattributes", "README.md", "config.json", "model.safetensors"}
    first = variegate.load("lena/street")
    assert torch.equal(image(first), image(model))
    asked = len(hub.asked)
    hub.shutdown()
    hub.server_close()
    assert torch.equal(image(variegate.load("lena/street")), image(model))
    assert len(hub.asked) == asked, "a model in the cache asks nobody"


def test_the_card_tells_what_hubs_read_and_how_to_use_it(hub: Hub) -> None:
    untrained().push_to_hub("lena/street", license="cc-by-4.0")
    stored = hub.repositories["lena/street"]
    text = stored.commits[stored.branches["main"]]["README.md"].decode()
    told = front_matter(text)
    assert told["license"] == "cc-by-4.0"
    assert told["library_name"] == "variegate"
    assert told["pipeline_tag"] == "image-to-image"
    assert {"variegate", "basisgan", "condition-labels"} <= set(told["tags"])  # type: ignore[call-overload]
    assert 'variegate.load("lena/street")' in text
    assert "Apache-2.0" in text
    assert "check its terms" in text
    assert "Measured" not in text, "nothing was measured"
    from huggingface_hub import ModelCard

    assert ModelCard(text).data.license == "cc-by-4.0"


def test_a_run_is_pushed_with_its_numbers_and_its_encoder(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(RUNS / "bicyclegan", run)
    protocol = {
        "name": "quick",
        "metric": "mean LPIPS of pairs",
        "libraries": {"lpips": "0.1.4"},
        "value_range": "[-1, 1]",
        "inputs": 8,
        "samples": 4,
        "seed": 0,
        "size": [16, 16],
    }
    value = {"value": 0.1234567, "ci": [0.1, 0.15], "n": 8, "unit": "LPIPS", "better": "higher"}
    (run / "metrics.json").write_text(
        json.dumps({"protocol": {"diversity": protocol}, "metrics": {"diversity": value}})
    )
    main(["push", str(run), "lena/bi", "--private", "--revision", "first"])
    assert capsys.readouterr().out.strip() == f"{hub.address}/lena/bi"
    stored = hub.repositories["lena/bi"]
    assert stored.private
    files = stored.commits[stored.branches["first"]]
    text = files["README.md"].decode()
    assert "| diversity | 0.1235 LPIPS | 0.1 to 0.15 | higher | quick: mean LPIPS of pairs" in text
    assert "conditions 8; images each 4; seed 0; 16x16; lpips 0.1.4" in text
    assert "model.safetensors" not in stored.commits[stored.branches["main"]]
    assert variegate.load("lena/bi", revision="first").inverter is not None
    assert variegate.load("lena/bi@first").name == "bicyclegan"
    untrained().push_to_hub("lena/bi", revision="first")
    assert "inverter.safetensors" not in stored.commits[stored.branches["first"]], "the new model has no encoder"
    assert stored.commits[stored.branches["first"]] != files


def test_numbers_older_than_the_weights_are_not_in_the_card(tmp_path: Path) -> None:
    import os

    from variegate.runs.card import measured_of

    model = tmp_path / "run" / "model"
    untrained().save(model)
    numbers = tmp_path / "run" / "metrics.json"
    numbers.write_text('{"protocol": {}, "metrics": {}}')
    assert measured_of(model) is not None
    weights = (model / "model.safetensors").stat()
    os.utime(numbers, (weights.st_mtime - 5, weights.st_mtime - 5))
    assert measured_of(model) is None


def test_images_of_a_model_on_the_hub_are_drawn_beside_no_folder_of_its_name(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    untrained().push_to_hub("lena/street")
    variegate.load("street")  # bundled models and the hub do not meet
    main(["data", "export-streets", "painted", "--count", "1", "--size", "32"])
    layout = min(Path("painted").rglob("*label*/*.png"))
    main(["sample", "lena/street", str(layout), "-n", "2"])
    assert capsys.readouterr().out.endswith("drawn\n")
    assert Path("drawn/0-1.png").is_file()
    assert not Path("lena").exists(), "a folder of that name would come first from now on"


def test_a_folder_comes_first_and_a_slip_in_a_folder_asks_nobody(hub: Hub) -> None:
    untrained().save("lena/street")
    hub.asked.clear()
    assert variegate.load("lena/street").record.data == "streets"
    with pytest.raises(CheckpointError, match=r"^lena/streets is not a folder; give a run directory"):
        variegate.load("lena/streets")
    assert hub.asked == []
    assert on_hub("lena/streets@main") is not None, "with a revision it can only be the hub's"
    for place in ("/lena/street", "lena", "a/b/c", "./street", "../street", "lena/street"):
        assert on_hub(place) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody/nothing", "no such folder here and no such model on the hub, or it is private"),
        ("lena/street@v9", "the hub has the model, but not this revision"),
        ("lena/other", "is on the hub, but it is not a model of variegate"),
        ("lena/empty", "has no model.safetensors"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_sentence(hub: Hub, name: str, told: str) -> None:
    untrained().push_to_hub("lena/street")
    files = hub.repositories["lena/street"].commits[hub.repositories["lena/street"].branches["main"]]
    hub.add("lena/other", {"config.json": b'{"architectures": ["Bert"]}', "model.safetensors": b"large"})
    hub.add("lena/empty", {"config.json": files["config.json"]})
    hub.asked.clear()
    with pytest.raises(CheckpointError, match=told) as raised:
        variegate.load(name)
    assert str(raised.value).startswith(name)
    assert "\n" not in str(raised.value)
    assert not any("model.safetensors" in line for line in hub.asked), "no stranger's weights are downloaded"


def test_private_models_need_a_token(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained().push_to_hub("lena/secret", private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(CheckpointError, match=r"or it is private; check it, or log in with"):
        variegate.load("lena/secret")
    with pytest.raises(CheckpointError, match=r"lena/mine: the hub does not know you; log in with .hf auth login."):
        untrained().push_to_hub("lena/mine")


def test_what_cannot_be_pushed_is_told_in_one_sentence(hub: Hub) -> None:
    hub.add("lena/other", {"pytorch_model.bin": b"theirs"})
    with pytest.raises(ConfigError, match=r"lena/other holds pytorch_model.bin, which is not part of a model"):
        untrained().push_to_hub("lena/other")
    with pytest.raises(CheckpointError, match="your token does not allow this"):
        untrained().push_to_hub("somebody/model")
    with pytest.raises(CheckpointError, match=r"the hub does not accept this \(Invalid metadata in README.md"):
        untrained().push_to_hub("lena/street", license="")
    for name in ("street", "lena/street@main", "a/b/c", "lena/"):
        with pytest.raises(ConfigError, match="is not a name on the hub; give user/name"):
            untrained().push_to_hub(name)


def test_no_network_is_told_in_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.shutdown()
    hub.server_close()
    with pytest.raises(CheckpointError, match=r"^lena/street: .*the hub cannot be reached; check the network$"):
        variegate.load("lena/street")
    with pytest.raises(CheckpointError, match="the hub cannot be reached"):
        untrained().push_to_hub("lena/street")


def test_a_download_that_was_cut_short_is_completed(hub: Hub) -> None:
    model = untrained()
    model.push_to_hub("lena/street")
    from huggingface_hub import snapshot_download

    snapshot_download("lena/street", endpoint=hub.address, allow_patterns=["config.json"])
    assert torch.equal(image(variegate.load("lena/street")), image(model))


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("variegate.runs.hub.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^lena/street: .*pip install 'variegate\[hub\]'"):
        variegate.load("lena/street")
    with pytest.raises(CheckpointError, match="is not a folder"):
        variegate.load("lena/street/model")


@pytest.mark.parametrize("token", ["hf_SEC\nRET", "hf_SEC RET", "hf_SECRÉT"])
def test_a_token_that_is_none_is_refused_before_anything_is_asked_and_never_shown(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    with pytest.raises(ConfigError, match="the token for the hub has a space, a line break or another") as raised:
        untrained().push_to_hub("lena/street", token=token)
    assert "hf_SEC" not in str(raised.value)
    assert hub.asked == []
    if "\n" not in token:  # the hub's package joins lines of HF_TOKEN
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(ConfigError, match="the token for the hub has"):
            variegate.load("lena/street")
    assert hub.asked == []


def test_a_token_is_stripped_and_never_shown(hub: Hub) -> None:
    untrained().push_to_hub("lena/street", token=f" {TOKEN}\n")
    with pytest.raises(CheckpointError) as raised, in_words(OnHub("lena/street", None), token="hf_x"):
        raise OSError("no answer to b'Bearer hf_x'")
    assert "Bearer ***" in str(raised.value)
    with pytest.raises(CheckpointError) as raised, in_words(OnHub("lena/street", None)):
        raise ValueError(f"Illegal header value b'Bearer {TOKEN}'")
    assert TOKEN not in str(raised.value)


def test_a_repository_of_another_program_keeps_its_files_and_gets_no_branch(hub: Hub) -> None:
    theirs = {"config.json": b'{"architectures": ["Bert"]}', "model.safetensors": b"theirs", "README.md": b"theirs"}
    hub.add("lena/bert", theirs)
    hub.add("lena/weights", {"model.safetensors": b"theirs"})
    hub.add("lena/other", {"pytorch_model.bin": b"theirs"})
    for revision in (None, "v2"):
        with pytest.raises(ConfigError, match=r"lena/bert.* holds a model of another program"):
            untrained().push_to_hub("lena/bert", revision=revision)
        with pytest.raises(ConfigError, match=r"lena/weights.* holds model.safetensors"):
            untrained().push_to_hub("lena/weights", revision=revision)
        with pytest.raises(ConfigError, match=r"lena/other.* holds pytorch_model.bin"):
            untrained().push_to_hub("lena/other", revision=revision)
    assert all(set(stored.branches) == {"main"} for stored in hub.repositories.values())
    bert = hub.repositories["lena/bert"]
    assert bert.commits[bert.branches["main"]] == theirs


def test_a_folder_has_no_revision(hub: Hub) -> None:
    untrained().push_to_hub("lena/street", revision="v2")
    untrained().save("lena/street")
    hub.asked.clear()
    for place, revision in (("lena/street", "v2"), ("./lena/street", "v2"), ("lena/street@v2", None)):
        with pytest.raises(ConfigError, match=r"a folder (./)?lena/street is here, and a revision belongs to the hub"):
            variegate.load(place, revision=revision)
    assert hub.asked == []


def test_where_training_writes_and_places_from_here_are_folders(hub: Hub) -> None:
    for place in ("runs/facades", Path("./runs/facades"), "./runs/facades", "./lena/street", "../lena/street"):
        with pytest.raises(CheckpointError, match="is not a folder; give a run directory"):
            variegate.load(place)
    with pytest.raises(ConfigError, match="'runs/street' is not a name on the hub"):
        untrained().push_to_hub("runs/street")
    assert hub.asked == []


def test_a_named_branch_is_what_the_hub_has_now_and_without_a_network_what_was_downloaded(hub: Hub) -> None:
    old, new = untrained(), untrained()
    new.generator.load_state_dict({key: value * 1.5 for key, value in old.generator.state_dict().items()})
    old.push_to_hub("lena/street", revision="v2")
    stored = hub.repositories["lena/street"]
    first = stored.branches["v2"]
    assert torch.equal(image(variegate.load("lena/street", revision="v2")), image(old))
    new.push_to_hub("lena/street", revision="v2")
    assert not torch.equal(image(new), image(old))
    assert torch.equal(image(variegate.load("lena/street", revision="v2")), image(new))
    hub.asked.clear()
    assert torch.equal(image(variegate.load("lena/street", revision=first)), image(old))
    assert hub.asked == [], "a commit does not change"
    hub.shutdown()
    hub.server_close()
    assert torch.equal(image(variegate.load("lena/street", revision="v2")), image(new))


def test_a_cached_folder_without_its_description_is_completed(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = untrained()
    model.push_to_hub("lena/street")
    variegate.load("lena/street")
    [kept] = (tmp_path / "cache").glob("*/snapshots/*/config.json")
    kept.unlink()
    unseen = "huggingface_hub._snapshot_download._raise_if_incomplete_snapshot"  # older packages do not look
    monkeypatch.setattr(unseen, lambda **_: None, raising=False)
    assert torch.equal(image(variegate.load("lena/street")), image(model))

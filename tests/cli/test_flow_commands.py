"""Flows and their students on the command line: an image's code, its density, and which teachers will do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import variegate
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.core.images import to_uint8
from variegate.generators.flow_config import FlowConfig
from variegate.runs.folder import RunFolder

SMALL = ["--data", "streets:20", "--size", "16", "--batch-size", "2", "--steps", "2", "--quiet", "--device", "cpu"]
NARROW = ["--generator.widths", "[8, 8]"]


def trained(method: str, out: Path, *more: str) -> Path:
    main(["train", method, *SMALL, "--out", str(out), *more])
    return out


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("flow", tmp_path_factory.mktemp("flow") / "run", *NARROW)


def test_an_image_is_drawn_again_from_its_code(flow: Path, tmp_path: Path) -> None:
    model, held = variegate.load(flow), RunFolder(flow).pairs("test")
    image = held.raw(0)[1]
    Image.fromarray(image.movedim(0, -1).numpy()).save(tmp_path / "image.png")
    like = ["--like", str(tmp_path / "image.png")]
    main(["sample", str(flow), "test:0", *like, "--like-condition", "test:0", "--out", str(tmp_path / "drawn")])
    drawn = np.asarray(Image.open(tmp_path / "drawn" / "0000.png")).astype(int)
    assert np.abs(drawn - np.asarray(Image.open(tmp_path / "image.png"))).max() <= 1
    with pytest.raises(ConfigError, match="the code of an image depends on its label map"):
        model.invert(tmp_path / "image.png")


def test_a_trained_flow_is_solved_with_other_steps_and_guidance(flow: Path, tmp_path: Path) -> None:
    given = ["--guidance", "3", "--guided-from", "0.3", "--solver-steps", "2"]
    main(["sample", str(flow), "test:0", "-n", "1", *given, "--out", str(tmp_path)])
    model = variegate.load(flow, sampler={"guidance": 3, "guided_from": 0.3, "steps": 2})
    condition = RunFolder(flow).pairs("test").raw(0)[0]
    drawn = model.sample(condition, 1).images
    assert torch.equal(
        torch.from_numpy(np.array(Image.open(tmp_path / "0-0.png"))).movedim(-1, 0), to_uint8(drawn[0] * 2 - 1)
    )
    assert not torch.equal(drawn, variegate.load(flow).sample(condition, 1).images)
    model.save(tmp_path / "saved")
    assert torch.equal(variegate.load(tmp_path / "saved").sample(condition, 1).images, drawn)


def test_a_flow_that_kept_its_earlier_network_is_resumed_exactly_and_guided_by_it(tmp_path: Path) -> None:
    given = [*NARROW, "--generator.earlier_at", "0.5", "--learning-rate.generator", "0.01"]
    whole = trained("flow", tmp_path / "whole", *given, "--steps", "8")
    parts = trained("flow", tmp_path / "parts", *given, "--steps", "8", "--save-every", "3")
    shutil.rmtree(parts / "model")
    for checkpoint in sorted((parts / "checkpoints").iterdir())[1:]:
        shutil.rmtree(checkpoint)
    trained("flow", parts, *given, "--steps", "8", "--save-every", "3", "--resume")
    one, other = (variegate.load(run).generator.state_dict() for run in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(
        not torch.equal(one[name], one[name.replace("earlier.", "network.")]) for name in one if "earlier" in name
    )
    condition = RunFolder(whole).pairs("test").raw(0)[0]
    plain = variegate.load(whole).sample(condition, 1).images
    guided = variegate.load(whole, sampler={"guidance": 3, "guide": "earlier"}).sample(condition, 1).images
    assert not torch.equal(plain, guided)
    content = variegate.evaluate(
        whole, protocol="quick", perceptual=False, sampler={"guidance": 3, "guide": "earlier", "guided_from": 0.5}
    )
    told = "guidance 3 away from the network early in training from 0.5 on"
    assert all(told in json.dumps(record) for record in content["protocol"].values())
    main(["sample", str(whole), "test:0", "-n", "1", "--guidance", "3", "--guide", "earlier", "--out", str(tmp_path)])
    drawn = torch.from_numpy(np.array(Image.open(tmp_path / "0-0.png"))).movedim(-1, 0)
    assert torch.equal(drawn, to_uint8(guided[0] * 2 - 1))


def test_protocols_say_how_a_flow_was_solved_in_the_evaluation(flow: Path) -> None:
    given = {"protocol": "quick", "perceptual": False, "sampler": {"steps": 1, "guidance": 2, "guided_from": 0.5}}
    content = variegate.evaluate(flow, **given)
    records = [json.dumps(record) for record in content["protocol"].values()]
    assert all("drawn with 1 steps of heun, guidance 2 from 0.5 on" in record for record in records)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "generator.sampler.steps: input should be greater than or equal to 1, got 0"),
        ({"guidance": -1}, "generator.sampler.guidance: input should be greater than or equal to 0, got -1"),
        ({"guidance": 2, "guided_from": 1}, "generator.sampler.guided_from: input should be less than 1, got 1"),
        ({"guided_from": 0.5}, "guided_from changes nothing with a guidance of 1; give --guidance too"),
        ({"guide": "earlier"}, "guide changes nothing with a guidance of 1; give --guidance too"),
        ({"guide": "earlier", "guidance": 2}, "early in training; train with --generator.earlier_at"),
        ({"step": 3}, "this flow model has no step to choose; did you mean 'steps'"),
        ({"temperature": 0.5}, "no temperature to choose; known: guidance, guide, guided_from"),
    ],
)
def test_other_ways_to_solve_are_refused(flow: Path, changes: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        variegate.load(flow, sampler=changes)


def test_what_draws_in_one_pass_has_no_steps_to_choose(tmp_path: Path) -> None:
    gan = trained("basisgan", tmp_path / "gan", "--width", "4", "--blocks", "1", "--objective.layers", "1")
    with pytest.raises(ConfigError, match="this basisgan model has no guidance to choose; its way of drawing is fixed"):
        variegate.load(gan, sampler={"guidance": 2})


def test_the_density_comes_with_its_standard_error(flow: Path) -> None:
    model, held = variegate.load(flow), RunFolder(flow).pairs("test")
    condition, image = held.raw(0)
    found, error = model.log_density(image[None], condition, probes=4)
    assert found.shape == error.shape == (1,)
    assert bool(found.isfinite().all())
    assert bool((error > 0).all())


def test_a_student_takes_the_widths_of_its_teacher_and_starts_from_it(flow: Path, tmp_path: Path) -> None:
    given = ["--inner-steps", "1", "--inner-batch", "1", "--learning-rate.generator", "1e-9"]
    run = trained("flow-student", tmp_path / "student", "--teacher", str(flow), *given)
    student, teacher = variegate.load(run), variegate.load(flow)
    assert not (run / "previous").exists()
    weights = dict(teacher.generator.named_parameters())
    for name, weight in student.generator.named_parameters():
        assert np.allclose(weight.detach(), weights[name].detach(), atol=1e-6)
    assert len(student.generator.times()) == 1  # type: ignore[operator]
    codes = teacher.codes(3)
    assert student.sample(RunFolder(flow).pairs("test").raw(0)[0], codes=codes).images.shape == (3, 3, 16, 16)


def test_a_teacher_of_another_kind_size_or_data_is_refused(
    flow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(words: str, method: str, teacher: Path, *more: str) -> None:
        with pytest.raises(SystemExit):
            trained(method, tmp_path / "student", "--teacher", str(teacher), *more)
        assert words in capsys.readouterr().err

    refused("was trained at 16x16, but these images are 24x24", "flow-student", flow, "--size", "24")
    refused("was trained with different conditions", "flow-student", flow, "--condition", "edges")
    refused("pix2pix has none", "pix2pix", flow)
    gan = trained("basisgan", tmp_path / "gan", "--width", "4", "--blocks", "1", "--objective.layers", "1")
    refused("is a basisgan run; a teacher is a run of `variegate train flow`", "flow-student", gan)


@pytest.mark.parametrize("condition", ["inpaint", "superres:4"])
def test_an_older_run_keeps_its_network_whatever_suits_its_condition_now(
    condition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as before:
        before.setattr(FlowConfig, "for_condition", lambda self, _: self)
        trained("flow", tmp_path / "run", *NARROW, "--condition", condition)
    again = [*SMALL, *NARROW, "--condition", condition, "--out", str(tmp_path / "run"), "--resume"]
    main(["train", "flow", *again, "--steps", "3"])
    kept = RunFolder(tmp_path / "run").config.method
    assert kept.training.steps == 3
    assert isinstance(kept.generator, FlowConfig)
    assert not (kept.generator.shows_known)
    assert not (kept.generator.enlarges)
    with pytest.raises(SystemExit):
        main(["train", "flow", *again, "--generator.blocks", "2"])
    assert "different method.generator.blocks" in capsys.readouterr().err
    out = tmp_path / "student"
    trained("flow-student", out, "--condition", condition, "--teacher", str(tmp_path / "run"))
    student = RunFolder(out).config.method.generator
    assert isinstance(student, FlowConfig)
    assert (student.shows_known, student.enlarges) == (False, 0), "it draws as its teacher does"

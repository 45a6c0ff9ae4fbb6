"""Settings: what can be typed, what is refused and in which words, and YAML that reads back as itself."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from helpers.variants import ALL, preset
from variegate.core.config import Schedule, from_mapping, to_yaml
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.core.method import Method
from variegate.core.overrides import override
from variegate.methods import METHODS, method, method_from_mapping
from variegate.methods.cimle import cimle
from variegate.methods.pix2pix import pix2pix
from variegate.randomness.none import NoRandomnessConfig

pytestmark = pytest.mark.core


@pytest.mark.parametrize("name", [*METHODS, *ALL])
def test_every_preset_reads_back_from_its_yaml_as_itself(name: str) -> None:
    original = method(name) if name in METHODS else preset(name)
    text = to_yaml(original)
    assert method_from_mapping(yaml.safe_load(text), "config.yaml") == original
    assert to_yaml(method_from_mapping(yaml.safe_load(text), "config.yaml")) == text


def test_a_dotted_name_or_its_unique_ending_sets_one_field_and_nothing_else() -> None:
    for path in ("objective.reconstruction", "reconstruction"):
        changed = method("pix2pix", {path: "10"})
        assert changed.objective.reconstruction == 10
        assert override(changed, {"objective.reconstruction": 100}) == method("pix2pix")


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({"training.learning_rate.generator": 0.0001}, lambda m: m.training.learning_rate["generator"] == 1e-4),
        ({"training.clip-norm": "2"}, lambda m: m.training.clip_norm == 2),
        ({"training.clip_norm": None}, lambda m: m.training.clip_norm is None),
        ({"flip": False}, lambda m: m.training.flip is False),
        ({"training.betas": [0.9, 0.99]}, lambda m: m.training.betas == (0.9, 0.99)),
        ({"randomness.sites": ["up1", "up2"]}, lambda m: m.randomness.sites == ("up1", "up2")),
        ({"noise": "none"}, lambda m: m.randomness.kind == "none"),
        ({"backbone": "resnet"}, lambda m: m.generator.kind == "resnet"),
    ],
)
def test_values_are_read_as_they_are_typed_on_a_command_line(options, read) -> None:
    assert read(method("pix2pix", options))


def test_an_option_of_a_preset_sets_every_field_that_it_stands_for() -> None:
    made = method("pix2pix", {"width": 8})
    assert (made.generator.width, made.objective.width) == (8, 8)
    assert made == pix2pix(width=8)
    assert method("cimle", {"scale": 0.25}) == cimle(scale=0.25)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pixpix", {}, "no method 'pixpix'; did you mean 'pix2pix'"),
        ("pix2pix", {"generator.widht": 3}, "did you mean 'generator.width'"),
        ("pix2pix", {"noise": "inptu"}, "--noise must be one of dropout, input, none, got 'inptu'"),
        ("pix2pix", {"width": "wide"}, "--width must be of type int, got 'wide'"),
        ("pix2pix", {"norm": "none"}, "--norm could be generator.norm or objective.norm"),
        ("pix2pix", {"training.batch_size": 0}, r"training.batch_size: .*greater than or equal to 1.*got 0"),
        ("pix2pix", {"training.batch_size": "two"}, r"training.batch_size: .*got 'two'"),
        ("pix2pix", {"training.schedule.kind": "cosine"}, r"training.schedule.kind: .*'linear'.*got 'cosine'"),
        ("cimle", {"objective.perceptual": "vgg"}, r"perceptual: .*'vgg19'.*got 'vgg'"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name_and_what_would_be_right(name, options, words) -> None:
    with pytest.raises(ConfigError, match=words):
        method(name, options)


def test_an_unknown_key_of_a_saved_method_is_named_with_the_closest_one() -> None:
    values = {**pix2pix().model_dump(mode="json"), "sumary": "x"}
    with pytest.raises(ConfigError, match=r"run/config.yaml: there is no setting 'sumary'; did you mean 'summary'"):
        method_from_mapping(values, "run/config.yaml")


def test_an_unknown_part_of_a_saved_method_is_refused() -> None:
    values = pix2pix().model_dump(mode="json")
    values["generator"]["kind"] = "transformer"
    with pytest.raises(
        ConfigError, match=r"config.yaml: generator.kind: there is no generator 'transformer'; known: .* unet"
    ):
        method_from_mapping(values, "config.yaml")


def test_nearest_sample_matching_without_randomness_is_refused_with_the_reason() -> None:
    values = cimle().model_dump()
    values["randomness"] = NoRandomnessConfig().model_dump()
    with pytest.raises(ConfigError, match="all candidates are the same image"):
        from_mapping(Method, values, "options")


def test_a_player_without_a_learning_rate_is_refused_by_name() -> None:
    values = pix2pix().model_dump()
    values["training"]["learning_rate"] = {"generator": 1e-4}
    with pytest.raises(ConfigError, match="learning_rate has no entry for discriminator"):
        from_mapping(Method, values, "options")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pix2pix", {"neighbours.threshold": 300}, "its objective has one target per condition"),
        (
            "latent-dropout",
            {"neighbours.threshold": 300, "branches": 6},
            "most is 7, but each condition has only 6 outputs",
        ),
        ("dsgan", {"objective.seeking.features": True}, "compares what the discriminator sees in both"),
        ("pix2pix", {"objective.masked": True}, "objective.masked needs a generator that fills holes"),
    ],
)
def test_what_cannot_be_learned_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method(name, options)


def test_settings_cannot_be_changed_after_they_were_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        pix2pix().training.steps = -1


def test_any_backbone_takes_any_randomness_under_any_objective() -> None:
    made = method("cimle", {"widths": [4, 4], "perceptual": "laplacian"})
    mixed = Method(
        **{
            **made.model_dump(),
            "generator": pix2pix(width=4).generator,
            "randomness": {
                "kind": "noise_input",
                "sites": ["up2"],
                "channels": 2,
                "hidden": 4,
            },
        }
    )
    generator = mixed.build_generator(Shapes(3, 3, (16, 16)))
    assert generator.code_size == 2 * 16 * 16


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Schedule(), [1, 1, 1]),
        (Schedule(kind="linear", start=0.5), [1, 1, 0.5]),
        (Schedule(kind="linear", start=0.0), [1, 0.5, 0.25]),
        (Schedule(kind="poly", power=2), [1, 0.25, 0.0625]),
        (Schedule(kind="halve", every=0.25), [1, 0.25, 0.125]),
    ],
)
def test_schedules_follow_their_formula_over_progress(schedule: Schedule, factors: list[float]) -> None:
    assert [schedule.factor(t) for t in (0.0, 0.5, 0.75)] == pytest.approx(factors)
    assert schedule.factor(1.0) == {"constant": 1.0, "halve": 0.0625}.get(schedule.kind, 0.0)


def test_an_option_reaches_what_is_trained_first_where_both_have_it_with_the_same_default() -> None:
    fine = method("basisgan-hd", {"fine": True, "objective.perceptual": "squeeze", "learning_rate.generator": 1e-3})
    assert fine.previous is not None
    assert fine.previous.objective.perceptual == "squeeze"  # type: ignore[attr-defined]
    assert fine.previous.training.learning_rate["generator"] == 1e-3
    student = method("flow-student", {"widths": (8, 16), "generator.sampler.steps": 2, "batch_size": 16})
    teacher = student.previous
    assert teacher is not None
    assert teacher.generator.widths == (8, 16)  # type: ignore[attr-defined]
    assert teacher.generator.sampler.steps == 6, "a teacher is solved in more steps"  # type: ignore[attr-defined]
    assert teacher.training.batch_size == 8, "a student's batch is a pool"


def test_names_of_parts_stay_with_the_network_that_has_them() -> None:
    sites, factors = ["fine_block*.conv2"], {"stages.up*": 0.1}
    fine = method("basisgan-hd", {"fine": True, "randomness.sites": sites}).previous
    assert fine is not None
    assert fine.randomness.sites == ("block*.conv2",)  # type: ignore[attr-defined]
    predictor = method("mrgan", {"training.rate_factors": factors, "restart.modules": ["stages.up1"]}).previous
    assert predictor is not None
    assert not predictor.training.rate_factors
    assert not predictor.training.restart.modules


def test_what_is_trained_first_may_be_left_out() -> None:
    assert method("pix2pixhd", {"fine": True, "previous": None, "training.steps": 4}).previous is None
    with pytest.raises(ConfigError, match="training is 'x', which has no settings"):
        method("pix2pix", {"training": "x", "training.steps": 4})


def test_pools_of_runs_of_earlier_versions_are_one_step() -> None:
    saved = method("cimle", {"inner_steps": 300}).model_dump(mode="json")
    assert method_from_mapping(saved, "config.yaml").objective.steps_per_batch() == 3
    del saved["objective"]["updates_per_step"]
    assert method_from_mapping(saved, "config.yaml").objective.steps_per_batch() == 1


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, 20_000),
        ({"training.steps": 150}, 2_000),
        ({"training.steps": 1}, 13),
        ({"training.steps": 150, "previous.training.steps": 7}, 7),
        ({"previous.training.steps": 7, "training.steps": 150}, 7),
    ],
)
def test_the_steps_of_what_is_trained_first_change_by_the_same_factor(options: dict[str, Any], steps: int) -> None:
    teacher = method("flow-student", options).previous
    assert teacher is not None
    assert teacher.training.steps == steps

"""Claims are judged by what was measured; no training here."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from benchmarks import table
from benchmarks.claims import (
    CLAIMS,
    anchor,
    basisgan,
    basisgan_cost,
    basisgan_tasks,
    cimle,
    cimle_variants,
    latent_dropout,
    latent_dropout_rivals,
    mrgan,
    mrgan_tasks,
    runs,
)
from benchmarks.claims.__main__ import main
from benchmarks.claims.cost import cost
from benchmarks.claims.runs import BY_FACTOR, METRICS, Claim, Settings, Trial, every, prepare, words

from variegate.data import open_data
from variegate.evaluation.metrics.plugged import from_callable

KEYS = {"id", "paper", "claim", "data", "measured", "holds", "note", "part", "command", "versions", "machine"}


def measured(lpips: float) -> dict[str, float]:
    others = ("coverage", "rare_recall", "precision", "frechet_squeezenet", "parameters")
    closeness = {"rmse_best": 9.0, "rmse_bicubic": 11.0}
    return {"lpips": lpips, "code_sensitivity": 10 * lpips, **dict.fromkeys(others, 0.5)} | closeness


LPIPS = {"pix2pix": 0.001, "pix2pix + noise": 0.002, "basisgan": 0.05, "basisgan-dsgan": 0.09, "dsgan": 0.08}


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers in the place of trainings."""
    monkeypatch.setattr(Trial, "measure", lambda self, seed, _: measured(LPIPS.get(self.name, 0.04) + seed / 1000))
    monkeypatch.setattr(Trial, "run", lambda *_: Path("nowhere"))
    for module in (basisgan, basisgan_cost, basisgan_tasks, mrgan, mrgan_tasks):
        monkeypatch.setattr(module, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(basisgan, "shares_after", lambda *_: torch.full((3,), 1 / 3))
    monkeypatch.setattr(basisgan, "distances_to_input", lambda *_: (0.1, 0.01))
    for module in (basisgan, basisgan_cost):
        monkeypatch.setattr(module, "cost", lambda _: {"step_seconds": 0.5, "megabytes": 2.0})


def run(folder: Path, name: str = "basisgan") -> dict[str, dict]:
    assert main([name, "--cache", str(folder / "cache"), "--out", str(folder)]) == 0
    return {claim["id"]: claim for claim in json.loads((folder / f"{name}.json").read_text())}


def test_every_claim_says_what_was_measured_with_one_value_a_seed(invented: None, tmp_path: Path) -> None:
    found = run(tmp_path)
    for claim in found.values():
        assert set(claim) == KEYS
        assert claim["holds"] in (True, False, None)
        assert claim["measured"]
        seeds = 1 if claim["id"] in ("cost", "facades", "quality-cost") else 3
        assert all(len(values) == seeds for values in claim["measured"].values())
        assert claim["command"] == f"python -m benchmarks.claims basisgan --only {claim['part']}"


def test_a_part_keeps_the_results_of_the_others(
    invented: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def part(*ids: str):
        return lambda _: [Claim(id, "a claim", True, "new", {id: [1.0]}, data="", paper="") for id in ids]

    monkeypatch.setitem(CLAIMS, "cimle", {"first": part("a", "b"), "second": part("c")})
    before = [{"id": id, "note": "old", "part": part} for id, part in (("b", "first"), ("c", "second"), ("d", "first"))]
    (tmp_path / "cimle.json").write_text(json.dumps(before))
    assert main(["cimle", "--only", "first", "--out", str(tmp_path)]) == 0
    after = json.loads((tmp_path / "cimle.json").read_text())
    assert [(claim["id"], claim["note"]) for claim in after] == [("b", "new"), ("c", "old"), ("a", "new")]
    assert main(["cimle", "--out", str(tmp_path)]) == 0
    after = json.loads((tmp_path / "cimle.json").read_text())
    assert [(claim["id"], claim["note"]) for claim in after] == [("a", "new"), ("b", "new"), ("c", "new")]
    assert [claim["part"] for claim in after] == ["first", "first", "second"]
    with pytest.raises(SystemExit):
        main(["cimle", "--only", "third", "--out", str(tmp_path)])
    assert "--only third: the parts of cimle are first, second" in capsys.readouterr().err


def test_verdicts_follow_the_numbers(invented: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(tmp_path)
    expected = {"codes": True, "rank": True, "with-dsgan": True, "autoencoder": False, "table": None}
    assert {name: found[name]["holds"] for name in expected} == expected
    monkeypatch.setitem(LPIPS, "pix2pix + noise", 0.05)
    monkeypatch.setitem(LPIPS, "dsgan", 0.5)
    monkeypatch.setattr(basisgan, "shares_after", lambda *_: torch.full((50,), 1 / 50))
    distances = {"with": (0.1, 0.05), "without": (0.04, 0.0)}
    monkeypatch.setattr(Trial, "run", lambda self, *_: "without" if self.name.endswith("without codes") else "with")
    monkeypatch.setattr(basisgan, "distances_to_input", distances.get)
    found = run(tmp_path)
    assert [found[name]["holds"] for name in ("codes", "rank", "with-dsgan", "autoencoder")] == [
        False,
        False,
        False,
        True,
    ]


def test_verdicts_beside_dsgan_follow_the_numbers(
    invented: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for trial, lpips in zip((basisgan_tasks.BASISGAN_HD, basisgan_tasks.BASISGAN, basisgan_tasks.TOGETHER), (5, 6, 7)):
        monkeypatch.setitem(LPIPS, trial.name, float(lpips))
    distances = {
        basisgan_tasks.BASISGAN_HD.name: 0.4,
        basisgan_tasks.BASISGAN.name: 0.4,
        basisgan_tasks.TOGETHER.name: 0.3,
    }
    plain = Trial.measure
    monkeypatch.setattr(
        Trial,
        "measure",
        lambda self, *of: plain(self, *of) | {"frechet_squeezenet": distances.get(self.name, 0.5)},
    )
    monkeypatch.setattr(basisgan_tasks, "FACES", tmp_path)
    parts = (basisgan_tasks.high_definition, basisgan_tasks.inpainting)
    assert [part(Settings(tmp_path))[0].holds for part in parts] == [True, True]
    monkeypatch.setitem(distances, basisgan_tasks.BASISGAN.name, 0.6)
    monkeypatch.setitem(LPIPS, basisgan_tasks.DSGAN_HD.name, 6.0)
    assert [part(Settings(tmp_path))[0].holds for part in parts] == [False, False]
    monkeypatch.setattr(basisgan_tasks, "FACES", tmp_path / "absent")
    assert basisgan_tasks.inpainting(Settings(tmp_path)) == []


RATIOS = {
    mrgan.BASE.name: 0.01,
    "MR1 without GAN": 0.02,
    "proxy MR1 without GAN": 0.03,
    "proxy MR2 + L2 10": 0.5,
    "proxy MR2 + L2 100": 0.1,
    "MR2, 3 samples, weight 100": float("nan"),
    mrgan.PUBLISHED.name: 0.7,
}


@pytest.fixture
def moments(invented: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, int]:
    """Invented variances and modes; returns the modes, to be changed."""
    modes = {"GAN": 1, "GAN + L2": 2, "MR1, Gaussian": 8, "proxy MR2, Laplace": 8}
    found = {"variants": {name: {"modes": count} for name, count in modes.items()}}
    monkeypatch.setattr(mrgan, "ring_of", lambda *_: found)
    monkeypatch.setattr(mrgan, "ratio", lambda trial, *_: RATIOS.get(trial.name, 1.0))
    monkeypatch.setattr(mrgan, "optimal_ratio", lambda *_: 0.8)
    monkeypatch.setattr(mrgan, "lpips_of_real", lambda _: {"real": 0.1})
    monkeypatch.setattr(mrgan_tasks, "PHOTOS", str(tmp_path))
    monkeypatch.setattr(mrgan_tasks, "RunFolder", lambda _: SimpleNamespace(pairs=lambda _: None))
    monkeypatch.setattr(mrgan_tasks, "unrelated", lambda _: [])
    monkeypatch.setattr(mrgan_tasks, "lpips_of", lambda _: 0.3)
    return found["variants"]


def test_the_verdicts_of_mrgan_follow_the_numbers(
    moments: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LPIPS, "mrgan-superres", 0.5)
    monkeypatch.setitem(LPIPS, "mrgan-inpainting", 0.06)
    found = run(tmp_path, "mrgan")
    ids = ("ring", "variance", "without-gan", "reconstruction", "stable", "superres", "inpainting", "table")
    assert [found[name]["holds"] for name in ids] == [True, True, True, True, True, True, False, None]
    superres = found["superres"]["measured"]
    assert superres["bicubic: rmse_best"] == [11.0] * 3
    assert superres["srgan + noise: rmse_best"] == [9.0] * 3
    assert (superres["real: lpips"], superres["real: reduced_error"]) == ([0.3], [0.0])
    assert "bicubic 11 ± 0" in found["superres"]["note"]
    assert not any(name.startswith(("bicubic", "real")) for name in found["inpainting"]["measured"])
    assert found["unbiased"]["holds"]
    assert not found["diverse"]["holds"], "as diverse as BicycleGAN"
    assert found["stable"]["measured"]["MR2, 3 samples, weight 100"] == [None] * 3
    assert "3 of 3 diverged" in found["stable"]["note"]
    moments["GAN"]["modes"] = 3
    monkeypatch.setitem(RATIOS, "MR2 laplace", 0.4)
    monkeypatch.setitem(RATIOS, "proxy MR2 + L2 10", 0.05)
    monkeypatch.setitem(RATIOS, "proxy MR2, weight 1000", 2.0)
    monkeypatch.setitem(RATIOS, mrgan.UNBIASED.name, 1.3)
    for name in (mrgan.BASE.name, mrgan.BICYCLEGAN.name):
        monkeypatch.setitem(LPIPS, name, 0.01)
    found = run(tmp_path, "mrgan")
    assert found["diverse"]["holds"]
    assert not found["headline"]["holds"], "not nearer to training images"
    assert not found["unbiased"]["holds"]
    assert [found[name]["holds"] for name in ids[:5]] == [False, False, True, False, False]
    assert "Outside for some seed: MR2 laplace" in found["variance"]["note"]


def rows_of_cimle(**changed: float) -> dict[str, dict[str, list[float]]]:
    """Invented coverage, LPIPS and rare recall, all equal to one number a method."""
    level = {trial.name: 0.2 for trial in (*cimle.OURS, *cimle.OTHERS)}
    level |= {cimle.FULL.name: 0.9, cimle.UNBALANCED.name: 0.6, cimle.UNENCODED.name: 0.5} | changed
    return {name: {metric: [value] * 3 for metric in (*METRICS, "parameters")} for name, value in level.items()}


def test_the_verdicts_of_cimle_follow_the_numbers() -> None:
    assert cimle.coverage(rows_of_cimle()).holds
    assert not cimle.coverage(rows_of_cimle(crn=0.7)).holds
    assert not cimle.coverage(rows_of_cimle(**{cimle.UNENCODED.name: 0.95})).holds
    assert cimle.rare_modes(rows_of_cimle()).holds
    for balanced, _ in cimle.REBALANCED_OTHERS:
        assert not cimle.rare_modes(rows_of_cimle(**{balanced.name: 0.4})).holds
    assert not cimle.rare_modes(rows_of_cimle(**{cimle.UNBALANCED.name: 0.9})).holds


def test_precision_by_factor_is_added_to_runs_that_were_measured_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, settings = tmp_path / "measured.json", Settings(tmp_path, only=(0,))
    path.write_text(json.dumps({"precision": 0.25, "lpips": 0.1}))
    found = {name: SimpleNamespace(value=0.5) for name in (*BY_FACTOR, "precision")}
    monkeypatch.setattr(Trial, "run", lambda *_: tmp_path)
    monkeypatch.setattr(Trial, "measure", lambda *_: json.loads(path.read_text()))
    monkeypatch.setattr(cimle, "Model", SimpleNamespace(load=lambda _: SimpleNamespace(generator=None)))
    monkeypatch.setattr(cimle, "RunFolder", lambda _: SimpleNamespace(pairs=lambda _: None))
    monkeypatch.setattr(cimle, "mode_results", lambda *_: (found, {}))
    told = cimle.by_factor([cimle.FULL], settings).measured
    assert told == {f"cimle: {name}": [0.25 if name == "precision" else 0.5] for name in cimle.READABLE}
    assert json.loads(path.read_text()) == {"precision": 0.25, "lpips": 0.1, **dict.fromkeys(BY_FACTOR, 0.5)}
    monkeypatch.setattr(cimle, "mode_results", None)  # no second time
    assert cimle.by_factor([cimle.FULL], settings).measured == told


def test_diversity_of_skewed_streets_is_judged_by_means(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scores = {"cimle": 0.12, "cimle without rebalancing": 0.1, "crn": 0.09, "crn + noise": 0.0}
    monkeypatch.setattr(cimle_variants, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(cimle_variants, "lpips_of_real", lambda _: {"its own": 0.1})
    monkeypatch.setattr(cimle_variants, "perceived", lambda trial, seed, _: scores[trial.name] + seed / 1000)
    monkeypatch.setattr(cimle_variants, "by_use", lambda seed, _: 0.08)
    assert cimle_variants.perceived_diversity(Settings(tmp_path))[0].holds
    monkeypatch.setitem(scores, "crn", 0.11)
    assert not cimle_variants.perceived_diversity(Settings(tmp_path))[0].holds


def test_hours_are_smooth_and_never_go_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    moves = {"hours": [torch.full((8,), 0.1)], "plain": [torch.tensor([0.8, *([0.0] * 7)])]}
    monkeypatch.setattr(cimle_variants, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(Trial, "run", lambda self, *_: "hours" if "hours" in self.data else "plain")
    monkeypatch.setattr(cimle_variants, "moves", lambda folder, *_: moves[folder])
    monkeypatch.setattr(cimle_variants, "first_night", lambda *_: [])
    assert [claim.holds for claim in cimle_variants.through_the_hours(Settings(tmp_path))] == [True, True]
    moves["hours"] = [torch.tensor([0.5, 0.3, -0.02])]
    assert [claim.holds for claim in cimle_variants.through_the_hours(Settings(tmp_path))] == [False, False]


def test_agreement_counts_readable_pairs() -> None:
    values = torch.tensor([[0, 1, 2, -1], [0, 1, 1, 2], [0, 2, 2, 2]])  # 3 layouts, 4 codes
    assert cimle.agreement(values) == pytest.approx((3 + 1 + 1 + 1) / 10)


def test_steps_count_as_brighter_in_one_direction_and_as_darker_only_where_it_is_seen() -> None:
    moves = [torch.tensor([0.1, -0.05, 0.25]), torch.tensor([0.3, -0.009, 0.0])]
    largest = (0.25 / 0.3 + 0.3 / 0.291) / 2
    expected = (5 / 6, 3 / 6, (0.3 + 0.291) / 2, largest)
    assert cimle_variants.brightening(moves) == pytest.approx(expected, rel=1e-5)
    assert all(value != value for value in cimle_variants.brightening([]))


@pytest.mark.slow
def test_trainings_side_by_side_are_those_one_after_another(tmp_path: Path) -> None:
    options = {"width": 4, "objective.layers": 2, "batch_size": 2}
    trials = [Trial("a", "pix2pix", options, steps=2), Trial("b", "pix2pix", options, steps=2)]
    trials.append(Trial("c", "pix2pix", {**options, "noise": "input"}, steps=2))
    together, alone = Settings(tmp_path / "2", True, workers=2), Settings(tmp_path / "1", True, workers=1)
    prepare(trials, together)
    prepare(trials, alone)
    assert len(list((tmp_path / "2").iterdir())) == 2, "equal configurations are one run"
    for trial in trials:
        weights = [trial.folder(0, where) / "model" / "model.safetensors" for where in (together, alone)]
        assert weights[0].read_bytes() == weights[1].read_bytes()


def test_claims_become_tables_of_the_page(invented: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basisgan, "FACADES", tmp_path / "absent")
    monkeypatch.setattr(basisgan_tasks, "FACES", tmp_path / "absent")
    found = run(tmp_path)
    page, speed = tmp_path / "page.md", table.FOLDER
    assert table.main(["--results", str(speed), "--claims", str(tmp_path), "--page", str(page)]) == 0
    text = (tmp_path / "claims.md").read_text()
    assert all(claim["claim"] in text for name, claim in found.items() if name != "table")
    for trial in basisgan.FAMILY:
        assert f"| {trial.name} | 0.5 ± 0 |" in text
    judged = {name: claim["holds"] for name, claim in found.items() if claim["holds"] is not None}
    failed = ", ".join(name for name, holds in judged.items() if not holds)
    assert (
        f"| [basisgan](#basisgan) | {len(judged)} | {sum(judged.values())} | {failed} | facades, inpainting |" in text
    )
    assert "| | | | facades | not yet measured | |" in text


def test_a_run_is_known_by_its_configuration_and_seed_alone(tmp_path: Path) -> None:
    settings, one = Settings(tmp_path), Trial("a", "pix2pix", {"width": 4})
    assert one.folder(0, settings) != one.folder(1, settings)
    assert one.folder(0, settings) != one.folder(0, Settings(tmp_path, quick=True))
    assert one.folder(0, settings) != Trial("a", "pix2pix", {"width": 8}).folder(0, settings)
    assert Trial("b", "pix2pix", {"width": 4}).folder(0, settings) == one.folder(0, settings), "a name trains nothing"


def test_comparisons_hold_for_every_seed_or_not_at_all() -> None:
    assert every([3.0, 3.0], [1.0, 1.4], 2)
    assert not every([3.0, 3.0], [1.0, 1.6], 2)
    assert not every([float("nan"), 3.0], [1.0, 1.0])
    assert words([1.0, 2.0, 3.0]) == "2 ± 1"


def test_the_cost_of_a_step_is_that_of_its_networks() -> None:
    narrow, wide = (
        Trial("one", "basisgan", {"generator.width": w, "generator.blocks": 1, "objective.width": 4, "batch_size": 2})
        for w in (2, 16)
    )
    costs = [cost(trial) for trial in (narrow, wide)]
    assert all(one["step_seconds"] > 0 for one in costs)
    assert costs[1]["megabytes"] > 1.5 * costs[0]["megabytes"] > 0


def rows_of_latent(**changed: float) -> dict[str, dict[str, list[float]]]:
    """Invented numbers under which every claim of latent dropout codes holds; `changed` by metric, of shared 20."""
    rows: dict[str, dict[str, list[float]]] = {}
    for rank, name in enumerate(latent_dropout.NAMES):
        for n in latent_dropout.BRANCHES:
            rows[latent_dropout.TRIALS[name, n].name] = {"rmse_best": [40 - n + rank] * 3, "dead": [0.0] * 3}
        own = rows[latent_dropout.TRIALS[name, latent_dropout.MOST].name]
        own |= {score: [3.0 - rank] * 3 for score in latent_dropout.SCORES} | {
            "parameters": [[1.0, 9.0, 1.0][rank]] * 3
        }
        for trial, score, alike in ((latent_dropout.ALONE[name], 1.0, 0.5), (latent_dropout.BESIDE[name], 2.0, 0.48)):
            rows[trial.name] = {key: [score] * 3 for key in latent_dropout.SCORES} | {"ssim_best": [alike] * 3}
    rows[latent_dropout.ELEMENTS.name] = {score: [0.5] * 3 for score in latent_dropout.SCORES}
    whole = rows[latent_dropout.TRIALS["shared", latent_dropout.MOST].name]
    whole |= {"rmse_mean": [50.0] * 3, "rmse_mean_new": [50.5] * 3}
    whole |= {f"rmse_best_with_{k}": [20 - k / 100] * 3 for k in (20, 40, 80)}
    whole |= {metric: [value] * 3 for metric, value in changed.items()}
    return rows


def test_the_verdicts_of_latent_dropout_follow_the_numbers() -> None:
    judges = {
        latent_dropout.more_branches: {"rmse_best": 60.0},
        latent_dropout.architectures: {"parameters": 6.0},
        latent_dropout.early_split: {"centre_max": 0.1},
        latent_dropout.channels: {"diversity_score": 0.1},
    }
    for judge, spoiled in judges.items():
        assert judge(rows_of_latent()).holds, judge.__name__
        assert not judge(rows_of_latent(**spoiled)).holds, judge.__name__
    shared, most = latent_dropout.TRIALS["shared", latent_dropout.MOST], latent_dropout.MOST
    for holds, changed in ((True, {}), (False, {"dead": 1.0, "rmse_mean_new": 60.0})):
        rows = rows_of_latent(**changed)
        assert latent_dropout.alive(rows, [shared]).holds == holds
        assert latent_dropout.new_codes(rows[shared.name], most).holds == holds
    assert latent_dropout.neighbours(rows_of_latent()).holds
    rows = rows_of_latent()
    rows[latent_dropout.BESIDE["late"].name]["ssim_best"] = [0.4] * 3
    assert not latent_dropout.neighbours(rows).holds


def test_the_anchor_is_judged_by_the_means_of_seeds_and_truth_stands_beside() -> None:
    row = {"precision": [0.4, 0.6], "total_variation": [0.1, 0.12]}
    good = anchor.reaches("flow", "paper", row, {"precision": 0.5, "total_variation": 0.12})
    assert good.holds
    assert "of the truth, 100 samples: coverage 0.9" in good.note
    assert not anchor.reaches("flow", "paper", row, {"precision": 0.51}).holds
    assert not anchor.reaches("flow", "paper", row, {"precision": 0.5, "total_variation": 0.1}).holds


def test_the_ten_best_of_outputs_are_measured_also_where_they_were_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    truth, images = torch.zeros(2, 3, 16, 16), torch.arange(1, 21).view(1, 20, 1, 1, 1).expand(2, -1, 3, 16, 16) / 20
    found = latent_dropout.accuracy(images, truth, "")
    assert found["rmse_top10"] == pytest.approx(255 / 40 * sum(range(1, 11)) / 10, rel=1e-4)
    assert found["rmse_best"] < found["rmse_top10"] < found["rmse_mean"]
    assert found["ssim_mean"] < found["ssim_top10"] < found["ssim_best"]
    assert "rmse_top10" not in latent_dropout.accuracy(images[:, :10], truth, "")
    (tmp_path / "outputs.json").write_text(json.dumps({"rmse_best": 1.0, "rmse_mean": 2.0, "ssim_best": 0.5}))
    trial = SimpleNamespace(run=lambda *_: tmp_path)
    generator = SimpleNamespace(fixed_codes=None)
    model = SimpleNamespace(codes=lambda _: None, generator=generator, decode=lambda *_: images[0])
    pairs = [(None, torch.zeros(3, 16, 16, dtype=torch.uint8))] * 2
    held = Two(pairs)
    monkeypatch.setattr(latent_dropout_rivals, "RunFolder", lambda _: SimpleNamespace(pairs=lambda _: held))
    monkeypatch.setattr(latent_dropout_rivals, "Model", SimpleNamespace(load=lambda _: model))
    again = latent_dropout_rivals.of_outputs(trial, 0, Settings(tmp_path))  # type: ignore[arg-type]
    assert {*latent_dropout_rivals.SHOWN} <= {*again}
    assert json.loads((tmp_path / "outputs.json").read_text()) == again


def test_landmark_errors_are_added_to_faces_that_were_measured_before_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "latent.json"
    path.write_text(json.dumps({"rmse_best": 1.0}))
    raw = torch.zeros(2, 16, 16, dtype=torch.uint8)
    raw[0, 4, 4] = raw[1, 8, 8] = 1
    one = torch.tensor([[4.0, 4.0], [8.0, 8.0]])
    detector = from_callable(lambda images: one + 4 * torch.arange(len(images))[:, None, None] * torch.tensor([1.0, 0]))
    held = Two([(raw, None)] * 2)
    model = SimpleNamespace(fixed_codes=lambda: torch.zeros(2, 1), decode=lambda *_: torch.zeros(2, 3, 16, 16))
    monkeypatch.setattr(latent_dropout, "RunFolder", lambda _: SimpleNamespace(pairs=lambda _: held))
    monkeypatch.setattr(latent_dropout, "Model", SimpleNamespace(load=lambda _: model))
    monkeypatch.setattr(Trial, "run", lambda *_: tmp_path)
    face, settings = latent_dropout.ALONE["late"], Settings(tmp_path)
    monkeypatch.setattr(latent_dropout, "at_hand", lambda *_: None)
    assert latent_dropout.measured(face, 0, settings) == {"rmse_best": 1.0}
    monkeypatch.setattr(latent_dropout, "at_hand", lambda *_: detector)
    found = {"rmse_best": 1.0, "landmark_error_best": 0.0, "landmark_error_mean": 0.25}
    assert latent_dropout.measured(face, 0, settings) == found
    assert json.loads(path.read_text()) == found
    street = latent_dropout.TRIALS["late", 4]
    path.write_text(json.dumps({"rmse_best": 1.0}))
    assert latent_dropout.measured(street, 0, settings) == {"rmse_best": 1.0}, "streets have no landmarks"


class Two(list):
    """Enough of held-out pairs."""

    raw = list.__getitem__


@pytest.mark.parametrize(("condition", "old"), [("superres:4", True), ("inpaint:centre", True), ("edges", False)])
def test_only_small_images_and_holes_are_measured_anew(
    condition: str, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_data("streets:4", size=32, condition=condition).condition
    record = SimpleNamespace(condition=made.model_dump(mode="json"))
    monkeypatch.setattr(runs, "RunFolder", lambda _: SimpleNamespace(record=record))
    assert runs.is_old({"lpips": 0.1}, Path("run")) == old
    assert not runs.is_old({"lpips": 0.1, "rmse_best": 3.0}, Path("run"))

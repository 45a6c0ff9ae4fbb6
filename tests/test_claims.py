"""Claims are judged by what was measured; no training here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from benchmarks import table
from benchmarks.claims import basisgan
from benchmarks.claims.__main__ import main
from benchmarks.claims.cost import cost
from benchmarks.claims.runs import Settings, Trial, every, words

KEYS = {"id", "paper", "claim", "data", "measured", "holds", "note", "command", "versions", "machine"}


def measured(lpips: float) -> dict[str, float]:
    others = ("coverage", "rare_recall", "precision", "frechet_squeezenet", "parameters")
    return {"lpips": lpips, "code_sensitivity": 10 * lpips, **dict.fromkeys(others, 0.5)}


LPIPS = {"pix2pix": 0.001, "pix2pix + noise": 0.002, "basisgan": 0.05, "basisgan-dsgan": 0.09, "dsgan": 0.08}


@pytest.fixture
def invented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers in the place of trainings."""
    monkeypatch.setattr(Trial, "measure", lambda self, seed, _: measured(LPIPS.get(self.name, 0.04) + seed / 1000))
    monkeypatch.setattr(Trial, "run", lambda *_: Path("nowhere"))
    stream = torch.Generator().manual_seed(0)
    thin = torch.randn(500, 3, generator=stream).double() @ torch.randn(3, 99, generator=stream).double()
    monkeypatch.setattr(basisgan, "filters_of", lambda *_: thin)
    monkeypatch.setattr(basisgan, "distances_to_input", lambda *_: (0.1, 0.01))
    monkeypatch.setattr(basisgan, "cost", lambda _: {"step_seconds": 0.5, "megabytes": 2.0})


def run(folder: Path) -> dict[str, dict]:
    assert main(["basisgan", "--cache", str(folder / "cache"), "--out", str(folder)]) == 0
    return {claim["id"]: claim for claim in json.loads((folder / "basisgan.json").read_text())}


def test_every_claim_says_what_was_measured_with_one_value_a_seed(invented: None, tmp_path: Path) -> None:
    found = run(tmp_path)
    for claim in found.values():
        assert set(claim) == KEYS
        assert claim["holds"] in (True, False, None)
        assert claim["measured"]
        seeds = 1 if claim["id"] == "cost" else 3
        assert all(len(values) == seeds for values in claim["measured"].values())
        assert claim["command"] == "python -m benchmarks.claims basisgan"


def test_verdicts_follow_the_numbers(invented: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(tmp_path)
    expected = {"codes": True, "rank": True, "with-dsgan": True, "autoencoder": False, "table": None}
    assert {name: found[name]["holds"] for name in expected} == expected
    monkeypatch.setitem(LPIPS, "pix2pix + noise", 0.05)
    monkeypatch.setitem(LPIPS, "dsgan", 0.5)
    monkeypatch.setattr(basisgan, "distances_to_input", lambda *_: (0.1, 0.05))
    found = run(tmp_path)
    assert (found["codes"]["holds"], found["with-dsgan"]["holds"], found["autoencoder"]["holds"]) == (
        False,
        False,
        True,
    )


def test_claims_become_tables_of_the_page(invented: None, tmp_path: Path) -> None:
    found = run(tmp_path)
    page, speed = tmp_path / "page.md", table.FOLDER
    assert table.main(["--results", str(speed), "--claims", str(tmp_path), "--page", str(page)]) == 0
    text = page.read_text()
    assert all(claim["claim"] in text for name, claim in found.items() if name != "table")
    for trial in basisgan.FAMILY:
        assert f"| {trial.name} | 0.5 ± 0 |" in text


def test_the_effective_rank_of_equal_and_of_single_directions() -> None:
    rows = torch.cat([torch.eye(8), -torch.eye(8)]).double()
    assert basisgan.effective_rank(rows)[0] == pytest.approx(8)
    line = torch.linspace(-1, 1, 20).double()[:, None] * torch.ones(1, 8).double() + 5
    rank, shares = basisgan.effective_rank(line)
    assert rank == pytest.approx(1)
    assert shares[0] == pytest.approx(1)


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

"""What becomes of measured values: medians, ratios round by round, targets, tables."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.contenders import Who
from bench.figures import Spread, figures, p95, spread, targets
from bench.measure import Measured
from bench.plots import draw
from bench.report import Result, StageResult, between, markdown, print_result, write_json


def measured(times: float) -> Measured:
    """Two rounds, of which the second is twice as slow for everybody."""
    return Measured(
        alone_ms=[[10 * times, 11 * times, 30 * times], [20 * times, 22 * times, 60 * times]],
        crowd_ms=[[100 * times] * 3, [200 * times] * 3],
        per_second=[80 / times, 40 / times],
        cpu_ms=[{"worker": 6 * times, "client": 2 * times}] * 2,
        events=[9, 9, 11],
        history_bytes=[2048] * 3,
        actions={"start": 1.0, "update": 1.0},
    )


def result() -> Result:
    slower = {Who.NAIVE_AS_IT_COMES: 20, Who.ONLINE: 3, Who.ONLINE_HTTP: 3.3}
    all_of = {who: measured(slower.get(who, 2)) for who in Who} | {Who.FLOOR: measured(1)}
    stage = StageResult("SQLite", all_of, {"worker": 150.0, "client": 90.0})
    return Result({"cores": 2}, {"rounds": 2}, (stage,))


def test_a_spread_is_the_median_and_its_quartiles() -> None:
    assert spread([1, 2, 3, 4, 5]) == Spread(3, 2, 4)
    assert spread([7]) == Spread(7, 7, 7)


def test_p95_is_of_all_rounds_together() -> None:
    assert p95([list(range(50)), list(range(50, 101))]) == 95


def test_ratios_are_taken_round_by_round() -> None:
    ours = figures(result().stages[0].measured)[Who.OFFLINE]
    assert ours.p50_ms.median == 33
    assert ours.p50_ratio == Spread(2, 2, 2)
    assert ours.per_second_ratio == Spread(0.5, 0.5, 0.5)
    assert ours.cpu_ratio == Spread(2, 2, 2)
    assert (ours.events, ours.history_kib, ours.actions) == (9, 2, 2)


def test_a_target_is_met_at_its_limit() -> None:
    met = {target.what: target.met for target in targets(result().stages[0].measured)}
    assert met.pop("p50, naive tuned / ours") is False
    assert all(met.values())


def test_the_tables_say_what_is_met_and_what_missed() -> None:
    console = Console(record=True, width=220, file=io.StringIO())
    assert print_result(console, result()) is False
    text = console.export_text()
    assert Who.NAIVE_AS_IT_COMES in text
    assert "2.00 (2.00-2.00)" in text
    assert "met" in text
    assert "missed" in text


def test_markdown_tables_are_whole() -> None:
    tables = [line for line in markdown(result()).splitlines() if line.startswith("|")]
    assert "| p50, naive tuned / ours | >= 2x | 1, missed |" in tables
    assert all(line.endswith("|") for line in tables)


def test_json_has_measured_values_and_figures(tmp_path: Path) -> None:
    write_json(result(), tmp_path / "bench.json")
    stage = json.loads((tmp_path / "bench.json").read_text())["stages"][0]
    assert stage["measured"][Who.FLOOR]["alone_ms"][0] == [10, 11, 30]
    assert stage["figures"][Who.OFFLINE]["p50_ratio"]["median"] == 2
    assert {target["met"] for target in stage["targets"]} == {True, False}


def test_published_json_has_figures_alone(tmp_path: Path) -> None:
    write_json(result(), tmp_path / "all.json")
    write_json(result(), tmp_path / "figures.json", raw=False)
    whole, figures = (
        json.loads((tmp_path / f"{of}.json").read_text()) for of in ("all", "figures")
    )
    for stage in whole["stages"]:
        del stage["measured"]
    assert figures == whole


def test_pictures_are_drawn(tmp_path: Path) -> None:
    draw(result(), tmp_path)
    names = {file.name for file in tmp_path.iterdir() if file.read_bytes()[:4] == b"\x89PNG"}
    assert names == {f"performance-{of}.png" for of in ("latency", "throughput", "cpu")}


def test_text_between_markers_is_replaced() -> None:
    assert between("a <!--> old <--> b", "<!-->", "<-->", "new") == "a <!-->\n\nnew\n<--> b"
    with pytest.raises(ValueError, match="no <!-->"):
        between("a", "<!-->", "<-->", "new")

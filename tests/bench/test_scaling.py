"""Is the model of scaling right where theory, the closed form or a measurement can tell?"""

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench.compare import PUBLISHED
from bench.contenders import Who
from bench.plots_scaling import point
from bench.scaling import MANUAL, OURS, actions_dollars, needs, retained_dollars
from bench.scaling_inputs import (
    BENCH,
    LARGE,
    SMALL,
    costs_of,
    read_measured,
)
from bench.scaling_model import (
    CREATE_ORDER,
    CREATE_PAID,
    OFFLINE,
    ONLINE,
    WRITE,
    Costs,
    Deployment,
    Journey,
    Simulation,
    Step,
    ceilings,
)
from tests.store import test_statements

HISTORIES = Path(__file__).parents[1] / "replay" / "histories"
CORES, MEASURED = read_measured(PUBLISHED)

ORDERS = 8000
SEED = 7
MEAN_MS = 10.0

# One station: a single write of a single shard, and next to nothing of anything else.
STATION = Costs(server_ms=1e-6, worker_ms=1, caller_ms=0, database_ms=0, path=(WRITE, "answer"))
ONE_SHARD = Deployment(write_ms=MEAN_MS, record_ms=0)


def offline(**changed: float) -> Costs:
    return costs_of(Who.OFFLINE_HTTP, MEASURED[Who.OFFLINE_HTTP]).model_copy(update=changed)


# -- against theory -------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [0.3, 0.6])
def test_a_station_of_exponential_services_waits_as_theory_says(busy: float) -> None:
    played = Simulation(STATION, ONE_SHARD, ORDERS, SEED, cv=1).open(1000 * busy / MEAN_MS)
    median_ms = 0.6931 * MEAN_MS / (1 - busy)  # M/M/1: the time in it is exponential
    p95_ms = 2.9957 * MEAN_MS / (1 - busy)
    assert played.p50_ms == pytest.approx(median_ms, rel=0.1)
    assert played.p95_ms == pytest.approx(p95_ms, rel=0.15)


def test_fixed_services_wait_less_than_random_ones() -> None:
    busy = 0.7
    per_second = 1000 * busy / MEAN_MS
    fixed, spread = (
        Simulation(STATION, ONE_SHARD, ORDERS, SEED, cv=cv).open(per_second) for cv in (0, 1)
    )
    assert fixed.p50_ms >= MEAN_MS
    assert fixed.p95_ms < spread.p95_ms / 1.5  # M/D/1 waits half as long on average as M/M/1


def test_a_station_serves_one_at_a_time() -> None:
    played = Simulation(STATION, ONE_SHARD, 500, SEED, cv=0).closed(20)
    assert played.per_second == pytest.approx(1000 / MEAN_MS, rel=0.01)
    assert played.p50_ms == pytest.approx(20 * MEAN_MS, rel=0.01)


# -- against the closed form ----------------------------------------------------------------------

WIDE = LARGE.but(prefixes=256, hot_share=0, workers=16)


@pytest.mark.parametrize(
    ("at", "part"),
    [
        (WIDE.but(workers=2), "worker processes"),
        (WIDE.but(postgres_cores=2), "PostgreSQL's cores"),
        (WIDE.but(shards=2), "history shards"),
        (WIDE.but(server_cores=4), "Temporal server's cores"),
        (WIDE.but(temporal_cores=1), "cores of Temporal's database"),
        (WIDE.but(graphql=1), "GraphQL servers"),
        (WIDE.but(prefixes=1, workers=64), "order numbers of a prefix"),
        (WIDE.but(hot_share=1, workers=64), "stock row of the hot SKU"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_breaks_first_is_as_much_as_it_can_do(at: Deployment, part: str) -> None:
    costs = offline()
    first = ceilings(costs, at)[0]
    assert first.part == part
    callers = round(0.3 * first.per_second) + 20
    played = Simulation(costs, at, 500 + callers, SEED).closed(callers)
    assert played.per_second == pytest.approx(first.per_second, rel=0.12)


def test_nothing_does_more_than_its_ceiling() -> None:
    for at in (SMALL, SMALL.but(hot_share=1), SMALL.but(shards=1)):
        found = point(0, offline(), at, orders=300)
        assert found.most.per_second < 1.1 * found.first.per_second


def test_more_of_what_breaks_first_helps() -> None:
    first, second = ceilings(offline(), SMALL)[:2]
    more = SMALL.but(**{first.units: 64 * getattr(SMALL, first.units)})
    assert ceilings(offline(), more)[0].per_second >= second.per_second


# -- against what was measured and counted --------------------------------------------------------


@pytest.mark.parametrize("who", OURS)
def test_it_predicts_what_the_bench_measured(who: Who) -> None:
    measured = MEASURED[who]
    at = BENCH.but(machine_cores=CORES)
    played = Simulation(costs_of(who, measured), at, 400, SEED).closed(20)
    assert played.per_second == pytest.approx(measured.per_second, rel=0.3)
    assert played.p50_ms == pytest.approx(measured.p50_ms, rel=0.35)


def test_the_manual_has_the_costs_that_were_published_last() -> None:
    """Else ``python -m bench.scaling --documented --publish`` was forgotten."""
    assert needs(MEASURED).markdown() in MANUAL.read_text()


@pytest.mark.parametrize(("history", "journey"), [("place", OFFLINE), ("complete", ONLINE)])
def test_writes_are_those_of_a_recorded_history(history: str, journey: Journey) -> None:
    newest = max(HISTORIES.glob(f"*-{history}.json"), key=lambda file: int(file.name.split("-")[0]))
    kinds = Counter(event["eventType"] for event in json.loads(newest.read_text())["events"])
    ends = ("WORKFLOW_TASK_STARTED", "WORKFLOW_TASK_COMPLETED")
    ends += ("ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED")
    writes = 1 + sum(kinds[f"EVENT_TYPE_{end}"] for end in ends)  # 1: the start
    assert journey.count(WRITE) == writes


@pytest.mark.parametrize(
    ("journey", "counted"),
    [(OFFLINE, test_statements.OFFLINE), (ONLINE, test_statements.PAID)],
)
def test_statements_waits_and_commits_are_those_counted(
    journey: Journey, counted: dict[str, test_statements.Cost]
) -> None:
    for step in journey:
        if isinstance(step, Step):
            statements, waits = (
                sum(each) for each in zip(*(part[:2] for part in step.parts), strict=True)
            )
            assert (statements, waits, step.commits) == counted[step.name], step.name
    assert CREATE_ORDER.name == CREATE_PAID.name


def test_a_worker_s_cpu_is_spent_once() -> None:
    costs = offline()
    statements = sum(part.statements for step in costs.steps for part in step.parts)
    store_ms = costs.python_ms * statements
    assert store_ms == pytest.approx(5)  # of docs/performance.md
    assert costs.sdk_ms * len(costs.steps) + store_ms == pytest.approx(costs.worker_ms)
    assert costs.statement_ms * statements == pytest.approx(costs.database_ms)


def test_the_same_seed_plays_the_same() -> None:
    first, again, other = (
        Simulation(offline(), SMALL, 200, seed).open(30) for seed in (SEED, SEED, SEED + 1)
    )
    assert first == again != other


# -- the bill -------------------------------------------------------------------------------------


def test_actions_are_billed_by_tiers() -> None:
    assert actions_dollars(4) == 200
    assert actions_dollars(11.25) == 525  # the example of Temporal's price list
    assert actions_dollars(201) == 250 + 225 + 400 + 1050 + 1500 + 2500 + 25
    assert actions_dollars(4, flat=25) == 100
    with pytest.raises(ValueError, match="fewer than none"):
        actions_dollars(-1)


def test_what_is_kept_is_billed_by_the_hour() -> None:
    gigabyte_in_kib = 1e9 / 1024 / 1e6
    assert retained_dollars(1, gigabyte_in_kib, days=1) == pytest.approx(24 * 0.00105)


# -- wrong input ----------------------------------------------------------------------------------


def test_a_deployment_says_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match=r"max_connections: 1600 may be needed, and 97"):
        Deployment(workers=64, graphql=16)
    with pytest.raises(ValidationError, match=r"hot_share\n.*less than or equal to 1"):
        Deployment(hot_share=2)
    with pytest.raises(ValidationError, match=r"shards\n.*greater than 0"):
        SMALL.but(shards=0)


def bench_json(**changed: object) -> str:
    figures = {
        who: {
            "cpu_by_process_ms": dict(each.cpu_ms),
            "per_second": {"median": each.per_second},
            "crowd_p50_ms": {"median": each.p50_ms},
            "actions": each.actions,
            "history_kib": each.history_kib,
            "events": 10,
        }
        for who, each in MEASURED.items()
    }
    stage = {"database": "PostgreSQL", "figures": figures, "memory_mib": {}} | changed
    return json.dumps({"machine": {"cores": 2}, "plan": {}, "stages": [stage]})


def test_what_the_bench_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(bench_json())
    assert read_measured(file) == (2, MEASURED)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not of make bench: : Invalid JSON"),
        ("{}", "not of make bench: machine.cores: Field required"),
        (bench_json(database="SQLite"), "not every contender was measured on PostgreSQL"),
        (bench_json(figures={}), "not every contender was measured on PostgreSQL"),
        (bench_json(figures={"floor": {}}), "stages.0.figures.floor.cpu_by_process_ms"),
    ],
    ids=["no JSON", "another file", "no PostgreSQL", "no contender", "no figures"],
)
def test_another_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=why):
        read_measured(file)
    with pytest.raises(ValueError, match="No such file"):
        read_measured(tmp_path / "none.json")

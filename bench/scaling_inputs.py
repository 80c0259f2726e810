"""What the model of scaling is fed: the costs that were measured, and deployments."""

from pathlib import Path

from pydantic import AliasPath, BaseModel, Field, NonNegativeFloat, PositiveFloat, ValidationError

from bench import scaling_model as model
from bench.contenders import DATABASE, SERVER, WORKER, Who

GRAPHQL = "GraphQL server"


class Measured(BaseModel, frozen=True, populate_by_name=True):
    """A contender of ``make bench`` on PostgreSQL, with everything on one machine.

    Attributes:
        cpu_ms: An order, by process, 20 at a time.
        per_second: Orders answered, 20 at a time.
        p50_ms: The same callers' wait.
    """

    cpu_ms: dict[str, NonNegativeFloat] = Field(validation_alias="cpu_by_process_ms")
    per_second: PositiveFloat = Field(validation_alias=AliasPath("per_second", "median"))
    p50_ms: PositiveFloat = Field(validation_alias=AliasPath("crowd_p50_ms", "median"))
    actions: PositiveFloat
    history_kib: PositiveFloat

    def of(self, *processes: str) -> float:
        """CPU milliseconds of some processes."""
        return sum(self.cpu_ms.get(name, 0.0) for name in processes)


class _Stage(BaseModel):
    database: str
    figures: dict[Who, Measured]


class _Bench(BaseModel):
    cores: int = Field(gt=0, validation_alias=AliasPath("machine", "cores"))
    stages: list[_Stage]


PROCESSES = (SERVER, WORKER, "client", GRAPHQL, "sandbox gateway", DATABASE)
WANTED = (Who.OFFLINE, Who.OFFLINE_HTTP, Who.ONLINE, Who.ONLINE_HTTP, Who.NAIVE_TUNED)


def read_measured(file: Path) -> tuple[int, dict[Who, Measured]]:
    """The cores of the machine, and each contender, of a ``bench.json``.

    Raises:
        ValueError: It is not one, or has nothing measured on PostgreSQL.
    """
    try:
        bench = _Bench.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{file}: not of make bench: {where}: {first['msg']}") from None
    for stage in bench.stages:
        if stage.database == DATABASE and stage.figures.keys() >= set(WANTED):
            return bench.cores, {who: stage.figures[who] for who in WANTED}
    raise ValueError(f"{file}: not every contender was measured on {DATABASE}")


def costs_of(who: Who, measured: Measured) -> model.Costs:
    """Of a contender's orders; GraphQL's server calls Temporal for those over HTTP."""
    caller = GRAPHQL if who in (Who.OFFLINE_HTTP, Who.ONLINE_HTTP) else "client"
    return model.Costs(
        server_ms=measured.of(SERVER),
        worker_ms=measured.of(WORKER),
        caller_ms=measured.of(caller),
        database_ms=measured.of(DATABASE),
        others_ms=measured.of(*measured.cpu_ms.keys() - {SERVER, WORKER, caller, DATABASE}),
        path=model.ONLINE if who in (Who.ONLINE, Who.ONLINE_HTTP) else model.OFFLINE,
    )


# -- deployments, and what becomes of them ------------------------------------------------------

BENCH = model.Deployment(
    machine_cores=2, partitions=1, hot_share=1, write_ms=1, rtt_ms=0.2, fsync_ms=0.25
)
"""As ``make bench``: everything on one machine, and all carts with the same products."""

SMALL = model.Deployment().but(workers=4, graphql=2, server_cores=4, shards=4, postgres_cores=4)
LARGE = SMALL.but(workers=64, graphql=16, server_cores=64, shards=512, frontends=4).but(
    temporal_cores=32, postgres_cores=32
)
TURNS = {
    "workers": "`python worker.py` processes",
    "graphql": "`python -m api` processes",
    "server_cores": "cores for Temporal's services",
    "shards": "`numHistoryShards`, of a new cluster",
    "temporal_cores": "cores for Temporal's database",
    "postgres_cores": "cores for PostgreSQL",
    "prefixes": "`order_prefix`es of stores",
    "hot_rows": "SKUs for the hot product",
    "partitions": "`matching.numTaskqueue...Partitions`",
    "frontends": "frontends, or `frontend.namespaceRPS` of each",
    "machine_cores": "cores",
}

"""What is read off the processes and the Temporal server's counters."""

import os
import subprocess
import sys

from bench.probes import actions, cpu_seconds, memory_mib

METRICS = """\
# HELP action action counter
# TYPE action counter
action{action_type="command_StartTimer",namespace="default",service_name="history"} 3
action{action_type="command_StartTimer",namespace="default",service_name="frontend"} 2
action{action_type="signal",namespace="default"} 1e+01
action{action_type="signal",namespace="temporal-system"} 7
action_errors{action_type="signal",namespace="default"} 7
service_requests{namespace="default",operation="a \\"b\\", {c}"} 5
"""
BURN = "import sys\nfor n in range(3_000_000): pass\nprint('x', flush=True)\nsys.stdin.read()"


def test_actions_are_summed_by_kind_in_one_namespace() -> None:
    assert actions(METRICS) == {"command_StartTimer": 5, "signal": 10}
    assert actions(METRICS, "temporal-system") == {"signal": 7}


def test_cpu_has_children_that_run_and_children_that_ended() -> None:
    pids = {"us": os.getpid()}
    before = cpu_seconds(pids)["us"]
    command = [sys.executable, "-c", BURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.read(1) == b"x"
        own = cpu_seconds({"child": process.pid})["child"]
        assert own > 0
        assert cpu_seconds(pids)["us"] >= before + own
    assert cpu_seconds(pids)["us"] >= before + own


def test_memory_is_there() -> None:
    assert memory_mib({"us": os.getpid()})["us"] > 1

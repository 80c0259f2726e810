"""What is read while orders are placed: CPU and memory by process, and the server's counters."""

import contextlib
import re
from collections import Counter
from collections.abc import Generator, Mapping

import psutil

ACTIONS = "action"
ACTION_TYPE = "action_type"
_MIB = 1024 * 1024
_SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)\{(?P<labels>.*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system time by name, with all children: those that run and those that ended."""
    return {name: sum(_cpu_s(each) for each in _family(pid)) for name, pid in pids.items()}


def memory_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory by name, with children; pages that processes share are shared out."""
    return {
        name: sum(_resident(each) for each in _family(pid)) / _MIB for name, pid in pids.items()
    }


def actions(metrics: str, namespace: str = "default") -> Counter[str]:
    """The server's ``action`` counter, what Temporal Cloud bills, by kind of action.

    Args:
        metrics: What the server answers to Prometheus.
        namespace: Whose actions.
    """
    counted: Counter[str] = Counter()
    for line in metrics.splitlines():
        found = _SAMPLE.match(line)
        if found and found["name"] == ACTIONS:
            labels = dict(_LABEL.findall(found["labels"]))
            if labels.get("namespace") == namespace:
                counted[labels[ACTION_TYPE]] += int(float(found["value"]))
    return counted


def _family(pid: int) -> Generator[psutil.Process]:
    process = psutil.Process(pid)
    yield process
    yield from process.children(recursive=True)


def _cpu_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):  # its parent's by now
        times = process.cpu_times()
        return times.user + times.system + times.children_user + times.children_system
    return 0.0


def _resident(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        memory = process.memory_full_info()
        return getattr(memory, "pss", memory.rss)
    return 0.0

"""Children that replicas run in: asked again and again, and what is said when they die, raise, hang or are too few."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conformance.frameworks import child_processes as processes
from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.frameworks.child_processes import ReplicaLauncher, ReplicasFailed
from conformance.frameworks.procedure import ExecutionSetting
from conformance.numerics.definition import Quantity
from conformance.numerics.tasks import ReplicasTask

ONES = np.ones((2, 1), np.float32)
TASK = ReplicasTask(ONES, ONES, np.ones((1, 1), np.float32), (1, 1))
SETTING = ExecutionSetting("cpu", "eager", "float32")


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[ReplicaLauncher]:
    """Two children that answer their process id, unless the body of ``act`` in act.py does otherwise."""
    (tmp_path / "a_child.py").write_text(
        textwrap.dedent(
            """
            import os, sys
            import numpy as np
            from act import act
            from conformance.frameworks.child_processes import Replica, serve

            def run(task, variant):
                rank = int(sys.argv[1])
                act(rank)
                place = variant or f"process {os.getpid()}"
                return [Replica(rank, place, "eager", task.parameters, np.float32(os.getpid()))]

            serve(run)
            """
        )
    )
    here = Path(processes.__file__).resolve().parents[2]
    launch = ReplicaLauncher("a_child", lambda _: {"PYTHONPATH": f"{tmp_path}{os.pathsep}{here}"}, one_each=True)
    act(tmp_path, "pass")
    yield launch
    for crew in launch.crews.values():
        crew.end()


def act(folder: Path, body: str) -> None:
    """What each child does, told its rank, before it answers."""
    (folder / "act.py").write_text(f"import os, sys, time\n\ndef act(rank):\n    {body}\n")


def pids(launch: ReplicaLauncher) -> list[float]:
    """The process ids of the children, which is what they say that the loss is."""
    return sorted(float(x) for x in launch.perform("", TASK, SETTING).arrays[Quantity.LOSS].values())


def alive(pid: float) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{int(pid)}").exists()


def test_children_are_kept_and_answer_again(launch: ReplicaLauncher) -> None:
    first = pids(launch)
    assert len(set(first)) == 2
    assert pids(launch) == first


def test_children_end_when_nobody_can_ask_them_any_more(launch: ReplicaLauncher) -> None:
    pids(launch)
    children = launch.crews[2]._children
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    assert [child.wait(30) for child in children] == [0, 0]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("os._exit(3)", "a process of the replicas ended with exit status 3, without an answer"),
        ('raise ValueError("two\\nlines")', "a replica raised ValueError: two"),
        ("print('noise')\n    if rank: os._exit(4)\n    time.sleep(600)", "ended with exit status 4, without an answer"),
        ("os.close(0); os.write(1, b'not an answer')\n    os._exit(0)", "ended with exit status 0, without an answer"),
    ],
)
def test_what_goes_wrong_in_a_child_is_said_and_the_next_are_new_ones(
    launch: ReplicaLauncher, tmp_path: Path, body: str, sentence: str
) -> None:
    act(tmp_path, body)
    with pytest.raises(ReplicasFailed, match=r"^[^\n]*$") as failed:
        pids(launch)
    assert sentence in str(failed.value)
    assert not launch.crews
    act(tmp_path, "pass")
    assert len(set(pids(launch))) == 2


def test_what_a_child_says_is_not_offered_is_not(launch: ReplicaLauncher, tmp_path: Path) -> None:
    act(tmp_path, "from conformance.frameworks.base import Unsupported; raise Unsupported('no kernel of this dtype')")
    with pytest.raises(Unsupported, match=r"^no kernel of this dtype$"):
        pids(launch)
    assert not launch.crews


def test_children_that_hang_are_ended(launch: ReplicaLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pids(launch)
    monkeypatch.setattr(processes, "REPLY_TIMEOUT", 1)
    crew = launch.crews[2]
    stuck = tmp_path / "stuck.py"
    stuck.write_text("import time\ntime.sleep(600)\n")
    launch.crews.clear()
    slow = ReplicaLauncher("stuck", launch.environment, one_each=True)
    with pytest.raises(ReplicasFailed, match=r"the replicas hung: no answer in 1 s; their processes were ended"):
        pids(slow)
    assert not slow.crews
    crew.end()
    assert not any(map(alive, found))


def test_replicas_in_one_place_are_not_attested(launch: ReplicaLauncher) -> None:
    with pytest.raises(ExecutionMismatch, match="asked for 2 replicas apart from each other, they ran on one place and one place"):
        launch.perform("one place", TASK, SETTING)


def test_other_devices_are_not_offered(launch: ReplicaLauncher) -> None:
    with pytest.raises(Unsupported, match="logical devices of the CPU"):
        launch.perform("", TASK, ExecutionSetting("cuda:0", "eager", "float32"))

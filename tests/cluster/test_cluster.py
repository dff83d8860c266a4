"""A run in jobs: the same cells as a run without, on this machine or on a Ray cluster one of whose machines is lost in the middle."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import node
from conformance.cluster.backends import Done, LocalExecutor, RayExecutor
from conformance.cluster.distributed_run import DistributedRun
from conformance.cluster.job import Job, JobTarget
from conformance.cluster.package import dependencies, packed
from conformance.frameworks.registry import frameworks
from conformance.mistake import Mistake
from conformance.results.merging import merge
from conformance.results.reading import Results, read
from conformance.results.shards import combined
from conformance.run.engine import Run
from conformance.run.plan import Selection
from conformance.run.profiles import PROFILES
from conformance.specs.load import load
from conformance.specs.targets import read_targets
from conformance.workers import handover

SPECS = load()
SOME = Selection(operations=("mse/none",), dtypes=("float32", "float64"), checks=("*/case/*",))
NUMPY = [JobTarget(frameworks()["numpy"])]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The cells of the run without jobs."""
    run = Run(SPECS, PROFILES["quick"], SOME, tmp_path_factory.mktemp("plain"))
    return cells([read(path) for path in run.execute([frameworks()["numpy"]], 1)])


def cells(results: Sequence[Results]) -> list[str]:
    """Every cell, less its time."""
    return sorted(cell.model_copy(update={"seconds": 0.0}).model_dump_json() for part in results for cell in part.cells)


def together(paths: Sequence[Path]) -> list[Results]:
    return combined(merge(read(path) for path in paths))


def run_in_jobs(folder: Path, executor: Any, parts: int, *, resume: bool = False) -> DistributedRun:
    return DistributedRun(SPECS, PROFILES["quick"], SOME, folder, executor, parts, resume)


def test_jobs_of_this_machine_make_the_run_without_jobs(tmp_path: Path, plain: list[str]) -> None:
    told: list[tuple[int, int]] = []
    run = run_in_jobs(tmp_path, LocalExecutor(2), 3)
    (whole,) = together(run.execute(NUMPY, lambda done, of: told.append((done, of))))
    assert run.failed == []
    assert whole.complete
    assert not whole.lacking
    assert cells([whole]) == plain
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


class Counting:
    """An executor that only counts what it is asked for, and fails at all of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def capacity(self) -> Mapping[str, float]:
        """Four processors."""
        return {"CPU": 4.0}

    def run(self, jobs: Sequence[Job], suite: bytes, on_done: Callable[[Done], None]) -> None:  # noqa: ARG002 - the executors' interface
        """Fail."""
        self.asked = [job.stem for job in jobs]
        for job in jobs:
            on_done(Done(job, None, "no machine"))


def test_finished_jobs_are_not_worked_on_again(tmp_path: Path, plain: list[str]) -> None:
    paths = run_in_jobs(tmp_path, LocalExecutor(2), 2).execute(NUMPY)
    paths[1].unlink()
    paths[0].with_suffix(".part").write_bytes(b"what a write left that was cut off")
    counting = Counting()
    again = run_in_jobs(tmp_path, counting, 2, resume=True)
    assert again.execute(NUMPY) == [paths[0]]
    assert counting.asked == ["numpy-2-of-2"]
    assert [done.reason for done in again.failed] == ["no machine"]
    (partly,) = together([paths[0]])
    assert partly.lacking == (2,)
    assert again.complaints([partly]) == []  # what was not run is not held against a deviation
    whole = together(run_in_jobs(tmp_path, LocalExecutor(1), 2, resume=True).execute(NUMPY))
    assert cells(whole) == plain


def test_a_file_of_another_run_is_no_finished_job(tmp_path: Path) -> None:
    (path,) = run_in_jobs(tmp_path, LocalExecutor(1), 1).execute(NUMPY)
    other = DistributedRun(SPECS, PROFILES["full"], SOME, tmp_path, counting := Counting(), 1, resume=True)
    other.execute(NUMPY)
    assert counting.asked == ["numpy-1-of-1"]
    assert read(path).header.profile == "quick"


def test_as_many_jobs_as_keep_every_processor_busy(tmp_path: Path) -> None:
    run = DistributedRun(SPECS, PROFILES["quick"], Selection(), tmp_path, Counting())
    places = [JobTarget(info) for name, info in frameworks().items() if name in {"numpy", "torch", "tensorflow"}]
    jobs = run.jobs(places)
    assert [job.stem for job in jobs[:3]] == [f"{place.framework.name}-1-of-2" for place in places]
    assert len(jobs) == 6
    assert {job.spec.framework: job.accelerators for job in jobs} == {"numpy": (), "torch": ("GPU",), "tensorflow": ("GPU", "TPU")}


def test_the_same_suite_makes_the_same_bytes_and_unpacks_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    suite = packed(SPECS.root)
    assert suite == packed(SPECS.root)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    unpacked: list[Path] = []

    def unpack(data: bytes, folder: Path) -> None:
        assert data == suite
        unpacked.append(folder)
        folder.mkdir()

    monkeypatch.setattr(node, "_unpack", unpack)
    asking = [threading.Thread(target=lambda: node._once(node._home() / "suite", lambda f: node._unpack(suite, f))) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(unpacked) == 1


def test_a_folder_that_others_can_write_to_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    node._home().chmod(0o777)
    with pytest.raises(node.JobFailed, match="this user's alone"):
        node.run_job(b"", "{}")


def test_a_job_that_cannot_be_worked_on_says_why(tmp_path: Path) -> None:
    run = run_in_jobs(tmp_path, LocalExecutor(1), 1)
    (job,) = run.jobs(NUMPY)
    broken = job.spec.model_dump_json().replace("numpy", "no-such-framework")
    with pytest.raises(node.JobFailed, match="exit code 1; its last words: KeyError: 'no-such-framework'"):
        node.run_job(packed(SPECS.root), broken)


needs_uv = pytest.mark.skipif(find_spec("uv") is None and shutil.which("uv") is None, reason="uv is not installed: pip install uv")


@needs_uv
def test_requirements_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(node.JobFailed, match=r"environment of \./no-such-file\.whl could not be made"):
        node.environment(["./no-such-file.whl"])
    assert "pydantic" in " ".join(dependencies())


@needs_uv
def test_a_version_runs_in_an_environment_that_is_made_where_it_runs(tmp_path: Path) -> None:
    """Of an old NumPy: the package index is asked for it once, by whichever job comes first. The suite is in another environment."""
    environments = [each for each in read_targets(SPECS.root).environments() if each.name.startswith("numpy-v1.26")]
    run = run_in_jobs(tmp_path, LocalExecutor(2), 2)
    paths = run.execute([JobTarget(frameworks()[each.framework], each) for each in environments])
    assert [done.reason for done in run.failed] == []
    assert [path.name for path in paths] == [f"{environments[0].name}-{n}-of-2.jsonl" for n in (1, 2)]
    (whole,) = together(paths)
    assert whole.header.environment.version == environments[0].version
    assert whole.header.environment.flags[handover.INTERPRETER] == handover.ANOTHER
    assert whole.complete


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(Mistake, match=r"pip install 'mse-conformance\[ray\]'"):
        RayExecutor()


def test_a_machine_of_a_ray_cluster_is_lost_and_nothing_with_it(tmp_path: Path, plain: list[str]) -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'mse-conformance[ray]'")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        lost = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        executor = RayExecutor(cluster.address)
        assert executor.capacity()["CPU"] == 2
        run = run_in_jobs(tmp_path, executor, 6)
        removed: list[float] = []

        def remove() -> None:
            time.sleep(0.5)  # into its next job
            cluster.remove_node(lost, allow_graceful=False)
            removed.append(time.monotonic())

        thread = threading.Thread(target=remove)
        ended: list[float] = []

        def step(done: int, _: int) -> None:
            ended.append(time.monotonic())
            if done == 1:
                thread.start()

        (whole,) = together(run.execute(NUMPY, step))
        thread.join()
        assert run.failed == []
        assert removed[0] < ended[-1]  # there was work left
        deadline = time.monotonic() + 60  # the cluster hears of it by missing heartbeats
        while executor.capacity()["CPU"] > 1 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert executor.capacity()["CPU"] == 1
        assert cells([whole]) == plain
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]  # Ray does not say what it returns

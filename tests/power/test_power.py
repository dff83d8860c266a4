"""The power of the checks: every mutant fails at least one of them, every equivalent variant passes them all.

What ``conformance power`` decides in processes of their own is decided in this one, one variant at a time; a mutant may stop at the
first check that rejects it. ``pytest -rA`` and the property ``killed-by`` of a JUnit report name that check.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest
from one_target import SPECS, harness_of

from conformance.checks.context import ExpectationCache
from conformance.frameworks import registry
from conformance.frameworks.base import Device, Framework
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.mistake import Mistake
from conformance.power.power_run import PowerRun
from conformance.power.variants import CHEATS, EQUIVALENT, GROUPS, Variant, examine, group_of, own_files, own_folder
from conformance.power.verdicts import Verdict
from conformance.run.plan import CheckReply, PlannedCheck, Selection, plan
from conformance.run.profiles import PROFILES, Profile
from conformance.runner import session
from conformance.runner.packages import packages_of
from conformance.subject import DTYPES, Subject, load_subjects

IN_PROCESS = ("numpy", "torch")
"""The other frameworks' variants run in runners, as these two cannot be told to leave the process as they found it."""
HAS = {name: importlib.util.find_spec(name) is not None for name in ("torch", "jax", "tensorflow")}
_FULL = PROFILES["full"].with_long_cases()
PROFILE = replace(_FULL, budget=replace(_FULL.budget, growth_sizes=(1_000, 100_000)))
"""As much as subject files are put to. Growth to a million tells no variant apart that this does not; pinned cases of a million do."""
BRIEF = replace(PROFILE, rules=PROFILES["full"].rules, budget=replace(PROFILE.budget, examples=3, batch=2))
"""For equivalent variants, which run through everything: `conformance power` draws more of them, and with more seeds."""
MUTANT_SEEDS, EQUIVALENT_SEEDS = (0, 1), (0,)


@lru_cache
def variants(path: Path) -> list[Subject]:
    return load_subjects(path)


def framework_of(path: Path) -> str:
    """The framework that the last part of a file's name tells."""
    last = path.stem.rpartition("_")[2]
    return last if last in HAS else "numpy"


OWN = [path for path in own_files() if group_of(path) != CHEATS]
"""Those that may run in this process; the others would end it, and have tests of their own."""


def parameters(*, mutants: bool) -> list[object]:
    """One parameter for each variant, by operation and so by expectations; those of a framework that is not installed are skipped."""
    paths = [p for p in OWN if (group_of(p) != EQUIVALENT) is mutants and framework_of(p) in IN_PROCESS]
    here = [p for p in paths if HAS.get(framework_of(p), True)]
    found = sorted(((path, subject) for path in here for subject in variants(path)), key=lambda pair: pair[1].operation)
    made: list[object] = [pytest.param(path, subject, id=f"{path.stem}/{subject.name}") for path, subject in found]
    skip = pytest.mark.skip(reason="its framework is not installed")
    return made + [pytest.param(path, None, id=path.stem, marks=skip) for path in paths if path not in here]


@pytest.fixture(scope="module", autouse=True)
def _packages_are_looked_up_once() -> Iterator[None]:
    """And not for every variant again: that would take as long as most verdicts do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "packages_of", cache(packages_of))
        yield


@lru_cache
def framework_named(name: str) -> Framework:
    return registry.load(name)


@lru_cache
def expectations(operation: str, dtype: str, *, flushes: bool) -> ExpectationCache:
    return ExpectationCache()


def verdict_on(path: Path, subject: Subject, framework: Framework, seeds: Sequence[int], profile: Profile = PROFILE) -> Verdict:
    """The verdict, check after check, each on all dtypes: a mutant of one dtype only is found early too."""
    on = harness_of(framework, [subject.implementation()], replace(SPECS, policies=()))  # which are declared of frameworks, not of variants
    flushing = {dtype for device in framework.devices() for dtype in device.flushes_subnormals}
    order = {check: place for place, check in enumerate(on.checks)}

    def ask(item: PlannedCheck, seed: int) -> CheckReply:
        on.cache = expectations(item.check.operation, item.target.dtype, flushes=item.target.dtype in flushing)
        reply = on.answer(replace(item, budget=replace(item.budget, seed=seed)).request(profile.timeout))
        return CheckReply(reply.cells, reply.uses_random_inputs, reply.lost)

    planned = plan(on.description, on.checks, Selection(devices=("cpu",), subjects=(path,)), profile)
    planned.sort(key=lambda item: (order[item.check.id], item.target.dtype))
    group = group_of(path) if path.stem.startswith(("mutants", "variants")) else EQUIVALENT
    verdict = Verdict(Variant(subject.framework, subject.operation, subject.name, group, path.name), seeds[0])
    for seed in seeds:
        for item in planned:
            if verdict.needs(item, seed, stop_at_first_kill=True):
                verdict.note(item, seed, ask(item, seed))
    return verdict


def accusations(verdict: Verdict) -> list[str]:
    """Every cell that accuses, with its reason and its input."""
    assert verdict.passes
    return [f"{cell.id}: {cell.outcome}: {cell.reason} {cell.witness}" for _, cell in verdict.accusations]


@pytest.mark.parametrize(("path", "subject"), parameters(mutants=True))
def test_mutants_are_rejected(path: Path, subject: Subject, record_property: Callable[[str, object], None]) -> None:
    verdict = verdict_on(path, subject, framework_named(subject.framework), MUTANT_SEEDS)
    assert verdict.survived(MUTANT_SEEDS) == [], f"seeds with which no check rejects {subject.name}: {subject.call.__doc__}"
    killer = next(iter(verdict.kills.values()))
    record_property("killed-by", killer.id)
    print(f"{subject.name}: {killer.id}: {killer.reason}")  # noqa: T201 - what ``pytest -rA`` shows


@pytest.mark.parametrize(("path", "subject"), parameters(mutants=False))
def test_equivalent_variants_are_accepted(path: Path, subject: Subject) -> None:
    assert accusations(verdict_on(path, subject, framework_named(subject.framework), EQUIVALENT_SEEDS, BRIEF)) == []


@pytest.mark.parametrize("path", [p for p in OWN if framework_of(p) not in IN_PROCESS], ids=lambda path: path.stem)
def test_variants_of_other_frameworks_in_runners(path: Path) -> None:
    (file,) = examine([path], (), 1)
    if file.not_run:
        pytest.skip(file.not_run)
    verdicts = PowerRun(SPECS, PROFILE, (0,), [file], 1).execute()
    assert len(verdicts) >= 2
    assert {v.variant.name: v.how((0,)) for v in verdicts if v.how((0,)) in {"survived", "accused"}} == {}


# ---- declared flushing ----


class FlushingNumpy(NumpyFramework):
    """NumPy on a device that declares to flush."""

    def devices(self) -> Sequence[Device]:
        return (Device("cpu", "cpu", frozenset(DTYPES)),)


FLUSHING = own_folder("variants") / "flushing.py"


@pytest.mark.parametrize("subject", variants(FLUSHING), ids=lambda subject: subject.name)
def test_flushing_is_accepted_where_it_is_declared_and_only_there(subject: Subject) -> None:
    assert accusations(verdict_on(FLUSHING, subject, FlushingNumpy(), (0,))) == []
    assert verdict_on(FLUSHING, subject, framework_named("numpy"), (0,)).accusations != []


def test_keeping_subnormals_is_rejected_where_it_declares_to_flush_them() -> None:
    path = own_folder("variants") / "variants_value.py"
    keeping = next(subject for subject in variants(path) if subject.name == "computes-in-float64")
    flushing = replace(keeping, domain=replace(keeping.domain, flushes_subnormals=True))
    (_, killer), *_ = verdict_on(path, flushing, framework_named("numpy"), (0,)).accusations
    assert killer.check == "mse/mean/law/subnormals-as-declared"


# ---- the collection ----


def test_there_are_enough_of_them_and_each_says_what_it_is() -> None:
    paths = [path for path in OWN if HAS.get(framework_of(path), True) and framework_of(path) in IN_PROCESS]
    mutants = [subject for path in paths if group_of(path) != EQUIVALENT for subject in variants(path)]
    equivalent = [subject for path in paths if group_of(path) == EQUIVALENT for subject in variants(path)]
    everything = [*mutants, *equivalent, *variants(FLUSHING)]
    groups = Counter(group_of(path) for path in OWN)
    assert len(mutants) >= 300
    assert len(equivalent) >= 80
    assert groups.keys() | {CHEATS} >= {*GROUPS}
    assert len({subject.name for subject in everything}) == len(everything)
    assert [subject.name for subject in everything if not (subject.call.__doc__ or "").strip()] == []


def test_every_file_tells_its_group() -> None:
    assert {group_of(path) for path in OWN} <= {EQUIVALENT, *GROUPS}
    with pytest.raises(Mistake, match=r"mutants_taste\.py: found a name that does not say what the file holds"):
        group_of(Path("mutants_taste.py"))


# ---- the command ----

FILE = """\
import os, time
import numpy as np
import conformance

def mean(prediction, target):
    return np.mean(np.square(prediction - target))

@conformance.implementation("mse/none", framework="numpy", dtypes=("float64",), name="{name}")
def variant(prediction, target):
    "For a test of the command."
    {what}
"""


def power(folder: Path, *arguments: str, **files: str) -> tuple[int, dict[str, Any], str]:
    """Run the command over files of one variant each: file name = body of the function."""
    for stem, what in files.items():
        name = stem.replace("_", "-")
        (folder / f"{stem}.py").write_text(FILE.format(name=name, what=what), encoding="utf-8")
    command = [sys.executable, "-m", "conformance", "power", *(f"{stem}.py" for stem in files), "--format", "json", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


RIGHT_BODY = "return np.square(prediction - target)"


def test_the_command_succeeds_only_if_all_is_as_it_should_be(tmp_path: Path) -> None:
    code, found, _ = power(tmp_path, "--seeds", "2", mutants_value="return np.square(prediction - target) * 2", variants_plain=RIGHT_BODY)
    assert (code, found["proven"], found["seeds"]) == (0, True, [0, 1])
    assert found["groups"]["value"] == {"mutants": 1, "killed": 1, "survivors": []}
    (mutant,) = found["mutants"]
    assert mutant["first-killer"].startswith("mse/none/law/exact-arithmetic")
    assert mutant["with-every-seed-alike"]
    assert mutant["killers"]["case"] > 5


def test_survivors_and_false_alarms_are_named(tmp_path: Path) -> None:
    code, found, _ = power(tmp_path, mutants_value=RIGHT_BODY, variants_plain="return np.square(prediction - target) * 2")
    assert (code, found["proven"]) == (1, False)
    assert found["groups"]["value"] == {"mutants": 1, "killed": 0, "survivors": ["mutants-value"]}
    (equivalent,) = found["equivalent-variants"]
    assert equivalent["accusations"][0]["outcome"] == "fail"


def test_a_crash_kills_a_mutant_and_accuses_an_equivalent_variant(tmp_path: Path) -> None:
    crashes = "return os._exit(3) if prediction.shape == (3,) else np.square(prediction - target)"
    code, found, _ = power(tmp_path, mutants_state=crashes, variants_crashes=crashes, variants_plain=RIGHT_BODY)
    assert code == 1
    (mutant,) = found["mutants"]
    assert mutant["killed"]
    assert "the runner died with exit code 3" in mutant["reason"]
    accusations = {one["name"]: one["accusations"] for one in found["equivalent-variants"]}
    assert [bool(accusations[name]) for name in ("variants-crashes", "variants-plain")] == [True, False]


def test_a_file_that_holds_no_variants_is_one_sentence(tmp_path: Path) -> None:
    code, _, said = power(tmp_path, my_loss=RIGHT_BODY)
    assert code == 2
    assert "my_loss.py: found a name that does not say what the file holds" in said
    assert len(said.splitlines()) == 1

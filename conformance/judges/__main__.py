"""The judge's process: starts the runner of one framework, then answers requests with cells until its pipe closes."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.judges.harness import open_harness
from conformance.judges.own_entry_points import OwnEntryPoints
from conformance.judges.protocol import Description
from conformance.judges.turns import RunPipe, SharedRunner, Turns
from conformance.runner.frames import Pipe
from conformance.runner.pipe_and_limits import end_with_the_judge, private_pipe
from conformance.runner.sandbox import hide_memory
from conformance.specs.load import load
from conformance.workers.child import NO_START, ProcessLost
from conformance.workers.runner import Runner, RunnerOptions


def main() -> None:
    """Entry point: ``python -m conformance.judges FRAMEWORK``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("--specs", type=Path)
    parser.add_argument("--subject", type=Path, action="append", default=[])
    parser.add_argument("--memory", type=int)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--sandbox", action="store_true")
    options = parser.parse_args()
    end_with_the_judge()
    hide_memory()
    pipe = Pipe(*private_pipe())
    run = RunPipe(pipe)
    runner = SharedRunner(options.framework, RunnerOptions(options.subject, options.memory, options.python, options.sandbox), run)
    try:
        harness = open_harness(runner, load(options.specs))
    except ProcessLost as lost:
        reason = str(lost).removeprefix(f"{NO_START}: ")  # the run says so of the judge
        pipe.send(Description(framework=options.framework, failed=reason).model_dump(mode="json"))
        raise SystemExit(1) from None
    pipe.send(harness.description.model_dump(mode="json"))
    if options.subject:
        alone = RunnerOptions((), options.memory, options.python, options.sandbox)
        harness.own = OwnEntryPoints(lambda: Runner(options.framework, alone), harness.specs.deviations)
    Turns(harness, runner, run).serve()
    if harness.own is not None:
        harness.own.close()
    runner.shutdown()


if __name__ == "__main__":
    main()

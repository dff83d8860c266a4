"""The command ``doctor``: what is installed, its devices, the flags that change numerics, and why a target is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from conformance.cli.options import CONFORMS, FORMAT, FRAMEWORK, INCOMPLETE, chosen_frameworks

if TYPE_CHECKING:
    from conformance.frameworks.info import FrameworkInfo


@click.command("doctor")
@FRAMEWORK
@FORMAT
def command(frameworks: tuple[str, ...], as_format: str) -> None:
    """What is installed, its devices, the flags that change numerics, and why a target is missing."""
    reports = [_examine(info) for info in chosen_frameworks(frameworks)]
    if as_format == "json":
        click.echo(json.dumps(reports))
    else:
        _show(reports)
    sys.exit(CONFORMS if any(r["status"] == "ready" for r in reports) else INCOMPLETE)


def _examine(info: FrameworkInfo) -> dict[str, Any]:
    """Start the framework's judge and ask it; plain types."""
    from conformance.judges.process import running
    from conformance.workers.child import ProcessLost

    if reason := info.why_missing():
        return {"framework": info.name, "status": "missing", "reason": reason}
    try:
        with running(info.name) as (_, description):
            pass
    except ProcessLost as lost:
        return {"framework": info.name, "status": "broken", "reason": str(lost)}
    devices = [{"name": d.name, "kind": d.kind, "flushes subnormals": list(d.flushes_subnormals)} for d in description.devices]
    here = {d.kind for d in description.devices}
    return {
        "framework": info.name,
        "status": "ready",
        "version": description.version,
        "python": description.python,
        "devices": devices,
        "absent devices": [kind for kind in info.device_kinds if kind not in here],
        "implementations": len(description.implementations),
        "packages": description.packages,
        "flags": description.flags,
    }


def _show(reports: Sequence[dict[str, Any]]) -> None:
    """One block a framework."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for report in reports:
        console.print(f"[bold]{escape(report['framework'])}[/bold] {escape(report.get('version', ''))} — {report['status']}")
        if "reason" in report:
            console.print(f"  {escape(report['reason'])}", highlight=False)
            continue
        grid = Table.grid(padding=(0, 2))
        for device in report["devices"]:
            flushes = ", ".join(device["flushes subnormals"])
            grid.add_row("  device", escape(device["name"]) + (f" (declared to flush subnormals in {flushes})" if flushes else ""))
        if report["absent devices"]:
            grid.add_row("  not here", ", ".join(report["absent devices"]))
        grid.add_row("  under test", f"{report['implementations']} implementations")
        grid.add_row("  packages", escape(", ".join(f"{k} {v}" for k, v in report["packages"].items())))
        for flag, value in report["flags"].items():
            grid.add_row("  flag", escape(f"{flag} = {value}"))
        console.print(grid)

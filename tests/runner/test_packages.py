from __future__ import annotations

from importlib.metadata import version

from conformance.runner.packages import packages_of


def test_a_module_stands_on_its_distribution_and_on_what_that_requires() -> None:
    found = packages_of(["pytest"])
    assert found["pytest"] == version("pytest")
    assert {"pluggy", "packaging", "iniconfig"} <= found.keys()
    assert list(found) == sorted(found)


def test_names_are_canonical_and_requirements_of_extras_are_left_out() -> None:
    found = packages_of(["ml_dtypes"])
    assert found["ml-dtypes"] == version("ml_dtypes")
    assert "numpy" in found
    assert "absl-py" not in found  # which only the extra "dev" asks for


def test_a_module_of_no_distribution_stands_on_nothing() -> None:
    assert packages_of(["no_such_module"]) == {}

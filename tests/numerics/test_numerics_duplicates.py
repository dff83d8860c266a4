"""Which rows are the same, against a dictionary of them."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.numerics.exact.decode import distinct


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64, np.int64])
@pytest.mark.parametrize("kinds", [1, 2, 5, 1000])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_rows_are_told_apart_by_all_their_columns(dtype: type[np.integer], kinds: int, columns: int) -> None:
    rng = np.random.default_rng([kinds, columns])
    info = np.iinfo(dtype)
    for low, high in ((info.min, info.max), (0, min(kinds, info.max))):  # far apart, so that they are sorted, and close together
        drawn = [rng.choice(rng.integers(low, high, kinds, dtype=dtype, endpoint=True), 3000) for _ in range(columns)]
        first, kind = distinct(drawn)
        places: dict[tuple[int, ...], int] = {}
        for place, row in enumerate(zip(*(column.tolist() for column in drawn), strict=True)):
            assert first[kind[place]] == places.setdefault(row, place)
        assert len(first) == len(places)
        assert drawn[0].dtype == dtype


def test_one_row() -> None:
    first, kind = distinct([np.array([7], np.uint16), np.array([0], np.uint16)])
    assert (first.tolist(), kind.tolist()) == ([0], [0])

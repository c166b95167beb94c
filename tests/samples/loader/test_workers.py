"""How many threads read: a rule, never a timing."""

import pytest

from terrazzo.samples.loader import workers
from terrazzo.samples.loader.workers import workers_for


@pytest.mark.parametrize(("cores", "expected"), [(1, 2), (2, 2), (8, 8), (16, 16), (128, 16)])
def test_one_a_core_within_bounds(monkeypatch: pytest.MonkeyPatch, cores: int, expected: int) -> None:
    monkeypatch.setattr(workers, "cores", lambda: cores)
    assert workers_for(None) == expected
    assert workers_for(40) == 40

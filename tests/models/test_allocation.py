import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
import torch
from terrazzo.models.allocation import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for number in range(24):
    if number == 12:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""64 MiB, asked for, filled and freed again and again; a dozen rounds settle where they lie."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_memory_that_is_freed_is_used_again_without_asking_the_system() -> None:
    usual, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("usual", "keep")
    )
    assert kept < usual / 10

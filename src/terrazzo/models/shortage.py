"""Which errors say that memory is used up: torch, its libraries, numpy and OpenCV each have their own way."""

import re

import cv2
import torch

KINDS = (MemoryError, RuntimeError, cv2.error)
"""What such an error is; not all that are these are such errors."""
_WORDS = re.compile(r"out of memory|can't allocate memory|not enough memory|cannot allocate memory|_ALLOC_FAILED|bad_alloc", re.IGNORECASE)
"""In messages of errors that have no type of their own: the CPU's allocator, cuDNN, cuBLAS, MPS."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error means that an allocation failed, on the device or in the machine's memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, cv2.error):
        return error.code == cv2.Error.STS_NO_MEM
    return isinstance(error, RuntimeError) and _WORDS.search(str(error)) is not None

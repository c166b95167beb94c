"""Errors that say that memory is used up are told from others."""

import cv2
import numpy as np
import pytest
import torch

from terrazzo.models.shortage import KINDS, is_shortage

TOO_MANY = 2**55
"""Numbers; no machine has room for them."""


def error_of(failing: object) -> BaseException:
    try:
        failing()  # type: ignore[operator]
    except KINDS as error:
        return error
    pytest.fail("it found room")


@pytest.mark.parametrize(
    "failing",
    [
        lambda: torch.empty(TOO_MANY),
        lambda: np.empty(TOO_MANY),
        lambda: cv2.resize(np.zeros((9, 9)), (2**20, 2**28)),
        lambda: [0] * TOO_MANY,
    ],
    ids=["torch", "numpy", "opencv", "python"],
)
def test_real_shortages(failing: object) -> None:
    assert is_shortage(error_of(failing))


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "MPS backend out of memory (MPS allocated: 5 GB)",
        "CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "std::bad_alloc",
    ],
)
def test_shortages_by_their_words(message: str) -> None:
    assert is_shortage(RuntimeError(message))
    assert is_shortage(torch.OutOfMemoryError(message))


@pytest.mark.parametrize(
    "failing",
    [
        lambda: torch.ones(2) @ torch.ones(3),
        lambda: cv2.resize(np.zeros((9, 9)), (0, 0)),
        lambda: torch.ones(1, requires_grad=True).numpy(),
    ],
    ids=["shapes", "opencv", "gradient"],
)
def test_other_errors(failing: object) -> None:
    assert not is_shortage(error_of(failing))

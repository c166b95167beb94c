"""Ground with structure, and pictures of parts of it."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Ground = Callable[..., NDArray[np.uint8]]
SaveJpeg = Callable[..., Path]


@pytest.fixture
def ground() -> Ground:
    """Ground of fields, paths and roofs: noise of several scales, and rectangles; (height, width, 3) uint8."""

    def make(seed: int, side: int = 420) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        image = np.full((side, side), 110, np.float32)
        for grain, weight in ((60, 14), (14, 9), (4, 5), (1, 2)):
            image += weight * cv2.resize(rng.standard_normal((side // grain + 2, side // grain + 2)).astype(np.float32), (side, side))
        for _ in range(side * side // 4000):
            x, y, width, height = (*rng.integers(0, side, 2), *rng.integers(5, 30, 2))
            image[y : y + height, x : x + width] += rng.normal(0, 25)
        return np.clip(image[..., None] + rng.normal(0, 3, 3), 0, 255).astype(np.uint8)

    return make


@pytest.fixture
def save_jpeg(tmp_path: Path) -> SaveJpeg:
    def save(name: str, image: NDArray[np.uint8], quality: int = 85, gain: float = 1.0) -> Path:
        path = tmp_path / f"{name}.jpg"
        buffer = io.BytesIO()
        Image.fromarray(np.clip(image * gain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        path.write_bytes(buffer.getvalue())
        return path

    return save

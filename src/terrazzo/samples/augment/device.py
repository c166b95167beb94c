"""A whole batch moved, scaled and shaded on the device that learns, from chips as they are stored.

The same draws as on the CPU give the same chips: exactly where pixels only change places, else up to interpolation, which here does
not round to whole numbers; noise is as strong but drawn by another generator.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from terrazzo.labels.legend import IGNORE
from terrazzo.samples.augment.carry import LEAST_WEIGHT
from terrazzo.samples.augment.draw import Augmentation
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.augment.tone import Tone
from terrazzo.samples.scaling import Scaling

BLUR_REACH = 3.0
"""Standard deviations of a blur that its window reaches."""


@torch.no_grad()
def augment_batch(
    images: Tensor, labels: Tensor, holes: Tensor | None, augmentations: Sequence[Augmentation], scaling: Scaling
) -> tuple[Tensor, Tensor]:
    """Augment a batch where it lies; returns float32 images, scaled, and uint8 labels.

    images: (batch, bands, height, width) of any type, as stored. labels: (batch, height, width) uint8, 255 ignored.
    holes: as images, True where a value is missing; None: nowhere. augmentations: one a sample.
    """
    origins = torch.tensor([band.offset for band in scaling.bands], dtype=torch.float64, device=images.device).view(1, -1, 1, 1)
    # float32 where it holds the stored values
    wide = images.dtype in (torch.int32, torch.int64, torch.uint32, torch.uint64, torch.float64)
    values = (images.to(torch.float64) - origins).float() if wide else images.float() - origins.float()
    if holes is not None:
        values.masked_fill_(holes, 0.0)
    values, labels, holes = _move(values, labels, holes, augmentations)
    shadings = [augmentation.shading for augmentation in augmentations]
    values = _toned(values, shadings, scaling)
    for sample, shading in enumerate(shadings):
        _soften(values[sample], shading, scaling)
    if holes is not None:
        values = torch.where(holes, _by_band([band.fill for band in scaling.bands], values), values)
    return values, labels


def _move(
    values: Tensor, labels: Tensor, holes: Tensor | None, augmentations: Sequence[Augmentation]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Values (batch, bands, height, width), labels (batch, height, width) and holes, each sample by its placement."""
    moved = torch.empty_like(values), torch.empty_like(labels), torch.empty_like(holes) if holes is not None else None
    warped = [number for number, each in enumerate(augmentations) if not each.placement.exact]
    for number, each in enumerate(augmentations):
        if each.placement.exact:
            moved[0][number], moved[1][number] = (_rearranged(tensor[number], each.placement) for tensor in (values, labels))
            if holes is not None and moved[2] is not None:
                moved[2][number] = _rearranged(holes[number], each.placement)
    if warped:
        grid = _grid([augmentations[number].placement for number in warped], labels.shape[-2:], values.device)
        ignored = torch.tensor([augmentations[number].fill == "ignore" for number in warped], device=values.device)
        moved[1][warped] = _nearest(labels[warped], grid, ignored)
        if holes is None or moved[2] is None:
            moved[0][warped] = _linear(values[warped], grid)
        else:
            weights = _linear((~holes[warped]).float(), grid).clamp_min_(LEAST_WEIGHT)
            moved[0][warped] = _linear(values[warped], grid) / weights
            moved[2][warped] = functional.grid_sample(
                holes[warped].float(), grid, mode="nearest", padding_mode="reflection", align_corners=True
            ).bool()
    return moved


def _grid(placements: Sequence[Placement], shape: Sequence[int], device: torch.device) -> Tensor:
    """(batch, height, width, 2): where each pixel is taken from, -1 to 1 from the first to the last pixel's centre."""
    height, width = shape
    # pixels from the window's centre in units of half its size, on both sides of the map
    halves = np.maximum(np.array([width - 1, height - 1]) / 2, 0.5)
    centre = np.array([width - 1, height - 1]) / 2
    maps = []
    for placement in placements:
        matrix = placement.matrix(height, width)
        linear, moved = matrix[:2, :2], matrix[:2, :2] @ centre + matrix[:2, 2] - centre
        maps.append(np.column_stack([linear, moved]) / halves[:, np.newaxis])
    columns = torch.arange(width, dtype=torch.float32, device=device) - float(centre[0])
    rows = torch.arange(height, dtype=torch.float32, device=device) - float(centre[1])
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    at = torch.stack([x, y, torch.ones_like(x)], dim=-1)
    return (
        at.view(1, -1, 3)
        .matmul(torch.tensor(np.stack(maps), dtype=torch.float32, device=device).transpose(1, 2))
        .view(-1, height, width, 2)
    )


def _linear(values: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(values, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def _nearest(labels: Tensor, grid: Tensor, ignored: Tensor) -> Tensor:
    """ignored: for each sample whether what lies outside the window is 255 instead of mirrored."""
    moved = functional.grid_sample(labels.unsqueeze(1).float(), grid, mode="nearest", padding_mode="reflection", align_corners=True)
    size = torch.tensor([labels.shape[2], labels.shape[1]], device=labels.device, dtype=torch.float32)
    # half a pixel beyond the outer centres still belongs to the outer pixels
    outside = (grid.abs() > 1 + 1 / (size - 1).clamp_min(1)).any(dim=-1) & ignored.view(-1, 1, 1)
    return moved.squeeze(1).to(torch.uint8).masked_fill_(outside, IGNORE)


def _rearranged(tensor: Tensor, placement: Placement) -> Tensor:
    """Mirror, then turn by quarters; the last two dimensions are height and width."""
    sides = [-1] * placement.mirror_x + [-2] * placement.mirror_y
    mirrored = torch.flip(tensor, sides) if sides else tensor
    return torch.rot90(mirrored, placement.quarter_turns, dims=(-2, -1))


def _toned(values: Tensor, shadings: Sequence[Shading], scaling: Scaling) -> Tensor:
    """Scale and shade a batch from which the offsets are subtracted; as Tone does on the CPU."""
    tones = [Tone.of_bands(scaling, shading) for shading in shadings]
    gammas = torch.tensor([shading.gamma for shading in shadings], dtype=torch.float32, device=values.device).view(-1, 1, 1, 1)
    if any(shading.gamma != 1 for shading in shadings):
        statistics = [band.statistics for band in scaling.bands]
        low = _by_band([each.low - band.offset for each, band in zip(statistics, scaling.bands, strict=True)], values)
        span = _by_band([each.high - each.low for each in statistics], values)
        share = (values - low) / span
        # a band without a span has no share above 0 that is a number
        values = torch.where((share > 0) & share.isfinite(), low + span * share.clamp_min(0) ** gammas, values)
    values = values * _by_band([band.factor for band in scaling.bands], values)
    for number, band in enumerate(scaling.bands):
        if band.method == "asinh":
            values[:, number].asinh_()
    gains, added = (
        torch.tensor(rows, dtype=torch.float32, device=values.device).unsqueeze(-1).unsqueeze(-1)
        for rows in ([[tone.gain for tone in row] for row in tones], [[tone.added for tone in row] for row in tones])
    )
    return values * gains + added


def _by_band(figures: Sequence[float], values: Tensor) -> Tensor:
    return torch.tensor(figures, dtype=torch.float32, device=values.device).view(1, -1, 1, 1)


def _soften(values: Tensor, shading: Shading, scaling: Scaling) -> None:
    """Blur and noise of one sample (bands, height, width), in place."""
    if shading.blur_px:
        values.copy_(_blurred(values, shading.blur_px))
    if shading.noise:
        generator = torch.Generator(device=values.device).manual_seed(shading.noise_seed)
        noise = torch.randn(values.shape, generator=generator, device=values.device)
        values.add_(noise * _by_band([band.unit for band in scaling.bands], values)[0], alpha=shading.noise)


def _blurred(values: Tensor, sigma_px: float) -> Tensor:
    """A Gaussian, along rows and then columns, mirrored at the edges."""
    height, width = values.shape[-2:]
    for length, shape, pad in ((width, (1, 1, 1, -1), (1, 0)), (height, (1, 1, -1, 1), (0, 1))):
        reach = min(max(1, round(BLUR_REACH * sigma_px)), length - 1)
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32, device=values.device)
        kernel = torch.softmax(-0.5 * (steps / sigma_px) ** 2, dim=0).view(shape)
        padded = functional.pad(values.unsqueeze(1), (pad[0] * reach, pad[0] * reach, pad[1] * reach, pad[1] * reach), mode="reflect")
        values = functional.conv2d(padded, kernel).squeeze(1)
    return values

"""Brightness, contrast and the like of one augmented sample, in units that mean the same for any band, type and scaling."""

from dataclasses import dataclass

import numpy as np

from terrazzo.samples.options import AugmentOptions


@dataclass(frozen=True, kw_only=True)
class Shading:
    """One draw of what changes values and not places. Standard deviations are those of each band over the training part."""

    brightness: float = 0.0
    """Added to all bands, in standard deviations."""
    contrast: float = 1.0
    """Factor of the distance from the band's mean."""
    gamma: float = 1.0
    """Exponent of values between the band's 1 % and 99 % percentiles, which stay."""
    band_shift: tuple[float, ...] = ()
    """Added to each band on its own, in standard deviations; none: nothing."""
    dropped: int | None = None
    """The band, from 0, that is all mean."""
    blur_px: float = 0.0
    """Standard deviation of the Gaussian that blurs, in pixels."""
    noise: float = 0.0
    """Standard deviation of the noise, in standard deviations of the band."""
    noise_seed: int = 0

    def added(self, band: int) -> float:
        """What is added to a band, in standard deviations."""
        return self.brightness + (self.band_shift[band] if self.band_shift else 0.0)


PLAIN = Shading()


def draw_shading(options: AugmentOptions, rng: np.random.Generator, bands: int) -> Shading:
    """Draw a shading; the same number of draws whatever the options."""
    brightness, contrast, gamma = rng.uniform(-1, 1, 3).tolist()
    noise, blur, drop = rng.random(3).tolist()
    noise_seed, dropped = int(rng.integers(2**31)), int(rng.integers(bands))
    shifts = rng.uniform(-options.band_shift, options.band_shift, bands).tolist()
    return Shading(
        brightness=options.brightness * brightness,
        contrast=(1 + options.contrast) ** contrast,
        gamma=(1 + options.gamma) ** gamma,
        band_shift=tuple(shifts) if options.band_shift else (),
        dropped=dropped if drop < options.band_drop and bands > 1 else None,
        blur_px=options.blur_px * blur,
        noise=options.noise * noise,
        noise_seed=noise_seed,
    )

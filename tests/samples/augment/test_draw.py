"""Draws depend on the generator alone, stay in their bounds and use them; one option does not reshuffle another."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from terrazzo.samples.augment.draw import AS_IS, Augmentation, draw_augmentation
from terrazzo.samples.options import AugmentOptions

SQUARE = (16, 16)
EVERYTHING = AugmentOptions(
    probability=1,
    rotate_deg=30,
    zoom=0.5,
    shift=0.1,
    shear_deg=8,
    crop_pad=0.2,
    brightness=0.5,
    band_shift=0.3,
    contrast=0.4,
    gamma=0.3,
    noise=0.2,
    blur_px=2,
)


def drawn(options: AugmentOptions, count: int = 400, bands: int = 3) -> list[Augmentation]:
    rng = np.random.default_rng(0)
    return [draw_augmentation(options, rng, SQUARE, bands) for _ in range(count)]


def test_the_same_generator_draws_the_same() -> None:
    first, again, other = (draw_augmentation(EVERYTHING, np.random.default_rng((seed, 4, 9)), SQUARE, 3) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_one_option_does_not_reshuffle_another() -> None:
    plain, everything = (
        draw_augmentation(options, np.random.default_rng(3), SQUARE, 3) for options in (AugmentOptions(probability=1), EVERYTHING)
    )
    moves = [(one.placement.mirror_x, one.placement.mirror_y, one.placement.quarter_turns) for one in (plain, everything)]
    assert moves[0] == moves[1]
    brighter = draw_augmentation(AugmentOptions(probability=1, brightness=0.5), np.random.default_rng(3), SQUARE, 3)
    assert brighter.shading.brightness == everything.shading.brightness != 0
    assert brighter.shading.noise_seed == everything.shading.noise_seed


def test_draws_stay_in_their_bounds_and_use_them() -> None:
    found = drawn(EVERYTHING)
    assert {one.placement.quarter_turns for one in found} == {0, 1, 2, 3}
    assert 150 < sum(one.placement.mirror_x for one in found) < 250
    for values, low, high in (
        ([one.placement.angle_deg for one in found], -30, 30),
        ([one.placement.zoom for one in found], 1 / 1.5, 1.5),
        ([one.placement.shift[0] for one in found], -0.1, 0.1),
        ([one.placement.shear_deg for one in found], -8, 8),
        ([one.placement.crop[3] for one in found], -0.2, 0.2),
        ([one.shading.brightness for one in found], -0.5, 0.5),
        ([one.shading.band_shift[2] for one in found], -0.3, 0.3),
        ([one.shading.contrast for one in found], 1 / 1.4, 1.4),
        ([one.shading.gamma for one in found], 1 / 1.3, 1.3),
        ([one.shading.noise for one in found], 0, 0.2),
        ([one.shading.blur_px for one in found], 0, 2),
    ):
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high


def test_oblong_windows_are_never_turned_by_quarters() -> None:
    rng = np.random.default_rng(0)
    assert {draw_augmentation(AugmentOptions(probability=1), rng, (416, 608), 3).placement.quarter_turns for _ in range(50)} == {0}


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_share_of_the_samples_is_augmented(probability: float) -> None:
    options = EVERYTHING.model_copy(update={"probability": probability})
    assert sum(one != AS_IS for one in drawn(options)) / 400 == pytest.approx(probability, abs=0.08)


def test_a_band_is_dropped_in_a_share_of_the_samples_but_never_the_only_one() -> None:
    options = AugmentOptions(probability=1, band_drop=0.4)
    dropped = [one.shading.dropped for one in drawn(options)]
    assert sum(band is not None for band in dropped) / 400 == pytest.approx(0.4, abs=0.08)
    assert set(dropped) == {None, 0, 1, 2}
    assert {one.shading.dropped for one in drawn(options, bands=1)} == {None}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (
            "# rotation 180 degrees",
            {"probability": 1, "rotate_deg": 180, "shift": 0.1, "zoom": 0.2, "fill": "reflect", "hflip": True, "vflip": True},
        ),
        ("# flips, crop and pad", {"crop_pad": 0.1, "zoom": 0.1, "shift": 0.1, "rotate_deg": 30, "probability": 0.5}),
    ],
)
def test_the_usual_sets_of_other_programs_are_options(title: str, expected: dict[str, object]) -> None:
    """As the guide writes them."""
    text = (Path(__file__).parents[3] / "docs" / "samples.md").read_text(encoding="utf-8")
    lines = text[text.index(title) :].split("\n\n", maxsplit=1)[0].splitlines()
    table = tomllib.loads("\n".join(line.strip() for line in lines))["augment"]
    assert AugmentOptions.model_validate(table).model_dump(exclude_unset=True) == expected

"""What is in a frame of a CCD, and how much of it: the presets."""

from dataclasses import dataclass, field

from terrazzo.simulation.tracks import TrackModel


@dataclass(frozen=True, kw_only=True)
class FrameModel:
    """What is in a frame; every range is (smallest, largest). Shares are of the sensor's pixels."""

    glow_share: tuple[float, float] = (0.03, 0.07)
    """Columns that glow: one band of neighbours."""
    glow_near_e: tuple[float, float] = (250.0, 1500.0)
    """Mean charge at the end of the columns where the amplifier is."""
    glow_far_e: tuple[float, float] = (70.0, 200.0)
    """Mean charge at their other end; in between it falls exponentially."""
    glow_slope: float = 0.4
    """The band's dimmest column has this share less than its brightest."""
    hot_share: tuple[float, float] = (0.005, 0.01)
    hot_length_px: tuple[float, float] = (12.0, 110.0)
    hot_charge_e: tuple[float, float] = (90.0, 3000.0)
    """Charge of all pixels of a run, drawn evenly in its logarithm; about it they have Poisson noise only."""
    cluster_share: tuple[float, float] = (0.01, 0.02)
    tracks: TrackModel = field(default_factory=TrackModel)


NORMAL = FrameModel()
EASY = FrameModel(
    glow_near_e=(600.0, 1500.0),
    glow_far_e=(200.0, 500.0),
    hot_length_px=(30.0, 110.0),
    hot_charge_e=(300.0, 3000.0),
    tracks=TrackModel(muon_charge_e=(600.0, 2000.0), electron_charge_e=(600.0, 2000.0), alpha_charge_e=(600.0, 3000.0)),
)
"""All is bright and long."""
HARD = FrameModel(
    glow_near_e=(120.0, 1500.0),
    glow_far_e=(50.0, 120.0),
    hot_share=(0.008, 0.016),
    hot_length_px=(6.0, 60.0),
    hot_charge_e=(70.0, 3000.0),
    cluster_share=(0.006, 0.012),
    tracks=TrackModel(
        muon_length_px=(8.0, 60.0),
        muon_oblique_rad=0.08,
        muon_charge_e=(120.0, 2000.0),
        electron_length_px=(6.0, 40.0),
        electron_charge_e=(120.0, 2000.0),
        alpha_radius_px=(1.5, 4.5),
        alpha_charge_e=(120.0, 3000.0),
    ),
)
"""Much is faint and short, and muons may run nearly along rows and columns, as hot pixels do."""
PRESETS: dict[str, FrameModel] = {"easy": EASY, "normal": NORMAL, "hard": HARD, "default": NORMAL}

"""The model folder: model.safetensors (weights, nothing else) and model.json (all that prediction obeys). Never pickle."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from terrazzo.errors import ModelError, RecipeError
from terrazzo.evaluation.thresholds import BestThresholds
from terrazzo.labels.legend import Legend
from terrazzo.models.blocks import widths
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.models.tensors import write_tensors
from terrazzo.options import Options
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import BAND_LIMIT
from terrazzo.rasters.write import write_text
from terrazzo.samples.scaling import Scaling

FORMAT: Literal["terrazzo-model"] = "terrazzo-model"
VERSION: Literal[1] = 1
WEIGHTS, CARD = "model.safetensors", "model.json"


_OF_THE_SET = ("root", "images", "labels", "pair_suffix", "pair_prefix", "pair_table")
"""Options of [data] that say where the training set was."""
_OF_ITS_GRID = ("crs", "cell_size")
"""Options of [data] that brought the training set to one grid; a map is made on its image's own."""

Side = Annotated[int, Field(ge=1, le=8192)]


class ModelCard(Options):
    """Everything but the weights. What training measured is the only thing prediction obeys."""

    format: Literal["terrazzo-model"] = FORMAT
    version: Literal[1] = VERSION
    network: ModelOptions
    bands: int = Field(ge=1, le=BAND_LIMIT)
    """Bands that the network sees."""
    window: tuple[Side, Side]
    """(height, width) of the training windows in pixels."""
    cell_size: tuple[float, float] | None
    """(x, y) ground size of a training pixel in units of `crs`; None without georeference."""
    crs: str | None
    reading: DataOptions
    """How pixels were read: bands, those that join from beside each image, nodata, HDU, axes; without paths and target grid."""
    legend: dict[str, Any]
    scaling: dict[str, Any]
    thresholds: dict[str, BestThresholds] = Field(default_factory=dict)
    """Of each class, by its name, that the validation part held: from which probability on it is best taken."""
    int8_ranges: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    """Between which numbers lies what comes into each convolution that may be computed in eight bits, by its name; see models.int8."""
    recipe: dict[str, Any]
    """The resolved recipe, without the data's paths."""
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A network and its card."""

    network: nn.Module
    card: ModelCard
    legend: Legend
    scaling: Scaling
    identity: str
    """Digest of weights and card: models that predict alike have the same."""


SCALING = TypeAdapter(Scaling)


def without_paths(data: DataOptions) -> DataOptions:
    """[data] without the files of a training set, which say nothing elsewhere."""
    return _default(data, _OF_THE_SET)


def reading_of(data: DataOptions) -> DataOptions:
    """How images are read for a model that was trained with these options: ModelCard.reading."""
    return _default(data, (*_OF_THE_SET, *_OF_ITS_GRID))


def _default(data: DataOptions, names: Sequence[str]) -> DataOptions:
    return data.model_copy(update={name: DataOptions.model_fields[name].default for name in names})


def save_bundle(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write both files, each atomically; the weights first, so that a card never stands without them."""
    write_tensors(folder / WEIGHTS, network.state_dict())
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")


def model_folder(path: Path) -> Path:
    """The model folder that a path means: itself, or `model` in a run.

    Raises RecipeError (exit code 2) if there is nothing, ModelError if it is something else.
    """
    for folder in (path, path / "model"):
        if (folder / CARD).is_file():
            return folder
    if not path.exists():
        raise RecipeError(f"no model at {path}. Give a model folder or a run that has ended.")
    if path.is_dir():
        raise ModelError(f"{path} holds no {CARD}. Give a model folder or a run that has ended.")
    raise ModelError(f"{path} is a file; a model of Terrazzo is a folder with {WEIGHTS} and {CARD}. Pickled models are never opened.")


def load_bundle(path: Path) -> Bundle:
    """Read a model folder or a run. Raises ModelError if it is broken, unsafe or of a newer format."""
    folder = model_folder(path)
    try:
        card = ModelCard.model_validate_json((folder / CARD).read_bytes())
        legend = Legend.from_json(json.dumps(card.legend))
        scaling = SCALING.validate_python(card.scaling)
    except ValueError as error:
        raise ModelError(f"{folder / CARD} is not a model card of this version of Terrazzo ({str(error).splitlines()[0]}).") from error
    if len(scaling.bands) != card.bands:
        raise ModelError(f"{folder / CARD} describes {card.bands} bands and the scaling of {len(scaling.bands)}; it is damaged.")
    network = _with_weights(folder / WEIGHTS, card, len(legend.classes))
    return Bundle(network=network, card=card, legend=legend, scaling=scaling, identity=_identity(folder))


def _with_weights(path: Path, card: ModelCard, classes: int) -> nn.Module:
    """The network that a card describes, with the weights of a file."""
    try:
        if _largest_tensor(card.network) > path.stat().st_size:
            raise ModelError(f"{path} does not hold the weights that {CARD} describes (it is much too small).")
        network = build_network(card.network, card.bands, classes)
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError, RecipeError) as error:
        raise ModelError(f"{path} does not hold the weights that {CARD} describes ({str(error).splitlines()[0]}).") from error
    # their maps would be of one class, without a word
    wrong = [name for name, values in network.state_dict().items() if not bool(values.isfinite().all())]
    if wrong:
        raise ModelError(f"{path} holds weights that are no numbers ({wrong[0]}); it is of a training that failed, or damaged.")
    return network.eval()


def _largest_tensor(options: ModelOptions) -> int:
    """Numbers of one tensor that a damaged card may make larger than any machine; 0 where names alone tell the sizes."""
    *_, above, deepest = widths(options)
    return above * deepest * options.kernel**2 if options.architecture is None else 0


def _identity(folder: Path) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name in (WEIGHTS, CARD):
        found.update((folder / name).read_bytes())
    return found.hexdigest()

"""Encoders that start from weights which others trained: from a safetensors file, or fetched where the machine can. Never a pickle."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from terrazzo.errors import EnvironmentFault, ModelError, RecipeError
from terrazzo.models.backbone import TIMM, Backbone
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.rasters.download.http import Http
from terrazzo.rasters.download.sources import Interruption
from terrazzo.rasters.hosts import host_of

FILE = "model.safetensors"
RGB = 3
"""Bands of the images that encoders were pretrained on."""
PATIENCE_S = 5.0
"""Seconds that the server of weights may take to answer."""
PICKLES = (b"PK\x03\x04", b"\x80")
"""What files of torch begin with: zip archives of pickles, and bare ones."""

Weights = Mapping[str, Tensor]


def load_pretrained(network: nn.Module, options: ModelOptions) -> None:
    """Give the encoder the pretrained weights that the options ask for, if they ask for any. The decoder keeps its own.

    The first convolution is adapted to the number of bands, see adapted(). A path in the options is absolute.
    Raises RecipeError if there are no such weights, ModelError if a file is unsafe or of another network, EnvironmentFault if weights
    cannot be fetched.
    """
    if not options.pretrained or not isinstance(network, Backbone):
        return
    path = fetched(options.encoder) if isinstance(options.pretrained, bool) else options.pretrained
    weights, encoder = read_weights(path), cast("nn.Module", network.network.encoder)
    found = _matching(weights, encoder) or _by_its_library(path, weights, encoder, options.encoder)
    if found is None:
        missing = next(name for name in _names(encoder) if name not in weights)
        raise ModelError(
            f"{path} does not hold the weights of encoder '{options.encoder}': '{missing}', for one, is not in it. "
            "Give the file of this encoder, or name the encoder that it belongs to."
        )
    _fill(encoder, found, path)


def check_pretrained(options: ModelOptions) -> None:
    """Raise what load_pretrained would, before anything is known of images: a network is built and filled, and given up."""
    if options.pretrained:
        load_pretrained(build_network(options, RGB, classes=2), options)


def read_weights(path: Path) -> Weights:
    """The tensors of a safetensors file by name. Raises RecipeError if there is none, ModelError if it is something else."""
    if not path.is_file():
        raise RecipeError(f"[model] pretrained: there is no file {path}. Give a safetensors file, or true to fetch the weights.")
    with path.open("rb") as file:
        if file.read(4).startswith(PICKLES):
            raise ModelError(
                f"{path} is a file of torch, which may run code when it is opened, so it is not. "
                "Give the same weights as a safetensors file."
            )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a safetensors file, or is damaged ({str(error).splitlines()[0]}).") from error


def adapted(weight: Tensor, bands: int) -> Tensor:
    """Kernels (outputs, inputs, height, width) of a first convolution for another number of bands.

    One band gets the sum over the inputs. More bands take the inputs in turn (red, green, blue, red ...), times inputs / bands, so that
    an image of equal bands gives what it gave.
    """
    inputs = weight.shape[1]
    if bands == inputs:
        return weight
    if bands == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, torch.arange(bands) % inputs] * (inputs / bands)


def fetched(encoder: str) -> Path:
    """The file of an encoder's usual pretrained weights: from the local cache of the model hub, else fetched into it.

    Raises RecipeError if there are none, EnvironmentFault, within seconds, if they cannot be fetched.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, revision = _home(encoder)
    try:
        return Path(hf_hub_download(repository, FILE, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        pass  # not fetched yet
    if constants.HF_HUB_OFFLINE:
        raise _unreachable(encoder, repository, "HF_HUB_OFFLINE is set")
    try:
        # the hub's own client tries again and again; whether anybody answers is known sooner
        Http(typed=frozenset({host_of(constants.ENDPOINT)}), timeout_s=PATIENCE_S).head(constants.ENDPOINT)
        return Path(hf_hub_download(repository, FILE, revision=revision))
    except (Interruption, OSError) as error:
        raise _unreachable(encoder, repository, str(error).splitlines()[0].rstrip(".")) from error


def _unreachable(encoder: str, repository: str, reason: str) -> EnvironmentFault:
    from huggingface_hub import constants

    return EnvironmentFault(
        f"the pretrained weights of '{encoder}' ({repository}) are not on this machine and cannot be fetched from "
        f'{constants.ENDPOINT} ({reason}). Set pretrained = "FILE.safetensors" or pretrained = false.'
    )


def _home(encoder: str) -> tuple[str, str | None]:
    """Repository and revision of an encoder's weights on the model hub."""
    import segmentation_models_pytorch as smp
    import timm

    if encoder.startswith(TIMM):
        known = timm.models.get_pretrained_cfg(encoder.removeprefix(TIMM))
        if known is not None and known.hf_hub_id:
            return str(known.hf_hub_id), None
    elif settings := smp.encoders.encoders[encoder].get("pretrained_settings"):
        usual = settings.get("imagenet") or next(iter(settings.values()))
        return str(usual["repo_id"]), str(usual["revision"])
    raise RecipeError(f"[model] pretrained: nobody offers weights of encoder '{encoder}'. Take another encoder, or pretrained = false.")


def _names(encoder: nn.Module) -> list[str]:
    return [name for name in encoder.state_dict() if not name.endswith("num_batches_tracked")]


def _matching(weights: Weights, encoder: nn.Module) -> Weights | None:
    """The encoder's tensors in a file that names them as the encoder does, alone or within a whole network; else None."""
    names = _names(encoder)
    for prefix in (name.removesuffix(names[0]) for name in weights if name.endswith(names[0])):
        if all(prefix + name in weights for name in names):
            return {name: weights[prefix + name] for name in names}
    return None


def _by_its_library(path: Path, weights: Weights, encoder: nn.Module, name: str) -> Weights | None:
    """The encoder's tensors in a file that names them as the encoder's library publishes them; else None."""
    import segmentation_models_pytorch as smp

    kind, depth = type(encoder), encoder._depth  # noqa: SLF001 - the library keeps it nowhere else
    try:
        if name.startswith(TIMM):
            file = {"file": str(path)}
            donor = kind(name=name.removeprefix(TIMM), in_channels=RGB, depth=depth, pretrained=True, pretrained_cfg_overlay=file)
        else:
            donor = smp.encoders.get_encoder(name, in_channels=RGB, depth=depth, weights=None)
            donor.load_state_dict(dict(weights))
    except (RuntimeError, KeyError, ValueError):
        return None
    state = donor.state_dict()
    return {name: state[name] for name in _names(encoder)}


def _fill(encoder: nn.Module, weights: Weights, path: Path) -> None:
    own = encoder.state_dict()
    with torch.no_grad():
        for name, weight in weights.items():
            fits = weight.dim() == own[name].dim() == 4 and weight.shape[::2] == own[name].shape[::2]
            tensor = adapted(weight, own[name].shape[1]) if fits else weight
            if tensor.shape != own[name].shape:
                raise ModelError(f"{path}: '{name}' is of shape {tuple(weight.shape)}, in this encoder of {tuple(own[name].shape)}.")
            own[name].copy_(tensor)

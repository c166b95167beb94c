"""The engine of an ensemble: what is chosen for each of its models alone, put together."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import torch

from terrazzo.models.bundle import Bundle
from terrazzo.prediction.engines.choose import Chooser
from terrazzo.prediction.engines.engine import Engine
from terrazzo.prediction.engines.forward import Means
from terrazzo.prediction.engines.probe import Work
from terrazzo.prediction.options import PredictionOptions

BATCH_SIZE = "batch_size"


class EnsembleChooser:
    """Chooses for one model, or for several whose probabilities are averaged."""

    def __init__(self, bundles: Sequence[Bundle], device: str, options: PredictionOptions) -> None:
        """Raises EnvironmentFault if the device is not there, RecipeError if the engine does not go with it or with the precision."""
        self._choosers = [Chooser(bundle, device, options) for bundle in bundles]
        self._chosen: list[Engine] = []
        self._joined: Engine | None = None

    @property
    def device(self) -> torch.device:
        """The device of the engine, whichever that will be."""
        return self._choosers[0].device

    def engine_for(self, works: Sequence[Work], kept: Mapping[str, object] | None = None) -> Engine:
        """The engine for work that is to be done; see Chooser.

        works: the same work, as each model reads it. kept: what runtime_facts said when that work was begun.
        Raises EnvironmentFault or ModelError if the engine asked for is not there, or cannot take a network.
        """
        chosen = [
            chooser.engine_for(work, _facts_of(number, kept))
            for number, (chooser, work) in enumerate(zip(self._choosers, works, strict=True))
        ]
        if self._joined is None or chosen != self._chosen:
            self._chosen, self._joined = chosen, Engine.joined(chosen)
        return self._joined


def runtime_facts(engine: Engine) -> dict[str, str | int]:
    """What of this machine the last digit of a probability may depend on."""
    facts: dict[str, str | int] = {
        _key(name, number): value for number, forward in enumerate(engine.forwards) for name, value in forward.means.facts().items()
    }
    if not engine.alone:
        facts[BATCH_SIZE] = engine.batch_size
    return facts


def _facts_of(number: int, kept: Mapping[str, object] | None) -> dict[str, object] | None:
    """Of the runtime facts of all models, those of one, as of a model alone."""
    if kept is None:
        return None
    found = {field.name: kept.get(_key(field.name, number)) for field in fields(Means)}
    return {**found, BATCH_SIZE: kept.get(BATCH_SIZE)}


def _key(name: str, number: int) -> str:
    """The name of a runtime fact of a model; those of the first are plain."""
    return f"{name} of model {number + 1}" if number else name

"""The memory that a recipe's training will need. Its own module: of what is told of recipes, only this needs torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from terrazzo.models.bundle import load_bundle
from terrazzo.models.free_memory import free_bytes
from terrazzo.models.network import Runtime, build_network, choose_runtime
from terrazzo.models.options import ModelOptions
from terrazzo.samples.pack.store import PackedStore
from terrazzo.samples.store import MEGABYTE, kept_bytes
from terrazzo.training.finders.batch import choose_batch
from terrazzo.training.finders.memory import ENCODERS_BYTES, PROGRAM_BYTES, Learner, MemoryNeed
from terrazzo.training.losses.total import build_loss, check_loss
from terrazzo.training.options import TrainingOptions
from terrazzo.training.shortage import advice
from terrazzo.workflows.context import Context
from terrazzo.workflows.inspection.pair_facts import PairFacts
from terrazzo.workflows.inspection.sentences import size
from terrazzo.workflows.inspection.wording import Row
from terrazzo.workflows.settle import needs


@dataclass(frozen=True, kw_only=True)
class TrainingNeed:
    """What a training will hold at its peak, and what there is."""

    runtime: Runtime
    options: TrainingOptions
    need: MemoryNeed
    program: int
    """Bytes of the process without its work; 0 on a GPU, whose memory it does not take."""
    images: int
    """Of the decoded images that are kept; 0 on a GPU."""
    free: int | None
    """Bytes that are free at this moment; None where the system does not say."""

    @property
    def total(self) -> int:
        """At the peak, in bytes."""
        return self.need.total + self.program + self.images

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold, in bytes."""
        return {
            "device": str(self.runtime.device),
            "precision": self.runtime.precision,
            "batch_size": self.options.batch,
            "accumulate": self.options.accumulate,
            "peak_bytes": self.total,
            "free_bytes": self.free,
            "program_bytes": self.program,
            "images_bytes": self.images,
            **{f"{name}_bytes": count for name, count in asdict(self.need).items()},
        }

    def row(self) -> Row:
        """The facts as a name and a text."""
        need = self.need
        parts = [
            *([f"program {size(self.program)}", f"images {size(self.images)}"] if self.program else []),
            f"weights {size(need.weights)}",
            f"a step with {self.options.batch} samples {size(need.step)}",
            f"samples that wait {size(need.samples)}",
            f"mapping afterwards {size(need.mapping)}",
        ]
        free = "" if self.free is None else f"; {size(self.free)} are free"
        where = f"{self.runtime.device}, {self.runtime.precision}"
        return "memory", f"training takes about {size(self.total)} at its peak ({where}: {', '.join(parts)}){free}"

    def problems(self) -> list[str]:
        """A sentence if there is not enough."""
        if self.free is None or self.total <= self.free:
            return []
        return [f"Training takes about {size(self.total)} of memory, and {size(self.free)} are free. {advice(self.options)}"]


def training_need(context: Context, source: PairFacts | PackedStore) -> TrainingNeed:
    """What the training of the context's recipe will hold.

    source: what it learns from; of images and labels, there is at least one pair.
    Raises RecipeError for a network or a loss that cannot be, ModelError if the model to go on from is broken, EnvironmentFault if the
    device is not there.
    """
    recipe, overlapping = context.recipe, context.recipe.legend.overlapping
    bands, names, decoded = _of_pairs(source, context) if isinstance(source, PairFacts) else _of_store(source)
    check_loss(recipe.training, names, overlapping=overlapping)
    runtime = choose_runtime(context.device, recipe.training.precision)
    network = runtime.place(build_network(_network_options(context), bands, len(names)))
    weights = None if recipe.training.class_weights == "none" else [1.0] * len(names)
    loss = build_loss(recipe.training, weights, runtime.device, overlapping=overlapping)
    on_cpu, free = runtime.device.type == "cpu", free_bytes(runtime.device)
    program = (PROGRAM_BYTES + (ENCODERS_BYTES if recipe.model.architecture else 0)) if on_cpu else 0
    images = decoded if on_cpu else 0
    need_of = needs(Learner(network=network, runtime=runtime, loss=loss), context, bands, len(names))
    options = choose_batch(recipe.training, need_of, None if free is None else free - program - images)
    return TrainingNeed(runtime=runtime, options=options, need=need_of(options.batch), program=program, images=images, free=free)


def _network_options(context: Context) -> ModelOptions:
    model = context.model
    return model if model.start is None else model.going_on_from(load_bundle(model.start).card.network)[0]


def _of_pairs(pairs: PairFacts, context: Context) -> tuple[int, Sequence[str], int]:
    """Bands, names of the classes, and bytes of decoded images as far as they are kept."""
    given, data = context.recipe.legend, context.recipe.data
    found = [share.name for share in pairs.shares if share.value is not None]
    everything = sum(kept_bytes(fact.grid.shape, fact.bands, fact.dtype) for fact in pairs.checked)
    names = found if given.classes is None or not given.overlapping else given.classes
    return pairs.checked[0].bands, names, min(everything, data.cache_mb * MEGABYTE)


def _of_store(store: PackedStore) -> tuple[int, Sequence[str], int]:
    """The same of packed samples."""
    return store.manifest.bands, store.legend.names, store.most_kept_bytes

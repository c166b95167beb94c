"""[training]: losses, optimiser, schedule and the fit loop."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from terrazzo.options import Options

Decay = Annotated[float, Field(ge=0, lt=1)]
KeptEpochs = Annotated[int, Field(ge=1)]
ClassWeight = Annotated[float, Field(ge=0)]
LossName = Literal["ce", "binary", "focal", "border", "dice", "jaccard", "lovasz", "tversky", "focal_tversky"]
USUAL_LOSSES: list[LossName] = ["ce", "dice"]
METRICS = ("mean_dice", "mean_iou", "loss", "object_f2")
BatchSize = Annotated[int, Field(ge=1, le=4096)]
USUAL_BATCH = 8
Rate = Annotated[float, Field(gt=0, le=10)]
LossFactor = Annotated[float, Field(gt=0, le=1e6)]


class TrainingOptions(Options):
    epochs: int = Field(50, ge=0, le=100_000, description="Epochs at most; 0: the model of model.start is only evaluated.")
    batch_size: Literal["auto"] | BatchSize = Field(
        USUAL_BATCH,
        description="Samples a batch. auto: the largest power of two for which there is memory, of 8 samples a step (times accumulate): "
        "where all of them do not fit, smaller batches are accumulated.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the first weights, of the order of samples and of the augmentation.")
    loss: list[LossName] | dict[LossName, LossFactor] = Field(
        USUAL_LOSSES,
        min_length=1,
        description="Losses, added, or each with a factor ({ce = 1.0, dice = 0.5}): ce (cross-entropy), binary (of two classes: "
        "cross-entropy + 1 - Dice of the second), focal, border (cross-entropy that counts more near borders), dice, jaccard, lovasz, "
        "tversky, focal_tversky.",
    )
    smooth: float = Field(1.0, ge=0, le=1e6, description="Added to both sides of the ratios of dice, jaccard and tversky, in pixels.")
    dice_over: Literal["batch", "image"] = Field(
        "batch", description="Sums of dice, jaccard and tversky: over all pixels of a batch, or over each image, then the mean."
    )
    dice_squared: bool = Field(default=False, description="Square the probabilities in the denominator of dice.")
    focal_gamma: float = Field(2.0, ge=0, le=10, description="How much less focal counts what is learned well; 0: cross-entropy.")
    tversky_alpha: float = Field(0.3, ge=0, le=10, description="Weight of what tversky finds falsely.")
    tversky_beta: float = Field(0.7, ge=0, le=10, description="Weight of what tversky misses.")
    tversky_power: float = Field(0.75, gt=0, le=10, description="Power of 1 - T in focal_tversky.")
    border_strength: float = Field(10.0, ge=0, le=1000, description="How much more border counts a pixel at a border: 1 + this.")
    border_sigma_px: float = Field(5.0, gt=0, le=50, description="Width of the zone along borders in pixels.")
    class_weights: Literal["none", "sqrt", "balanced"] | list[ClassWeight] = Field(
        "sqrt",
        description="Weights of the classes in the losses, from their shares p of the training part: none, sqrt (1 / sqrt(p), so that rare "
        "classes are learned and common ones stay sharp), balanced (1 / p), or a list.",
    )
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop", "adadelta"] = Field("adamw", description="Optimiser.")
    learning_rate: Literal["find"] | Rate = Field(
        2e-3,
        description="Largest learning rate. For adamw, adam and rmsprop; sgd wants about 0.05, adadelta 1. find: by a range "
        "test before the first step, as long as 100 steps.",
    )
    head_rate: float = Field(
        8.0,
        ge=0.01,
        le=1000,
        description="Rate of the last convolution, as a multiple of the learning rate, with adamw, adam and rmsprop: their steps are no "
        "longer than the rate, whatever the gradient, and rare classes are found only when its weights, small at first, have grown.",
    )
    betas: tuple[Decay, Decay] = Field(
        (0.9, 0.99),
        description="Memory of adamw and adam: of the gradient and of its square. Runs of some hundred steps are too short for the usual "
        "0.999, which remembers the first steps to the end.",
    )
    momentum: Decay = Field(0.9, description="Momentum of sgd and rmsprop.")
    nesterov: bool = Field(default=False, description="Nesterov's momentum in sgd.")
    rho: Decay = Field(0.9, description="Memory of squares in rmsprop and adadelta.")
    weight_decay: float = Field(1e-2, ge=0, le=10, description="Decoupled weight decay of adamw; not for biases and normalisation.")
    l2: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Factor of the sum of squares of all kernels that is added to the loss, as a kernel regularizer of Keras; the loss "
        "that is told is without it.",
    )
    accumulate: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Batches whose gradients make a step: a batch so many times larger, in the memory of one.",
    )
    schedule: Literal["cosine", "constant", "one_cycle", "step", "plateau", "rampup"] = Field(
        "cosine",
        description="After the warm-up: cosine decay to final_rate, constant, step (times step_factor every step_epochs) or plateau "
        "(times plateau_factor when validation gains nothing). With their own warm-up: one_cycle, and rampup (by epoch, from start_lr "
        "to max_lr to min_lr; learning_rate has no part in it).",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of all steps in which the rate rises linearly.")
    final_rate: float = Field(0.01, ge=0, le=1, description="Rate at the end as a share of learning_rate.")
    step_factor: float = Field(0.5, gt=0, le=1, description="Factor of the rate in schedule step.")
    step_epochs: int = Field(10, ge=1, description="Epochs between two steps down in schedule step.")
    plateau_factor: float = Field(0.1, gt=0, lt=1, description="Factor of the rate in schedule plateau.")
    plateau_patience: int = Field(4, ge=1, description="Evaluations without gain after which schedule plateau lowers the rate.")
    rampup_epochs: int = Field(20, ge=0, description="Epochs in which schedule rampup rises.")
    sustain_epochs: int = Field(0, ge=0, description="Epochs that schedule rampup then stays at max_lr.")
    exp_decay: float = Field(0.9, gt=0, le=1, description="Factor an epoch of what is above min_lr, in schedule rampup.")
    start_lr: float = Field(1e-7, ge=0, le=10, description="Rate of the first epoch in schedule rampup.")
    max_lr: float = Field(1e-5, gt=0, le=10, description="Largest rate of schedule rampup.")
    min_lr: float = Field(1e-7, ge=0, le=10, description="Lowest rate of schedules rampup and plateau.")
    clip_norm: float = Field(1.0, ge=0, description="Largest norm of the gradient; 0: no limit.")
    average: float = Field(
        0.99, ge=0, lt=1, description="Decay a step of the moving average of the weights that is evaluated and kept; 0: none."
    )
    early_stop: int = Field(0, ge=0, description="Stop after this many evaluations without gain on the validation part; 0: never.")
    early_stop_metric: str = Field(
        "mean_dice",
        description="What tells the best epoch, a plateau and when to stop: mean_dice, mean_iou, loss, object_f2 (with evaluation.objects) "
        "or dice:CLASS.",
    )
    min_delta: float = Field(0.0, ge=0, description="What counts as a gain: more than this beyond the last one.")
    keep: Literal["best", "all"] | KeptEpochs = Field(
        "best",
        description="Weights in the run's folder checkpoints: the best epoch's, or also those of all epochs, or of so many newest, with "
        "loss and score in the name.",
    )
    sample_batches: bool = Field(
        default=True, description="Before the first step, draw the first batch and the first of validation, as the network will see them."
    )
    tensorboard: bool = Field(
        default=False, description="Also write the figures of each epoch to the run's folder tensorboard, for TensorBoard."
    )
    evaluate_every: int = Field(1, ge=1, description="Epochs between evaluations on the validation part.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="auto: bfloat16 where the chip is faster in it (AMX, AVX512-BF16 of AMD, CUDA 8.0 and later), else float32; "
        "doctor says why.",
    )
    compile: bool = Field(
        default=False,
        description="Compile the network for the chip before it learns: minutes at the start, more where batches come in several sizes. "
        "On CPUs it needs a C++ compiler.",
    )
    workers: int | None = Field(
        None, ge=1, le=256, description="Threads that read and augment samples; default: one a core, 2 to 16. The batches are the same."
    )
    checkpoint_minutes: float = Field(
        5.0,
        gt=0,
        le=1440,
        description="Minutes between checkpoints within an epoch. There is one at the end of an epoch too, unless the last one is younger "
        "than 20 times as long as it took.",
    )

    @property
    def open(self) -> list[str]:
        """Options that are settled when a training begins, as far as they are left open."""
        batch = ["batch_size", "accumulate"] if self.batch_size == "auto" else []
        return [*batch, "learning_rate"] if self.learning_rate == "find" else batch

    @property
    def batch(self) -> int:
        """Samples a batch. Raises ValueError as long as it is 'auto'."""
        if self.batch_size == "auto":
            raise ValueError("training.batch_size is 'auto'; what trains settles it first")
        return self.batch_size

    @property
    def largest_rate(self) -> float:
        """The largest learning rate. Raises ValueError as long as it is to be found."""
        if self.learning_rate == "find":
            raise ValueError("training.learning_rate is 'find'; what trains settles it first")
        return self.learning_rate

    @field_validator("early_stop_metric")
    @classmethod
    def _check_metric(cls, metric: str) -> str:
        if metric not in METRICS and not metric.startswith("dice:"):
            raise ValueError(f"it is {metric!r}; it must be {', '.join(METRICS)} or dice:CLASS")
        return metric

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov is true and momentum 0; it needs one above 0")
        if self.learning_rate == "find" and not self.epochs:
            raise ValueError("learning_rate is 'find' and epochs 0; without a step none can be found. Leave learning_rate out.")
        if self.schedule == "rampup" and self.learning_rate == "find":
            raise ValueError("learning_rate is 'find', and schedule 'rampup' goes by start_lr, max_lr and min_lr. Take another schedule.")
        if self.schedule == "rampup" and max(self.start_lr, self.min_lr) > self.max_lr:
            raise ValueError(f"max_lr is {self.max_lr}; it must not be below start_lr ({self.start_lr}) or min_lr ({self.min_lr})")
        return self

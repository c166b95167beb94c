"""[training]: losses, optimiser, schedule and the fit loop."""

from typing import Annotated, Literal

from pydantic import Field

from terrazzo.options import Options

ClassWeight = Annotated[float, Field(ge=0)]
LossName = Literal["ce", "binary", "focal", "border", "dice", "jaccard", "lovasz", "tversky", "focal_tversky"]
USUAL_LOSSES: list[LossName] = ["ce", "dice"]
LossFactor = Annotated[float, Field(gt=0, le=1e6)]


class TrainingOptions(Options):
    epochs: int = Field(50, ge=1, le=100_000, description="Epochs at most.")
    batch_size: int = Field(8, ge=1, le=4096, description="Samples a step.")
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
    optimizer: Literal["adamw"] = Field("adamw", description="Optimiser.")
    learning_rate: float = Field(2e-3, gt=0, le=10, description="Largest learning rate.")
    weight_decay: float = Field(1e-2, ge=0, le=10, description="Decoupled weight decay; not for biases and normalisation.")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="After the warm-up: cosine decay to final_rate, or constant.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of all steps in which the rate rises linearly.")
    final_rate: float = Field(0.01, ge=0, le=1, description="Rate at the end as a share of learning_rate.")
    clip_norm: float = Field(1.0, ge=0, description="Largest norm of the gradient; 0: no limit.")
    average: float = Field(
        0.99, ge=0, lt=1, description="Decay a step of the moving average of the weights that is evaluated and kept; 0: none."
    )
    early_stop: int = Field(0, ge=0, description="Stop after this many evaluations without a better validation Dice; 0: never.")
    evaluate_every: int = Field(1, ge=1, description="Epochs between evaluations on the validation part.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the chip has it in hardware (AVX512-BF16, AMX, CUDA 8.0 and later), else float32."
    )
    workers: int | None = Field(
        None, ge=1, le=256, description="Threads that read and augment samples; default: one a core, 2 to 16. The batches are the same."
    )
    checkpoint_minutes: float = Field(
        5.0, gt=0, le=1440, description="Minutes between checkpoints within an epoch; there is one at the end of each anyway."
    )

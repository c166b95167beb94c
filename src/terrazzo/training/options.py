"""[training]: losses, optimiser, schedule and the fit loop."""

from typing import Annotated, Literal

from pydantic import Field

from terrazzo.options import Options

ClassWeight = Annotated[float, Field(ge=0)]


class TrainingOptions(Options):
    epochs: int = Field(50, ge=1, le=100_000, description="Epochs at most.")
    batch_size: int = Field(8, ge=1, le=4096, description="Samples a step.")
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of the first weights, of the order of samples and of the augmentation.")
    loss: list[Literal["ce", "dice"]] = Field(
        ["ce", "dice"], min_length=1, description="Losses, added: ce (cross-entropy), dice (1 - Dice)."
    )
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

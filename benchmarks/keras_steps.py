"""Training steps of the classic U-Net in Keras on TensorFlow: a line in asks for so many, a line out tells the seconds.

Run by bench_train.py in an environment that has tensorflow: python benchmarks/keras_steps.py SIDE_PX BATCH FILTERS float32|mixed_bfloat16
"""

import sys
import time

import keras  # type: ignore[import-not-found]
import numpy as np
from keras import layers

DEPTH, BANDS, CLASSES = 4, 3, 2


def unet(side_px: int, filters: int) -> keras.Model:
    """Two convolutions a level, each with batch normalisation and ReLU; transposed convolutions up."""
    image = keras.Input((side_px, side_px, BANDS))
    x, skips = image, []
    for level in range(DEPTH):
        x = _block(x, filters * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _block(x, filters * 2**DEPTH)
    for level in reversed(range(DEPTH)):
        x = layers.Conv2DTranspose(filters * 2**level, 2, strides=2)(x)
        x = _block(layers.Concatenate()([skips[level], x]), filters * 2**level)
    return keras.Model(image, layers.Conv2D(CLASSES, 1, activation="softmax", dtype="float32")(x))


def _block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def main(side_px: int, batch: int, filters: int, policy: str) -> None:
    keras.mixed_precision.set_global_policy(policy)
    model = unet(side_px, filters)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, side_px, side_px, BANDS), np.float32)
    labels = rng.integers(0, CLASSES, (batch, side_px, side_px, 1))
    model.train_on_batch(images, labels)
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            model.train_on_batch(images, labels)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])

"""The table of verbs, in the order in which one works. Command line, help and reference page are made from it."""

from terrazzo.recipes.verbs.learning import AUGMENT, INDEX, PACK, PREVIEW, SPLIT, TRAIN
from terrazzo.recipes.verbs.mapping import COMPARE, DEMO, DOCTOR, EVALUATE, PREDICT, RANK, VECTORIZE
from terrazzo.recipes.verbs.preparing import CHIP, DOWNLOAD, FLATTEN, INSPECT, MASK, MOSAIC, SIMULATE, SUMMARIZE

VERBS = (
    INSPECT,
    DOWNLOAD,
    SIMULATE,
    MASK,
    CHIP,
    MOSAIC,
    FLATTEN,
    SUMMARIZE,
    INDEX,
    SPLIT,
    AUGMENT,
    PREVIEW,
    PACK,
    TRAIN,
    PREDICT,
    VECTORIZE,
    EVALUATE,
    RANK,
    COMPARE,
    DEMO,
    DOCTOR,
)

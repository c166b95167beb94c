"""What lies beside a report, a word on each."""

from pathlib import Path

MEANINGS = {
    "recipe.toml": "every option of the run; train it again for the same weights",
    "model": "the model: weights, legend, scaling, versions; predict takes it",
    "maps": "maps of the held-out ground",
    "evaluation.json": "all scores",
    "summary.csv": "single scores and their intervals",
    "classes.csv": "scores of each class and of its outlines",
    "scenes.csv": "scores of each image",
    "confusion.csv": "pixels by true and shown class",
    "calibration.csv": "how often probabilities are right",
    "thresholds.csv": "scores at other thresholds",
    "area.csv": "areas and their errors",
    "object_scores.csv": "scores of objects by IoU and size",
    "objects.csv": "a row an object",
    "objects.gpkg": "the objects for a GIS: found, missed, false",
    "samples.parquet": "a row a sample: place, part, scores",
    "error_map.gpkg": "the same for a GIS, with suspicious labels",
    "errors": "rasters of right, missed and false pixels",
    "suspicious.parquet": "regions of suspicious labels",
    "split.csv": "which part each window belongs to",
    "train_sample_batch.png": "the first batch, as the network saw it",
    "val_sample_batch.png": "the first batch of validation",
    "metrics.csv": "figures of each epoch",
    "tensorboard": "the same for TensorBoard",
    "windows.csv": "every window that was learned from",
}


def described_files(folder: Path) -> list[tuple[str, str]]:
    """Those of the known files and folders that are there, and what they are."""
    return [(f"{name}/" if (folder / name).is_dir() else name, meaning) for name, meaning in MEANINGS.items() if (folder / name).exists()]

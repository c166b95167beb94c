"""Which folders are runs, models and packed stores; told by their files, without torch."""

from pathlib import Path

MODEL_FILES = ("model.json", "model.safetensors")


def is_run(folder: Path) -> bool:
    """Whether a folder is a run: a recipe, and what training leaves beside it."""
    return (folder / "recipe.toml").is_file() and any((folder / name).exists() for name in ("metrics.jsonl", "checkpoints", "model"))


def is_model(folder: Path) -> bool:
    """Whether a folder is a model, or holds one as a run does."""
    return any((place / name).is_file() for place in (folder, folder / "model") for name in MODEL_FILES)


def is_packed_folder(folder: Path) -> bool:
    """Whether a folder is a packed store, whole or damaged."""
    return (folder / "manifest.json").is_file() and (folder / "samples.parquet").is_file()

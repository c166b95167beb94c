"""What a model is. Its own module: only here and in run_facts inspecting needs torch."""

from dataclasses import dataclass
from pathlib import Path

from terrazzo.models.bundle import Bundle, load_bundle
from terrazzo.workflows.inspection.wording import Row


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """A model that loads."""

    path: Path
    bundle: Bundle

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        card = self.bundle.card
        return {
            "kind": "model",
            "path": str(self.path.absolute()),
            "network": card.network.name,
            "parameters": self.parameters,
            "bands": card.bands,
            "classes": list(self.bundle.legend.names),
            "window": list(card.window),
            "cell_size": list(card.cell_size) if card.cell_size is not None else None,
            "crs": card.crs,
            "thresholds": card.thresholds,
            "int8": bool(card.int8_ranges),
            "versions": card.versions,
        }

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.bundle.network.parameters())

    def heading(self) -> str:
        return f"model, {self.bundle.card.network.name} of {self.parameters:,} parameters"

    def rows(self) -> list[Row]:
        """The facts, a name and a text each."""
        card = self.bundle.card
        place = f", cell {card.cell_size[0]:.6g} x {card.cell_size[1]:.6g} of {card.crs}" if card.cell_size is not None else ""
        best = ", ".join(f"{name} {found['f1']:.2f}" for name, found in card.thresholds.items())
        return [
            ("input", f"{card.bands} bands, windows of {card.window[0]} x {card.window[1]} pixels{place}"),
            ("classes", ", ".join(self.bundle.legend.names)),
            *([("best thresholds", f"{best} (F1, by the validation part)")] if best else []),
            *([("int8", f"{len(card.int8_ranges)} convolutions may be rounded, the maps stay the same")] if card.int8_ranges else []),
            ("made with", ", ".join(f"{name} {version}" for name, version in card.versions.items())),
        ]


def model_facts(path: Path) -> ModelFacts:
    """Load a model folder or the model of a run. Raises ModelError if it is broken or unsafe."""
    return ModelFacts(path=path, bundle=load_bundle(path))

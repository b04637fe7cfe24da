"""The folder of a run: where settings, weights, records, predictions and metrics lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tdmi.config.settings import Settings

PREDICTIONS_RECORD = "predictions.provenance.json"
METRICS = ("metrics.json", "tracking.json")


@dataclass(frozen=True)
class RunFolder:
    """Layout of ``runs/<suite>/<method>/seed<k>``.

    A training leaves `trained`, with the hash of each in `provenance`, which is written last. A
    prediction leaves two folders of files for each kind of boxes, and `predictions_record`.
    """

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def cost(self) -> Path:
        return self.path / "cost.json"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def trained(self) -> tuple[Path, ...]:
        """The files that training leaves."""
        return self.config, self.cost, self.history, self.checkpoint

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def code(self) -> Path:
        """Hashes of the source files that the training used."""
        return self.path / "code.json"

    @property
    def resume(self) -> Path:
        """State of an interrupted training."""
        return self.path / "resume.pt"

    @property
    def timing(self) -> Path:
        return self.path / "timing.json"

    @property
    def predictions_record(self) -> Path:
        return self.path / PREDICTIONS_RECORD

    def predictions(self, boxes: str) -> Path:
        """Folder of the predictions for one kind of boxes."""
        return self.path / boxes / "predictions"

    def tracked(self, boxes: str) -> Path:
        """Folder of their confident part with track ids, for MOTA."""
        return self.path / boxes / "tracked"

    def metrics(self, boxes: str) -> Path:
        return self.path / boxes / "metrics.json"

    def tracking(self, boxes: str) -> Path:
        """Metrics of the tracks."""
        return self.path / boxes / "tracking.json"

    @property
    def evaluated(self) -> list[Path]:
        """All metrics files that are there, in alphabetical order."""
        return sorted(path for name in METRICS for path in self.path.glob(f"*/{name}"))

    def settings(self) -> Settings:
        return Settings.read(self.config)


def evaluated_folder(metrics: Path) -> Path:
    """The predictions that a metrics file of a run folder evaluates."""
    return metrics.parent / ("tracked" if metrics.name == "tracking.json" else "predictions")


def initial_checkpoint(settings: Settings, runs: Path) -> Path | None:
    """What a run starts from: another run's checkpoint below `runs`, published weights, or None."""
    if settings.start_from:
        return RunFolder(runs / settings.start_from).checkpoint
    return Path(settings.initial_weights) if settings.initial_weights else None

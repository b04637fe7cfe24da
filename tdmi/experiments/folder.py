"""The folder of a run: where settings, weights, records, predictions and metrics lie."""

from __future__ import annotations

from pathlib import Path

from tdmi.config.settings import Settings
from tdmi.core.errors import UserError

PREDICTIONS_RECORD = "predictions.provenance.json"
METRICS = ("metrics.json", "tracking.json")


class RunFolder:
    """Layout of ``runs/<suite>/<method>/seed<k>``.

    A training leaves the files `trained`, with the hash of each in `provenance`, which is written
    last, and in `code` those of the source files. A prediction leaves two folders of files for each
    kind of boxes, and their hashes in `predictions_record`. `resume` is the state of an interrupted
    training.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.cost = path / "config.yaml", path / "cost.json"
        self.history, self.checkpoint = path / "history.csv", path / "checkpoint.pt"
        self.trained = (self.config, self.cost, self.history, self.checkpoint)
        self.provenance, self.code = path / "provenance.json", path / "code.json"
        self.resume, self.timing = path / "resume.pt", path / "timing.json"
        self.predictions_record = path / PREDICTIONS_RECORD

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
        """Read the settings of the run; UserError if there is none."""
        if not self.path.is_dir():
            raise UserError(f"{self.path}: no such run folder; train one with `tdmi train`")
        return Settings.read(self.config)


def evaluated_folder(metrics: Path) -> Path:
    """The predictions that a metrics file of a run folder evaluates."""
    return metrics.parent / ("tracked" if metrics.name == "tracking.json" else "predictions")


def initial_checkpoint(settings: Settings, runs: Path) -> Path | None:
    """Return the weights that a run starts from: another run's below `runs`, published, or None."""
    if settings.start_from:
        return RunFolder(runs / settings.start_from).checkpoint
    return Path(settings.initial_weights) if settings.initial_weights else None

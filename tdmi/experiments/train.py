"""Train a run: what is written to its folder, and in which order."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import torch

from tdmi.checkpoints import load_published
from tdmi.checkpoints.own import check_resumable, load_checkpoint
from tdmi.config.settings import Settings
from tdmi.core.files import digest, sha256_of, write_json
from tdmi.core.locks import exclusive_writer
from tdmi.experiments.build import build_method, training_samples, validation_windows
from tdmi.experiments.folder import RunFolder, initial_checkpoint
from tdmi.experiments.provenance import Record, imported_code, packages_of, provenance, write_record
from tdmi.models.cost import cost
from tdmi.models.method import PoseMethod
from tdmi.training import Validation, keep_untrained, launch, train

log = logging.getLogger(__name__)


def train_run(
    settings: Settings,
    runs: Path,
    name: str,
    fresh: bool = False,
    restart: bool = False,
    starts: Path | None = None,
) -> None:
    """Train a run and write its folder; ``provenance.json`` comes last and means complete.

    An interrupted run resumes. UserError if its state belongs to other settings or data. Waits for
    another process that trains or predicts in the same folder.

    Args:
        fresh: do not resume, start again.
        restart: start again only where the state cannot be resumed.
        starts: folder of the run that this one starts from; `runs` unless given.
    """
    run = RunFolder(runs / name)
    with exclusive_writer(run.path):
        run.path.mkdir(parents=True, exist_ok=True)
        if fresh:
            run.resume.unlink(missing_ok=True)
        _train_run(settings, run, initial_checkpoint(settings, starts or runs), restart)


def _train_run(settings: Settings, run: RunFolder, initial: Path | None, restart: bool) -> None:
    # All that is recorded is taken before the training: it may take days, in which files change.
    folder = settings.dataset.folder
    made_from = {
        "data_sha256": folder.data_hash(),
        "data_release": folder.release(),
        "labels_sha256": folder.labels_hashes(settings.dataset.splits),
        "boxes_sha256": folder.boxes_hash(settings.dataset.test),
        "initial_weights": settings.start_from or settings.initial_weights,
        "initial_weights_sha256": sha256_of(initial) if initial and initial.exists() else None,
    }
    identity = {
        "settings": settings.to_dict(),
        "initial_weights_sha256": made_from["initial_weights_sha256"],
        "data_sha256": made_from["data_sha256"],
    }
    check_resumable(run.resume, identity, restart)
    settings.write(run.config)
    write_json(run.cost, asdict(cost(build_method(settings), *settings.crop.size)))
    environment, code = provenance(), imported_code(packages_of(settings))
    timing = fit(settings, run.path, initial, identity)
    write_json(run.code, code)
    record = {
        **environment,
        "code_sha256": digest(code),
        "seed": settings.seed,
        "training": timing,
        **made_from,
        **{f"{file.stem}_sha256": sha256_of(file) for file in run.trained},
    }
    write_record(run.provenance, record)
    # Deleted last, so that a run killed after the final step can still resume.
    run.resume.unlink(missing_ok=True)


def fit(
    settings: Settings, folder: Path, initial: Path | None = None, identity: Record | None = None
) -> dict[str, float | str | None]:
    """Build method, samples and validation of a run and train; see `tdmi.training.train`."""
    torch.manual_seed(settings.seed)
    fabric = launch(settings.recipe)
    method = build_method(settings)
    if initial is not None:
        load_initial(settings, method, initial, report=fabric.is_global_zero)
    if settings.recipe.steps == 0:
        return keep_untrained(method, folder, fabric.device)
    samples, validation = training_samples(settings, method), None
    if settings.recipe.validate_every:
        validation = Validation(validation_windows(settings, method.window), settings.inference)
    return train(fabric, method, samples, validation, settings.recipe, folder, identity)


def load_initial(settings: Settings, method: PoseMethod, path: Path, report: bool) -> None:
    """Load the weights that a run starts from: published ones, or another run's checkpoint."""
    if settings.initial_weights:
        mapping = settings.head_mapping or "by_joint_name"
        found = load_published(path, method, settings.skeleton, mapping, settings.start_whole)
        if report:
            log.info("%s: %s", path, found)
    elif settings.start_whole:
        method.load_state_dict(load_checkpoint(path))
    else:
        method.load_single_frame(load_checkpoint(path))

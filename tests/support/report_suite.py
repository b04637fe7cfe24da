"""A small made-up suite on disk in the form of the run folders: images, labels, runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tdmi.data.skeletons import JOINT_GROUPS, POSETRACK17, POSETRACK18
from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.spec import Dataset, Method, Reference, ReportSpec
from tdmi.reporting.tables.results import comparison_table
from tdmi.reporting.tables.tables import Table

SEEDS = (1, 2, 3)
METHODS = (
    Method("single_frame", "Single frame", "single", SEEDS),
    Method(
        "single_frame_equal_compute",
        "Single frame, equal compute",
        "single",
        SEEDS,
        "as many operations per key frame as the dearest temporal method",
    ),
    Method("flow_fusion", "Flow fusion", "flow", SEEDS),
    Method("dcpose", "DCPose", "deformable", SEEDS),
    Method("tdmi", "TDMI", "difference", SEEDS),
    Method("tdmi_no_mi", "TDMI without MI", "ablation", (1,)),
)
PROTOCOLS = ("ground_truth_boxes", "detected_boxes")
GAIN = {
    "single_frame": 0.0,
    "single_frame_equal_compute": 0.4,
    "flow_fusion": 0.9,
    "dcpose": 1.6,
    "tdmi": 2.6,
    "tdmi_no_mi": 2.4,
}
MISSING = {("dcpose", 3), ("flow_fusion", 1), ("flow_fusion", 2), ("flow_fusion", 3)}
VIDEOS = ["900001_mpiinew_mocap", "900002_mpiinew_mocap", "900003_mpiinew_mocap"]
VIDEO_METHODS = ("single_frame", "tdmi")
FRAMES, WIDTH, HEIGHT = 8, 320, 240
# A standing figure in units of its height, in the order of POSETRACK18 (ears unused).
FIGURE = np.array(
    [
        (0.02, 0.09), (0, 0.17), (0, 0), (0, 0), (0, 0), (0.1, 0.2), (-0.1, 0.2), (0.15, 0.35),
        (-0.15, 0.35), (0.14, 0.5), (-0.17, 0.48), (0.07, 0.52), (-0.07, 0.52), (0.08, 0.75),
        (-0.08, 0.75), (0.09, 0.97), (-0.1, 0.96),
    ]
)  # fmt: skip


def image_id(video: int, frame: int) -> int:
    return 3_900001_0000 + video * 10_000 + frame


def poses(video: int, frame: int) -> np.ndarray:
    """[persons, 17, 2] true joints in pixels."""
    sway = np.sin(frame / 2 + video)
    people = []
    for person in range(1 + video % 2):
        origin = np.array([90 + 110 * person + 5 * frame, 40 + 12 * video])
        figure = FIGURE * 150
        figure[[7, 9], 1] -= 30 * sway
        figure[[13, 15], 0] += 25 * sway
        people.append(origin + figure)
    return np.array(people)


def _record(video: int, frame: int, person: int, points: np.ndarray, predicted: bool) -> dict:
    labelled = np.ones(17)
    labelled[[3, 4]] = 0
    keypoints = np.column_stack([points, labelled]) * labelled[:, None]
    low, high = points[labelled > 0].min(axis=0), points[labelled > 0].max(axis=0)
    record = {
        "image_id": image_id(video, frame),
        "id": image_id(video, frame) * 100 + person,
        "category_id": 1,
        "track_id": person,
        "keypoints": [float(x) for x in keypoints.ravel()],
        "scores": [0.9] * 17 if predicted else [],
        "bbox": [float(x) for x in (*low, *(high - low))],
    }
    if not predicted:
        record["bbox_head"] = [float(points[2, 0] - 12), float(points[2, 1]), 24.0, 30.0]
    return record


def video_file(video: int, noise: float, seed: int, predicted: bool) -> dict:
    """One PoseTrack18 file; predictions are the truth plus Gaussian noise of `noise` px."""
    random = np.random.default_rng([video, seed, int(noise * 1000)])
    images, people = [], []
    for frame in range(FRAMES):
        images.append(
            {
                "file_name": f"images/test/{VIDEOS[video]}/{frame:06d}.jpg",
                "id": image_id(video, frame),
                "frame_id": image_id(video, frame),
                "vid_id": VIDEOS[video][:6],
                "nframes": FRAMES,
                "is_labeled": True,
                "ignore_regions_x": [],
                "ignore_regions_y": [],
            }
        )
        for person, points in enumerate(poses(video, frame)):
            moved = points + random.normal(0, noise, points.shape) if noise else points
            people.append(_record(video, frame, person, moved, predicted))
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK18.joints)}
    return {"images": images, "annotations": people, "categories": [category]}


def write_dataset(root: Path) -> None:
    random = np.random.default_rng(0)
    for video, name in enumerate(VIDEOS):
        folder = root / "images" / "test" / name
        folder.mkdir(parents=True)
        ground = cv2.resize(random.integers(60, 190, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT))
        for frame in range(FRAMES):
            image = ground.copy()
            for points in poses(video, frame).astype(int):
                for one, other in POSETRACK18.limbs:
                    ends = (points[POSETRACK18.index(joint)] for joint in (one, other))
                    cv2.line(
                        image, *(tuple(int(x) for x in end) for end in ends), (60, 90, 130), 14
                    )
                cv2.circle(image, tuple(int(x) for x in points[0]), 14, (150, 180, 220), -1)
            cv2.imwrite(str(folder / f"{frame:06d}.jpg"), image)
        _json(root / "annotations" / "test" / f"{name}.json", video_file(video, 0, 0, False))


def measured(method: str, seed: int, protocol: str) -> dict[str, float]:
    """AP per joint of one run, in per cent."""
    random = np.random.default_rng([len(method), seed])
    base = 62.0 if protocol == "ground_truth_boxes" else 55.0
    hard = {"wrist": -12, "ankle": -9, "elbow": -4, "knee": -3, "hip": 2, "shoulder": 8, "head": 12}
    group_of = {joint: group for group, joints in JOINT_GROUPS.items() for joint in joints}
    return {
        joint: base + hard[group_of[joint]] + GAIN[method] + float(random.normal(0, 0.5))
        for joint in POSETRACK17.joints
    }


def metrics(values: dict[str, float]) -> dict:
    groups = {g: float(np.mean([values[j] for j in joints])) for g, joints in JOINT_GROUPS.items()}
    total = float(np.mean(list(values.values())))
    block = groups | {"total": total, "per_joint": values}
    return {
        "protocol": "poseval",
        "frames": FRAMES * len(VIDEOS),
        "ground_truth_persons": 32,
        "predicted_persons": 32,
        "ap": block,
        "precision": block,
        "recall": block,
        "per_video": {name: {"ap_total": total + i} for i, name in enumerate(VIDEOS)},
    }


def write_run(runs: Path, method: str, seed: int, protocols: tuple[str, ...]) -> None:
    run = runs / method / f"seed{seed}"
    gain = GAIN[method]
    _json(
        run / "cost.json",
        {
            "parameters": int(1e6 + 2e5 * gain),
            "trainable_parameters": int(1e6),
            "gflops": 0.8 + gain,
            "input": [96, 72],
            "frames": 1 if method.startswith("single") else 5,
        },
    )
    _json(
        run / "timing.json",
        {
            "train_seconds": 50.0 + seed,
            "train_samples_per_second": 80.0,
            "predict_ms_per_person": 3.0 + gain,
            "device": "cpu",
        },
    )
    _json(
        run / "provenance.json",
        {
            "commit": "0123456789abcdef",
            "dirty": False,
            "packages": {"torch": "2.4.1", "numpy": "1.26.4"},
            "hardware": {"cpu": "a processor", "cores": 2},
            "wall_seconds": 60.0 + seed,
            "seed": seed,
        },
    )
    steps = np.arange(1, 11)
    history = pd.DataFrame(
        {
            "epoch": steps,
            "step": steps * 20,
            "learning_rate": 1e-3,
            "loss": 1e-3 * np.exp(-steps / 6) * (1 + 0.02 * seed),
            "loss_heatmap": 9e-4 * np.exp(-steps / 6) * (1 + 0.02 * seed),
            "val_ap": np.where(steps % 2 == 0, 60 + gain - 30 / steps + seed / 4, np.nan),
        }
    )
    history.to_csv(run / "history.csv", index=False)
    for protocol in protocols:
        _json(run / protocol / "metrics.json", metrics(measured(method, seed, protocol)))
        for video, name in enumerate(VIDEOS):
            content = video_file(video, 6 - gain, seed, True)
            _json(run / protocol / "predictions" / f"{name}.json", content)


def write_joint_runs(
    folder: Path, values: dict[str, list[float | None]], boxes: str = PROTOCOLS[0]
) -> None:
    """Runs from seed 1 on whose joints all have the same AP; None leaves a run out."""
    for name, row in values.items():
        for seed, value in enumerate(row, start=1):
            if value is not None:
                content = metrics(dict.fromkeys(POSETRACK17.joints, value))
                _json(folder / name / f"seed{seed}" / boxes / "metrics.json", content)


def joint_runs(
    folder: Path, values: dict[str, list[float | None]], boxes: str = PROTOCOLS[0]
) -> tuple[Runs, ReportSpec]:
    """The runs of `write_joint_runs` and their spec: methods single, equal, ..., tdmi."""
    families = {"flow": "flow", "tdmi": "difference"}
    methods = tuple(
        Method(name, name.upper(), families.get(name, "single"), SEEDS) for name in values
    )
    named = {"single_frame": "single", "equal_compute": "equal", "equal_layers": "layers"}
    spec = made_spec(
        methods,
        boxes,
        references=references(methods, **{k: n for k, n in named.items() if n in values}),
        subject=next((method for method in methods if method.name == "tdmi"), None),
    )
    write_joint_runs(folder, values, boxes)
    return read_runs(folder, methods, spec.box_protocols), spec


def joint_table(
    folder: Path, values: dict[str, list[float | None]], boxes: str = PROTOCOLS[0]
) -> Table:
    """The comparison of `joint_runs`."""
    runs, spec = joint_runs(folder, values, boxes)
    return comparison_table(runs, spec, boxes)


def references(methods: tuple[Method, ...], **named: str) -> tuple[Reference, ...]:
    """References by their words, e.g. ``single_frame="single"``."""
    by_name = {method.name: method for method in methods}
    words = {key: key.replace("_", " ") for key in named}
    return tuple(Reference(words[key], by_name[name], words[key]) for key, name in named.items())


def made_spec(methods: tuple[Method, ...], boxes: str = PROTOCOLS[0], **changes) -> ReportSpec:
    """Of methods of which the first is the single frame."""
    single = references(methods, single_frame=methods[0].name)
    options = {"references": single, "box_protocols": (boxes,), "seeds": methods[0].seeds}
    dataset = Dataset("Data", Path("data"), "test")
    return ReportSpec("suite", "Suite", dataset, methods, **(options | changes))


def write_suite(folder: Path, missing: set = frozenset(MISSING)) -> ReportSpec:
    """Write data set and runs under `folder`."""
    write_dataset(folder / "data")
    for method in METHODS:
        for seed in method.seeds:
            if (method.name, seed) not in missing:
                write_run(folder / "runs" / "made_up", method.name, seed, PROTOCOLS)
    video = [Method(m.name, m.label, m.family, (1,)) for m in METHODS if m.name in VIDEO_METHODS]
    for method in video:
        write_run(folder / "runs" / "made_up_video", method.name, 1, PROTOCOLS[:1])
    spec = ReportSpec(
        suite="made_up",
        title="Made-up suite",
        summary="Numbers without meaning, in the form of real ones.",
        dataset=Dataset("Figures", folder / "data", "test", "exact"),
        methods=METHODS,
        seeds=SEEDS,
        box_protocols=PROTOCOLS,
        references=references(
            METHODS, single_frame="single_frame", equal_compute="single_frame_equal_compute"
        ),
        subject=METHODS[4],
        decoding=("decoder dark", "flip averaging off"),
        choices={"training · epochs": 10, "training · input": [96, 72], "inference · flip": False},
    )
    walkers = Dataset("Walkers", folder / "data", "test", "pseudo")
    on_video = replace(spec, suite="made_up_video", dataset=walkers, methods=tuple(video))
    return replace(spec, real_video=on_video)


def _json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")

"""The figure that explains TDMI: it shows what the model computes, for whom the rule says."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from tdmi.checkpoints.own import save
from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.core.files import write_text
from tdmi.data.skeletons import HIEVE
from tdmi.experiments.build import build_method
from tdmi.experiments.explain.inspection import inspect, open_subject
from tdmi.models.temporal_difference import temporal_differences
from tdmi.reporting.figures.explanation import (
    explain_report,
    explain_run,
    fastest,
    most_different,
    person_of,
)
from tdmi.reporting.figures.explanation_drawing import draw, numbers, shown_joints
from tests.support import tiny_dataset
from tests.support.report_suite import write_suite

PERSON = 2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return root


def run_folder(root, folder, kind="tdmi.models.tdmi.TDMI", crop=None, **options):
    """A run folder with random weights, as the trainer would leave it."""
    settings = tiny_dataset.settings(root)
    settings["crop"] |= crop or {}
    settings["method"] |= {"name": "tdmi", "class": kind, "options": options}
    torch.manual_seed(0)
    method = build_method(tiny_dataset.typed(settings))
    with torch.no_grad():
        for parameter in method.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    save(folder / "checkpoint.pt", {"model": method.state_dict()})
    return folder


def rms(feature):
    return np.sqrt(np.square(feature.numpy()).mean(axis=-3))


@pytest.mark.parametrize("difference", ["consecutive", "to_key", "none"])
def test_maps_are_those_of_the_model(root, tmp_path, difference):
    subject = open_subject(run_folder(root, tmp_path, encoder={"difference": difference}))
    seen = {}
    hook = subject.method.register_forward_hook(
        lambda _, given, output: seen.update(frames=given[0], output=output)
    )
    found = inspect(subject, PERSON)
    hook.remove()
    features = subject.method.features(seen["frames"], (1, 2))
    for maps, feature in zip(found.differences, features, strict=True):
        expected = rms(temporal_differences(feature.detach(), difference)[0])
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
    terms = {name: value[0] for name, value in seen["output"].terms.items()}
    for name in ("motion", "useful", "noisy"):
        np.testing.assert_allclose(getattr(found, name), rms(terms[name]), rtol=1e-5)
    useful = terms["motion"] * found.useful_mask[:, None, None]
    np.testing.assert_allclose(rms(useful), found.useful, rtol=1e-5)
    np.testing.assert_array_equal(found.heatmaps, seen["output"].heatmaps[0].numpy())
    assert found.modulated.shape == (2, 16, 12) and (found.modulated.max(axis=(1, 2)) > 0).all()
    assert not any(part._forward_pre_hooks for part in subject.method.encoder.intra_stage)
    assert not any(part._forward_hooks for part in subject.method.encoder.modulation)


def test_crops_and_positions_are_of_the_person(root, tmp_path):
    """Labelled joints are the bright blobs of the key frame, also at the size that is shown."""
    subject = open_subject(run_folder(root, tmp_path))
    found = inspect(subject, PERSON)
    assert found.crops.shape == (5, 192, 144, 3) and found.offsets == (-2, -1, 0, 1, 2)
    scale = 192 / 16
    for point in found.labels[found.labelled]:
        x, y = np.rint((point + 0.5) * scale - 0.5).astype(int)
        assert found.crops[found.key, y, x].mean() > 200
    assert not found.labelled[tiny_dataset.EARS].any()


def test_crops_are_cut_as_the_suite_says(root, tmp_path):
    """Twice the box in the official geometry, by hand: centre to (24, 32), heatmap = crop / 4."""
    crop = {"box_enlargement": 2.0, "geometry": "official"}
    subject = open_subject(run_folder(root, tmp_path, crop=crop))
    x, y, width, height = subject.annotations.box[PERSON]
    scale = 48 / (2 * max(width, 0.75 * height))
    points = subject.annotations.keypoints[PERSON] - (x + width / 2, y + height / 2)
    found = inspect(subject, PERSON)
    np.testing.assert_allclose(found.labels, (points * scale + (24, 32)) / 4)
    for point in found.labels[found.labelled]:
        column, row = np.rint(point * 12).astype(int)
        assert found.crops[found.key, row, column].mean() > 150


@pytest.mark.parametrize("gate", ["channel", "complementary", "softmax", "spatial", "none"])
def test_every_gate_has_a_drawing(root, tmp_path, gate):
    options = {"mutual_information": {"estimator": "none"}, "disentanglement": {"gate": gate}}
    found = inspect(open_subject(run_folder(root, tmp_path, **options)), PERSON)
    figure, data = draw(found)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:5] == ["t−2", "t−1", "t (key frame)", "t+1", "t+2"]
    assert titles[5:9] == ["t−1 minus t−2", "t minus t−1", "t+1 minus t", "t+2 minus t+1"]
    spatial = gate == "spatial"
    assert found.useful_mask.shape == ((4, 16, 12) if spatial else (4,))
    assert any(title.startswith("noisy mask") for title in titles) == spatial
    masks = data[data.part == "masks"]
    assert len(masks) == 8 and masks.value.between(0, 1).all()
    if gate in ("complementary", "softmax", "none"):
        sums = masks.groupby("index").value.sum()
        np.testing.assert_allclose(sums, 1, rtol=1e-5)


def test_differences_to_the_key_frame_stand_below_their_frames(root, tmp_path):
    encoder = {"difference": "to_key"}
    found = inspect(open_subject(run_folder(root, tmp_path, encoder=encoder)), PERSON)
    figure, _ = draw(found)
    places = {axes.get_title(loc="left"): axes.get_position().x0 for axes in figure.axes}
    for time in ("t−2", "t−1", "t+1", "t+2"):
        assert places[f"{time} minus t"] == places[time]


def test_numbers_are_means_of_the_maps(root, tmp_path):
    found = inspect(open_subject(run_folder(root, tmp_path)), PERSON)
    data = numbers(found)

    def value(part, name):
        (value,) = data[(data["part"] == part) & (data["name"] == name)].value
        return value

    assert value("stage 2", "t minus t−1") == pytest.approx(found.differences[1, 1].mean())
    assert value("parts", "noisy") == pytest.approx(found.noisy.mean())
    ankle = found.skeleton.index("left_ankle")
    assert value("heatmap peaks", "left_ankle") == pytest.approx(found.heatmaps[ankle].max())


# --- who is shown -----------------------------------------------------------------------------


def test_the_person_is_the_one_on_whom_errors_differ_most_either_way():
    table = pd.DataFrame({"single": [0.5, 0.9, 0.2], "tdmi": [0.4, 0.7, 0.45], "frame": [0, 1, 2]})
    assert most_different(table, "single", "tdmi").frame == 2
    table.loc[2, "tdmi"] = 0.4  # a tie with row 1, which comes first
    assert most_different(table, "single", "tdmi").frame == 1
    with pytest.raises(UserError, match="no labelled person"):
        most_different(table[:0], "single", "tdmi")


def test_the_fastest_person_by_hand():
    truth = tiny_dataset.annotations("test")
    truth.keypoints[3:] += np.array([9.0, 0.0])  # a jump from frame 2 to frame 3
    # Ways per frame 2, 2, 11, 2: the people of frames 2 and 3 have both 6.5 on average.
    assert fastest(truth) == 2
    assert fastest(truth, truth.person_frame != 2) == 3
    truth.present[2, :10] = False  # too few joints left
    assert fastest(truth) == 3
    with pytest.raises(UserError, match="no person there"):
        fastest(truth, np.zeros(truth.persons, bool))


def test_a_row_of_candidates_leads_back_to_its_person():
    truth = tiny_dataset.annotations("test")
    row = pd.Series({"video": truth.video_names[0], "frame": 3, "track_id": 0})
    assert person_of(truth, row) == 3


def test_a_skeleton_without_the_usual_ends_shows_other_joints(root, tmp_path):
    found = inspect(open_subject(run_folder(root, tmp_path)), PERSON)
    assert shown_joints(found) == ["right_wrist", "left_wrist", "right_ankle", "left_ankle"]
    short = replace(HIEVE, joints=("nose", "chest", "left_hip", "right_wrist"))
    assert shown_joints(replace(found, skeleton=short)) == [
        "right_wrist", "left_hip", "chest", "nose"
    ]  # fmt: skip


# --- the command ------------------------------------------------------------------------------


def test_command_writes_the_same_three_files_each_time(root, tmp_path, capsys):
    run = run_folder(root, tmp_path / "run")
    first, second = tmp_path / "one" / "figure.png", tmp_path / "two" / "figure.png"
    for out in (first, second):
        arguments = ["explain", "--run", str(run), "--out", str(out), "--frame", "3"]
        assert main([*arguments, "--threads", "1"]) == 0
    assert "900003_mpiinew_dots, frame 3, track 0" in capsys.readouterr().out
    for suffix in (".png", ".svg", ".csv"):
        one, two = (path.with_suffix(suffix).read_bytes() for path in (first, second))
        assert one == two and one


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"video": "other"}, "--video: found 'other', expected one of 900003_mpiinew_dots"),
        ({"frame": 77}, "no person there"),
        ({"track": 5}, "no person there"),
    ],
)
def test_people_that_are_not_there_are_named(root, tmp_path, options, words):
    run = run_folder(root, tmp_path)
    with pytest.raises(UserError, match=words) as error:
        explain_run(run, tmp_path / "out.png", **options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.png").exists()


def test_other_methods_and_missing_runs_are_refused(root, tmp_path):
    single = run_folder(root, tmp_path / "single", "baselines.single_frame.SingleFrame")
    with pytest.raises(UserError, match="found a run of SingleFrame, expected TDMI"):
        open_subject(single)
    with pytest.raises(UserError, match="no such run folder"):
        open_subject(tmp_path / "nothing")


# --- the report -------------------------------------------------------------------------------


def test_report_explains_its_subject_on_both_data_sets(tmp_path):
    spec = write_suite(tmp_path)
    for suite in ("made_up", "made_up_video"):
        run_folder(tmp_path / "data", tmp_path / "runs" / suite / "tdmi" / "seed1")
    pictures = explain_report(spec, tmp_path / "runs", tmp_path / "out")
    assert [picture.path.name for picture in pictures] == [
        "explanation.webp", "explanation_real_video.webp"
    ]  # fmt: skip
    for picture, labels in zip(pictures, ("labels", "pseudo-labels"), strict=True):
        assert f"head sizes to the {labels})" in picture.caption
        assert picture.path.with_suffix(".csv").exists()
        assert cv2.imread(str(picture.path)) is not None


def test_report_without_a_checkpoint_or_another_subject_explains_nothing(tmp_path):
    spec = write_suite(tmp_path)
    assert explain_report(spec, tmp_path / "runs", tmp_path / "out") == []
    run_folder(tmp_path / "data", tmp_path / "runs" / "made_up" / "tdmi" / "seed1")
    alone = replace(spec, subject=None)
    assert explain_report(alone, tmp_path / "runs", tmp_path / "out") == []
    run = tmp_path / "runs" / "made_up" / "dcpose" / "seed1"
    run_folder(tmp_path / "data", run, "baselines.single_frame.SingleFrame")
    other = replace(spec, subject=spec.method("dcpose"))
    assert explain_report(other, tmp_path / "runs", tmp_path / "out") == []
    assert not (tmp_path / "out").exists()

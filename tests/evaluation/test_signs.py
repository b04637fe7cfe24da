"""Signs of a mistake get the same warning by every protocol; sound files get none."""

import copy
import re

import numpy as np
import pytest

from tdmi.data.annotations import Annotations, on_skeleton
from tdmi.data.skeletons import HIEVE
from tdmi.evaluation import PROTOCOLS
from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import evaluate_folders
from tdmi.formats import posetrack18
from tests.support.golden_evaluation import cases, write_back
from tests.support.paths import ROOT

CASE = cases("poseval")["m_medium_pt18"]
NEVER = ROOT / "tests" / "cases" / "joint-never-annotated"


def damaged(folder, side="pred", damage=lambda person: None):
    """Folders of the sound case, with every person of one side damaged."""
    case = copy.deepcopy(CASE)
    for content in case[side].values():
        for person in content["annotations"]:
            damage(person)
    return write_back(case, folder)


def warnings(sides, protocol, **options) -> str:
    return "\n".join(evaluate_folders(Request(*sides, protocol, **options)).warnings)


def on_hieve(folder, side="pred", damage=lambda person: None):
    """The same on HiEve's joints, which PoseTrack's labels have but for the chest."""
    sides = damaged(folder / "posetrack", side, damage)
    for name, source in zip(("gt", "pred"), sides, strict=True):
        people: Annotations = on_skeleton(posetrack18.read_folder(source), HIEVE)
        people.frame_labelled[:] = True
        posetrack18.write_folder(people, folder / name)
    return folder / "gt", folder / "pred"


def scaled(person):
    person["keypoints"] = [v / 1000 if k % 3 < 2 else v for k, v in enumerate(person["keypoints"])]


def evenly_scored(person):
    person |= {"score": 1.0, "scores": [0.5] * 17}


def unscored(person):
    person.pop("score", None)
    person["scores"] = []


def some_unscored(person):
    if person["track_id"] % 2:
        unscored(person)


def without_ankles(person):
    for slot in (15, 16):
        person["keypoints"][3 * slot : 3 * slot + 3] = [0, 0, 0]


def filled(person):
    person["keypoints"][:3] = [-1, -1, 0]


def filled_with_score(person):
    person["keypoints"][:3] = [0, 0, 0.8]


def flat(person):
    person |= {"area": 0.0, "bbox": [9.0, 9.0, 0.0, 0.0], "bbox_head": [9.0, 9.0, 0.0, 0.0]}


def tiny(person):
    person |= {"area": 0.002, "bbox": [v / 1000 for v in person["bbox"]]}
    person["bbox_head"] = [v / 1000 for v in person["bbox_head"]]


SIGNS = [
    ("pred", scaled, r"95 % of predicted x are below [01]\.\d+, of annotated ones below \d{3}"),
    ("pred", scaled, r"total AP is 0(\.\d+)? %"),
    ("pred", evenly_scored, r"all \d+ predicted (joints|people) have the score (0\.5|1), so AP"),
    ("pred", unscored, r"no predicted (joint|person) has a score"),
    ("pred", some_unscored, r"\d+ of \d+ predicted (joints|people) have no score and rank below"),
    (
        "pred",
        without_ankles,
        r"never predicted, though annotated: right_ankle \(\d+\), left_a|left",
    ),
    ("pred", filled, r"\d+ predicted joints lie at \(0, 0\), \(-1, -1\) or the like"),
    ("pred", filled_with_score, r"\d+ predicted joints lie at \(0, 0\), \(-1, -1\) or the like"),
    ("gt", filled, r"\d+ annotated joints lie at .*; they have to be found"),
    (
        "gt",
        flat,
        r"(\d+) of \1 people of the ground truth have the .+ 0, so their joints",
    ),
    ("gt", tiny, r"the .+ is [\d.e-]+ px and the joints of a person span \d+ px"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("side", "damage", "warning"), SIGNS)
def test_every_protocol_says_it(protocol, side, damage, warning, tmp_path):
    make = on_hieve if protocol == "hieve" else damaged
    found = warnings(make(tmp_path, side, damage), protocol)
    # PoseTrack21's kit takes no joint there for one.
    expected = protocol != "posetrack21" or damage not in (filled, filled_with_score)
    assert bool(re.search(warning, found)) == expected


@pytest.mark.parametrize("protocol", ["poseval", "posetrack21", "oks"])
def test_sound_files_get_no_warning(protocol, tmp_path):
    sides = damaged(tmp_path)
    found = warnings(sides, protocol)
    assert not re.search("|".join(warning for *_, warning in SIGNS), found)
    assert "never annotated" not in found


@pytest.mark.parametrize("protocol", ["poseval", "posetrack21"])
def test_a_joint_that_nobody_is_annotated_with_is_named_beside_the_total(protocol):
    found = evaluate_folders(Request(NEVER / "gt", NEVER / "pred", protocol))
    (line,) = (line for line in found.warnings if "never annotated" in line)
    assert "right_ankle; " in line and "AP 0 in their group (ankle) and in the total" in line
    assert line.endswith("perfect predictions have 93.3")
    if protocol == "poseval":  # the kit of PoseTrack21 cuts the scores of this file
        assert found.content["ap"]["total"] == pytest.approx(100 * 14 / 15)


def test_a_joint_of_hieve_that_nobody_is_annotated_with(tmp_path):
    truth, _ = on_hieve(tmp_path)
    found = evaluate_folders(Request(truth, truth, "hieve"))
    (line,) = (line for line in found.warnings if "never annotated" in line)
    assert "never annotated: chest; " in line and "(shoulder)" in line
    best = re.search(r"predictions have (\d+\.\d)$", line)[1]
    assert float(best) == pytest.approx(found.content["ap"]["total"], abs=0.05)


def test_predicted_though_never_annotated(tmp_path):
    """poseval leaves the joint out of the total, PoseTrack21's kit counts it with 0."""
    sides = damaged(tmp_path, "gt", without_ankles)
    line = "never annotated, though predicted: right_ankle, left_ankle; .*left out of the total"
    assert re.search(line, warnings(sides, "poseval"))
    found = warnings(sides, "posetrack21")
    assert re.search(r"never annotated: right_ankle, left_ankle; .*predictions have 86\.7", found)


def test_a_joint_that_one_video_lacks_is_told_for_its_own_numbers(tmp_path):
    sides = damaged(tmp_path)
    first = min(sides[0].iterdir()).stem
    for folder in sides:
        people = posetrack18.read_folder(folder)
        rows = people.frame_video[people.person_frame] == people.video_names.index(first)
        people.present[np.ix_(rows, [people.skeleton.index("nose")])] = False
        posetrack18.write_folder(people, folder)
    lines = warnings(sides, "poseval")
    videos = len(list(sides[0].iterdir()))
    text = rf"in 1 of {videos} videos nobody is annotated .*\({first}: nose\); .*'per_video'"
    assert re.search(text, lines) and "never annotated" not in lines

"""Weights as other projects save them: recognised, taken over to the same outputs, or refused."""

import gzip
import json
import os
import pickle

import pytest
import torch

from baselines.dcpose import DCPose
from baselines.fami_pose import FAMIPose
from baselines.posewarper import PoseWarper
from baselines.single_frame import SingleFrame
from tdmi.checkpoints import inspect_published, load_published
from tdmi.checkpoints.own import load_checkpoint
from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.data.skeletons import COCO, HIEVE, POSETRACK18
from tdmi.experiments.predict import predict_run
from tdmi.models.hrnet import HRNet
from tdmi.models.tdmi import TDMI
from tdmi.reporting.data.runs import read_runs
from tdmi.reporting.data.spec import Method
from tests.support import golden_models, tiny_dataset
from tests.support import published_files as files

SINGLE_FRAME = {  # files with a whole trunk and a pose head: backbone, maker, family
    "bare": (files.hrnet, files.bare, "HRNet for pose"),
    "parallel": (files.hrnet, lambda m: files.parallel(files.bare(m)), "HRNet for pose"),
    "training": (
        files.hrnet,
        lambda m: files.training_checkpoint(files.bare(m)),
        "HRNet for pose",
    ),
    "best": (files.hrnet, lambda m: files.best_alone(files.bare(m)), "HRNet for pose"),
    "mmpose 0": (files.hrnet, files.mmpose_0, "mmpose 0.x (HRNet)"),
    "mmpose 1": (files.hrnet, files.mmpose_1, "mmpose 1.x (HRNet)"),
    "tdmi": (files.hrnet, files.tdmi_authors, "TDMI authors' code"),
    "own": (files.hrnet, lambda m: {"model": m.state_dict()}, "this project (HRNet)"),
    "SimpleBaseline": (files.resnet, files.bare, "SimpleBaseline"),
    "mmpose 0 ResNet": (files.resnet, files.mmpose_0, "mmpose 0.x (ResNet)"),
    "mmpose 1 ResNet": (files.resnet, files.mmpose_1, "mmpose 1.x (ResNet)"),
    "own ResNet": (files.resnet, lambda m: {"model": m.state_dict()}, "this project (ResNet)"),
}
WHOLE = {  # class, options, maker, the official list of names, family
    "DCPose": (DCPose, {}, files.dcpose, "dcpose"),
    "PoseWarper": (PoseWarper, {}, files.posewarper, "posewarper_agg"),
    "FAMI-Pose": (
        FAMIPose,
        {"mutual_information": {"estimator": "legacy"}},
        files.fami_pose,
        "fami_pose",
    ),
}


def saved(tmp_path, content, **options):
    path = tmp_path / "weights.pth"
    torch.save(content, path, **options)
    return path


def outputs(model):
    torch.manual_seed(1)
    frames = torch.randn(1, len(model.window), 3, 64, 48)
    with torch.no_grad():
        return model.eval()(frames, torch.tensor([model.window])).heatmaps


def assert_same_outputs(model, source):
    wanted = outputs(source)
    assert wanted.std() > 0.01
    assert torch.equal(outputs(model), wanted)


def official_names(golden):
    with gzip.open(golden_models.FOLDER / golden / "keys.json.gz", "rt") as file:
        return {name for name, _, _ in json.load(file)}


def whole_model(name, start="paper", seed=0):
    cls, options, _, _ = WHOLE[name]
    return files.filled(cls(files.published_hrnet(), start=start, **options), seed)


def tensors_of(content):
    return content.get("state_dict", content)


# --- families -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SINGLE_FRAME)
def test_trunk_and_head_of_every_family_give_the_same_outputs(tmp_path, name):
    backbone, make, family = SINGLE_FRAME[name]
    source = files.single_frame(backbone)
    path = saved(tmp_path, make(source))
    model = SingleFrame(backbone())
    report = load_published(path, model, POSETRACK18, "as_is")
    assert report.family.startswith(family)
    assert not report.missing
    assert len(report.matched) + len(report.converted) == len(source.state_dict())
    assert_same_outputs(model, source)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_give_the_same_outputs(tmp_path, name):
    _, _, make, golden = WHOLE[name]
    source = whole_model(name)
    content = make(source)
    found = {key.removeprefix("module.") for key in tensors_of(content)}
    assert found == official_names(golden)
    model = whole_model(name, seed=1)
    report = load_published(saved(tmp_path, content), model, POSETRACK18, whole=True)
    assert report.family == name and not report.missing and not report.unused
    assert_same_outputs(model, source)


@pytest.mark.parametrize("name", WHOLE)
def test_trunk_alone_of_a_whole_model_starts_another_method(tmp_path, name):
    source = whole_model(name)
    path = saved(tmp_path, WHOLE[name][2](source))
    model = TDMI(files.published_hrnet())
    report = load_published(path, model, POSETRACK18)
    shared = files.single_frame(files.published_hrnet)
    shared.load_single_frame(
        {k: v for k, v in source.state_dict().items() if k.startswith(("backbone.", "head."))}
    )
    assert_same_outputs_at_the_start(model, shared)
    others = len(source.state_dict()) - len(shared.state_dict())
    assert len(report.unused) == others
    assert set(report.unused.values()) == {f"{name}'s own, taken over by start_whole"}


def assert_same_outputs_at_the_start(model, single):
    torch.manual_seed(1)
    frames = torch.randn(1, 5, 3, 64, 48)
    with torch.no_grad():
        ours = model.eval()(frames, torch.tensor([model.window])).heatmaps
        wanted = single.eval()(frames[:, 2:3], torch.zeros(1, 1)).heatmaps
    assert float((ours - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_small_models_have_the_official_names():
    assert files.bare(files.single_frame(files.published_hrnet)).keys() == official_names(
        "hrnet_w48"
    )
    names = files.bare(files.single_frame(files.resnet)).keys()
    assert names == official_names("simplebaseline_r50")


@pytest.mark.parametrize(
    ("backbone", "make", "anew"),
    [
        (files.hrnet, files.classifier, ("head.",)),
        (files.resnet, files.torchvision_resnet, ("head.", "backbone.deconv_layers.")),
    ],
)
def test_classifiers_give_the_trunk_alone(tmp_path, backbone, make, anew):
    source, model = files.single_frame(backbone), SingleFrame(backbone())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    content = make(source)
    report = load_published(saved(tmp_path, content), model, POSETRACK18)
    given = source.state_dict()
    for name, value in model.state_dict().items():
        initial = name.startswith(anew)
        assert torch.equal(value, (before if initial else given)[name]), name
        assert initial == (name in report.missing)
    ours = {name for name in given if not name.startswith(anew)}
    assert report.unused.keys() == content.keys() - {n.removeprefix("backbone.") for n in ours}


def test_reasons_for_what_is_left_out(tmp_path):
    model = SingleFrame(files.hrnet())
    report = load_published(
        saved(tmp_path, files.classifier(files.single_frame())), model, POSETRACK18
    )
    assert "classifier" in report.unused["final_layer.0.weight"]
    assert "finest branch" in report.unused["stage4.2.fuse_layers.3.0.0.0.weight"]
    report = load_published(
        saved(tmp_path, files.mmpose_1(files.single_frame())), model, POSETRACK18
    )
    assert report.unused.keys() == {"data_preprocessor.mean", "data_preprocessor.std"}


def test_old_files_without_counters_and_in_the_old_format(tmp_path):
    source, model = files.single_frame(), SingleFrame(files.hrnet())
    state = {k: v for k, v in files.bare(source).items() if "num_batches_tracked" not in k}
    path = saved(tmp_path, state, _use_new_zipfile_serialization=False)
    report = load_published(path, model, POSETRACK18, "as_is")
    counters = {name for name in source.state_dict() if "num_batches_tracked" in name}
    assert report.missing.keys() == counters
    assert_same_outputs(model, source)


def test_a_score_as_numpy_2_writes_it_is_read(tmp_path):
    content = files.training_checkpoint(files.bare(files.single_frame(two_stages)))
    path = saved(tmp_path, content, _use_new_zipfile_serialization=False)
    one, two = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    written = path.read_bytes()
    assert one in written or two in written
    for old, new in ((one, two), (two, one)):
        path.write_bytes(written.replace(old, new))
        load_published(path, SingleFrame(two_stages()), POSETRACK18)


def test_report_as_text(tmp_path):
    source = files.single_frame()
    path = saved(tmp_path, files.mmpose_1(source))
    text = str(load_published(path, SingleFrame(files.hrnet()), POSETRACK18))
    for line in (
        "weights of mmpose 1.x (HRNet)",
        "head: by_joint_name, all joints taken over, except head_bottom, head_top, which begin as "
        "drawn",
        f"matched {len(source.state_dict()) - 2}",
        "converted 2",
        "  head -> head (2)",
        "missing 0",
        "unused 2",
    ):
        assert line in text.splitlines(), line
    assert "  data_preprocessor (2): " in text


# --- joints -------------------------------------------------------------------------------------


def two_stages():
    return HRNet(4, 2, modules=(1,), blocks=1, stem_width=4, stem_blocks=1)


def head_of(tmp_path, skeleton, mapping, make=files.bare, joints=17):
    """Bias of the head: the file's channel c holds c + 1, what begins anew 0."""
    source = files.single_frame(two_stages, joints)
    source.head.bias.data = torch.arange(1.0, joints + 1)
    method = SingleFrame(two_stages(), len(skeleton))
    load_published(saved(tmp_path, make(source)), method, skeleton, mapping)
    return method.head.bias.int().tolist()


def test_head_mappings_by_hand(tmp_path):
    every = list(range(1, 18))
    named = [1, 0, 0, *range(4, 18)]
    assert head_of(tmp_path, POSETRACK18, "by_joint_name") == named
    assert head_of(tmp_path, POSETRACK18, "reuse_eyes") == every
    assert head_of(tmp_path, POSETRACK18, "as_is") == every
    # A family that is trained on PoseTrack has head_bottom and head_top of its own.
    authors = files.tdmi_authors
    assert head_of(tmp_path, POSETRACK18, "by_joint_name", authors) == every
    hieve = head_of(tmp_path, HIEVE, "by_joint_name")
    assert hieve == [1, 0, 7, 9, 11, 6, 8, 10, 13, 15, 17, 12, 14, 16]
    assert head_of(tmp_path, HIEVE, "as_is", joints=14) == list(range(1, 15))


@pytest.mark.parametrize(
    ("skeleton", "mapping", "make", "joints", "words"),
    [
        (POSETRACK18, "by_joint_name", files.bare, 16, "(16, 4, 1, 1), expected (17, 4, 1, 1)"),
        (POSETRACK18, "by_joint_name", files.bare, 16, "17 joints of coco"),
        (HIEVE, "as_is", files.bare, 17, "14 joints of hieve"),
        (HIEVE, "reuse_eyes", files.bare, 17, "reuse_eyes from joints of coco to hieve"),
        (POSETRACK18, "reuse_eyes", files.tdmi_authors, 17, "from joints of posetrack18 to"),
        (COCO, "eyes", files.bare, 17, "expected one of by_joint_name, reuse_eyes, as_is"),
    ],
)
def test_other_joints_are_refused(tmp_path, skeleton, mapping, make, joints, words):
    with pytest.raises(UserError) as error:
        head_of(tmp_path, skeleton, mapping, make, joints)
    assert words in str(error.value)


# --- what does not fit --------------------------------------------------------------------------


def without(name):
    return lambda state: {k: v for k, v in state.items() if k != name}


def renamed(old, new):
    return lambda state: {k.replace(old, new): v for k, v in state.items()}


FAULTS = {
    "a hole": (
        without("stage3.2.fuse_layers.1.0.0.1.running_var"),
        "1 missing (backbone.stage3.2.fuse_layers.1.0.0.1.running_var)",
    ),
    "no head": (without("final_layer.bias"), "1 missing (head.bias)"),
    "half a trunk": (
        lambda state: {k: v for k, v in state.items() if "stage4" not in k},
        "missing (backbone.stage4.0.branches.0.0.conv1.weight",
    ),
    "a part renamed": (renamed("layer1.", "layer9."), "found 24 names (layer9.0.conv1.weight"),
    "a name inside renamed": (renamed("branches.0.0", "branches.0.9"), "unexpected (backbone."),
    "a part more": (
        lambda state: state | {"offset_layer.weight": torch.zeros(1)},
        "found 1 names (offset_layer.weight)",
    ),
    "another shape": (
        lambda state: state | {"conv2.weight": torch.zeros(8, 4, 3, 3)},
        "backbone.conv2.weight (8, 4, 3, 3) for (4, 4, 3, 3)",
    ),
    "another network": (renamed("", "preact."), "names of no known network"),
    "ResNet": (lambda _: files.bare(files.single_frame(files.resnet)), "PoseResNet, expected"),
    "not a tensor": (lambda state: state | {"conv1.weight": 1}, "'conv1.weight' is of type int"),
    "a list": (lambda state: list(state.values()), "no state dictionary (a list)"),
    "nothing": (lambda _: {}, "no state dictionary (a dict)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused_whole(tmp_path, fault):
    change, words = FAULTS[fault]
    path = saved(tmp_path, change(files.bare(files.single_frame())))
    method = SingleFrame(files.hrnet())
    before = {name: value.clone() for name, value in method.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_published(path, method, POSETRACK18)
    message = str(error.value)
    assert message.startswith(f"{path}: found") and words in message and "expected" in message
    assert "\n" not in message
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_fit_their_own_method_and_options_alone(tmp_path, name):
    path = saved(tmp_path, WHOLE[name][2](whole_model(name)))
    for other in (SingleFrame(files.published_hrnet()), whole_model(name, start="single_frame")):
        with pytest.raises(UserError, match=rf"found weights of {name} with .*whole model of"):
            load_published(path, other, POSETRACK18, whole=True)


class Harmful:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("save", ["zip", "legacy", "pickle", "text pickle"])
def test_code_in_a_file_is_not_run(tmp_path, save):
    mark, path = tmp_path / "ran", tmp_path / "weights.pth"
    content = {"state_dict": {"conv1.weight": torch.zeros(1)}, "perf": Harmful(mark)}
    if save in ("zip", "legacy"):
        torch.save(content, path, _use_new_zipfile_serialization=save == "zip")
    else:
        path.write_bytes(pickle.dumps(content["perf"], protocol=0 if save == "text pickle" else 2))
    with pytest.raises(UserError) as error:
        load_published(path, SingleFrame(files.hrnet()), POSETRACK18)
    assert not mark.exists()
    assert str(error.value).startswith(f"{path}: found") and "\n" not in str(error.value)
    if save in ("zip", "legacy"):
        assert "posix.system, which was not run" in str(error.value)
    pickle.loads(pickle.dumps(content["perf"]))
    assert mark.exists()  # it is harmful indeed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found an empty file"),
        (b"<!DOCTYPE html><title>Sign in", "b'<!DOCTYPE html><'), expected"),
        (b"PK\x03\x04 half a file", "found no readable weights"),
        (b"\x80\x02 half a file", "found no readable weights"),
        (None, "cannot be read (Is a directory)"),
    ],
)
def test_files_that_are_no_weights(tmp_path, content, words):
    path = tmp_path / "weights.pth"
    path.write_bytes(content) if content is not None else path.mkdir()
    with pytest.raises(UserError) as error:
        inspect_published(path)
    assert str(error.value).startswith(f"{path}: ") and words in str(error.value)
    assert "\n" not in str(error.value)


# --- without a method, and on the command line --------------------------------------------------


def test_inspection_finds_the_backbone_and_its_holes(tmp_path, capsys):
    path = saved(tmp_path, files.bare(files.single_frame()))
    assert main(["data", "weights", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"{path}: weights of HRNet for pose (official)" in said
    assert (
        "backbone: { width: 4, stages: 4, modules: [1, 3, 3], blocks: 1, stem_width: 4, "
        "stem_blocks: 1 }"
    ) in said
    assert "head: 17 channels" in said and "SHA-256" in said
    path = saved(tmp_path, FAULTS["a hole"][0](files.bare(files.single_frame())))
    assert main(["data", "weights", str(path)]) == 2
    assert "1 missing (backbone.stage3.2" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*WHOLE, "classifier", "ResNet classifier"])
def test_inspection_of_other_families(tmp_path, name):
    if name in WHOLE:
        content = WHOLE[name][2](whole_model(name))
    elif name == "classifier":
        content = files.classifier(files.single_frame())
    else:
        content = files.torchvision_resnet(files.single_frame(files.resnet))
    report = inspect_published(saved(tmp_path, content))
    assert ("head: 17 channels" in report.notes) == (name in WHOLE)
    width = "width: 2" if "ResNet" in name else "width: 4"
    assert any(width in note for note in report.notes)


def test_inspection_for_a_method_of_a_suite(tmp_path, capsys):
    path = saved(tmp_path, files.bare(files.single_frame()))
    assert main(["data", "weights", str(path), "--suite", "smoke"]) == 2
    assert "expected both or neither" in capsys.readouterr().err
    command = ["data", "weights", str(path), "--suite", "smoke", "--method", "single_frame"]
    assert main(command) == 2
    assert "missing" in capsys.readouterr().err  # the suite's backbone is another


# --- runs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("dots")
    tiny_dataset.write(root)
    return root


def test_an_official_model_is_judged_without_training(root, tmp_path):
    source = whole_model("DCPose")
    settings = tiny_dataset.settings(root) | {
        "initial_weights": str(saved(tmp_path, files.dcpose(source))),
        "head_mapping": "by_joint_name",
        "start_whole": True,
        "backbone": {"width": 4, "stem_width": 4},
        "recipe": {"steps": 0},
    }
    settings["method"] |= {"class": "baselines.dcpose.DCPose", "options": {"start": "paper"}}
    settings["inference"]["box_protocols"] = ["ground_truth_boxes"]
    run = tmp_path / "tiny/dcpose/seed3"
    tiny_dataset.train(settings, tmp_path, "tiny/dcpose/seed3")
    kept = load_checkpoint(run / "checkpoint.pt")
    assert kept.keys() == source.state_dict().keys()
    assert all(torch.equal(kept[name], value) for name, value in source.state_dict().items())
    predict_run(run, "test", run)
    truth = root / "annotations" / "test"
    predictions = run / "ground_truth_boxes" / "predictions"
    assert {f.name for f in predictions.iterdir()} == {f.name for f in truth.iterdir()}
    metrics = run / "ground_truth_boxes" / "metrics.json"
    command = ["evaluate", "--gt", str(truth), "--pred", str(predictions), "--out", str(metrics)]
    assert main([*command, "--protocol", "poseval"]) == 0
    method = Method(name="dcpose", label="DCPose", seeds=(3,), family="deformable")
    runs = read_runs(tmp_path / "tiny", [method], ["ground_truth_boxes"])
    assert runs.history.empty and len(runs.timing) == 1 and not runs.groups.empty


def test_training_starts_from_another_project_and_says_what_it_took(root, tmp_path, caplog):
    caplog.set_level("INFO")
    source = files.single_frame(two_stages)
    settings = tiny_dataset.settings(root, steps=1, learning_rate=1e-12) | {
        "initial_weights": str(saved(tmp_path, files.mmpose_1(source))),
        "head_mapping": "reuse_eyes",
    }
    settings["method"]["options"] = {"backbone_norm": "frozen"}
    tiny_dataset.train(settings, tmp_path, "tiny/single_frame/seed3")
    (said,) = caplog.messages
    assert "weights.pth: weights of mmpose 1.x (HRNet)\nhead: reuse_eyes, all joints" in said
    kept = load_checkpoint(tmp_path / "tiny/single_frame/seed3/checkpoint.pt")
    for name, value in source.state_dict().items():
        torch.testing.assert_close(kept[name], value, atol=1e-6, rtol=0)

"""PoseTrack2017 MATLAB labels: the same as the JSON form, in every way MATLAB may store it."""

import copy
import io
import multiprocessing
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from tdmi.core.errors import UserError
from tdmi.data.skeletons import POSETRACK17
from tdmi.formats import matlab, posetrack17, posetrack17_matlab
from tdmi.formats.matlab import read_variable
from tdmi.formats.posetrack import read_folder, read_video_file
from tests.support.mutations import mutated_bytes
from tests.support.posetrack17_samples import (
    assert_same_bits,
    content,
    frame,
    hieve_content,
    person,
    point,
)


def struct(*records, column=False):
    """A struct array of dicts with the same keys, as MATLAB has it: a row, or a column."""
    array = np.empty(len(records), dtype=[(name, object) for name in records[0]])
    for entry, record in zip(array, records, strict=True):
        for name, value in record.items():
            entry[name] = value
    return array[:, None] if column else array[None]


def cell(*values):
    array = np.empty((1, len(values)), dtype=object)
    array[0, :] = values
    return array


EMPTY = np.zeros((0, 0))


def joint(number, x, y, **more):
    return {"id": number, "x": x, "y": y, "is_visible": 1, **more}


def one_frame(points, people=None, **more):
    """A frame of one person with these points (a struct array)."""
    someone = {"x1": 10, "y1": 20, "x2": 200, "y2": 220, "track_id": 2}
    holder = points if points is EMPTY else struct({"point": points})
    rectangles = struct(someone | {"annopoints": holder}) if people is None else people
    name = struct({"name": "images/bonn/000001_mpii/00000005.jpg"})
    return {"image": name, "imgnum": 5, "is_labeled": 1, "ignore_regions": EMPTY,
            "annorect": rectangles} | more  # fmt: skip


def save(path, annolist, **options):
    savemat(path, {"annolist": annolist}, **options)
    return path


def read(path, *frames, **options):
    return read_video_file(save(path, struct(*frames), **options))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "v.mat"


def test_written_files_come_back_bit_by_bit_and_equal_the_json_form(tmp_path):
    first = posetrack17.parse(content(), "v.json")
    posetrack17_matlab.write_folder(first, tmp_path)
    assert_same_bits(read_video_file(tmp_path / "v.mat"), first)
    data = (tmp_path / "v.mat").read_bytes()
    posetrack17_matlab.write_folder(first, tmp_path)
    assert (tmp_path / "v.mat").read_bytes() == data, "no time of day in the file"
    assert_same_bits(read_folder(tmp_path, ["v"], POSETRACK17), first)


def test_extreme_numbers_come_back(tmp_path):
    points = [point(2, -0.0, 1e-310), point(3, 1e300, -7, score=1 / 3)]
    value = {"annolist": [frame(1, [person(2**53, points), person(-5, points[:1])])]}
    first = posetrack17.parse(value, "v.json")
    posetrack17_matlab.write_folder(first, tmp_path)
    assert_same_bits(read_video_file(tmp_path / "v.mat"), first)
    first.track_id[0] += 1
    with pytest.raises(UserError, match=r"track id 9007199254740993, expected at most 2\^53"):
        posetrack17_matlab.write_folder(first, tmp_path)


def test_written_structure_is_that_of_the_released_files(tmp_path):
    posetrack17_matlab.write_folder(posetrack17.parse(content(), "v.json"), tmp_path)
    annolist = loadmat(tmp_path / "v.mat", squeeze_me=False)["annolist"]
    assert annolist.shape == (1, 4)
    first = annolist[0, 0]
    assert first["image"][0, 0]["name"][0].endswith("00000011.jpg")
    assert first["is_labeled"].tolist() == [[1]] and first["is_labeled"].dtype == np.float64
    points = first["annorect"][0, 0]["annopoints"][0, 0]["point"]
    assert points.shape == (1, 15) and points[0, 14]["id"].tolist() == [[14]]
    assert first["ignore_regions"][0, 0]["point"].shape == (1, 3)
    assert annolist[0, 3]["annorect"].size == 0


def test_small_integer_types_do_not_wrap_round(path):
    """MATLAB stores whole doubles as the smallest type that holds them."""
    someone = {"x1": np.uint8(200), "y1": np.uint8(220), "x2": np.uint8(10), "y2": np.int16(-5),
               "track_id": np.uint8(7)}  # fmt: skip
    points = struct(joint(np.uint8(0), np.int16(-300), np.uint8(255), score=np.float32(0.5)))
    people = struct(someone | {"annopoints": struct({"point": points})})
    a = read(path, one_frame(None, people))
    assert (a.head_box[0, 2:] - a.head_box[0, :2]).tolist() == [-190, -225]
    assert a.keypoints[0, 0].tolist() == [-300, 255] and a.joint_score[0, 0] == 0.5
    assert a.keypoints.dtype == np.float64 and a.track_id.tolist() == [7]


@pytest.mark.parametrize("column", [False, True])
def test_arrays_of_one_and_of_many_in_either_direction(path, column):
    points = [joint(k, 10.5 * k, k + 1) for k in range(3)]
    for count in (1, 3):
        a = read(path, one_frame(struct(*points[:count], column=column)))
        assert np.flatnonzero(a.present[0]).tolist() == list(range(count))
        assert a.keypoints[0, count - 1].tolist() == [10.5 * (count - 1), count]
    frames = [one_frame(struct(points[0])) | {"imgnum": k} for k in range(3)]
    b = read_video_file(save(path, struct(*frames, column=column)))
    assert b.frames == 3 and b.person_frame.tolist() == [0, 1, 2]


@pytest.mark.parametrize("empty", [EMPTY, np.zeros((1, 0)), np.zeros((0, 1))])
def test_empty_arrays_of_any_shape(path, empty):
    points = struct(joint(3, 1, 2, score=empty, is_visible=empty))
    with_points = {"x1": empty, "y1": 1, "x2": 2, "y2": 3, "track_id": empty,
                   "annopoints": struct({"point": points})}  # fmt: skip
    people = struct(with_points, with_points | {"annopoints": empty},
                    with_points | {"annopoints": struct({"point": empty})})  # fmt: skip
    a = read(path, one_frame(None, people), one_frame(None, empty, is_labeled=empty))
    assert a.person_frame.tolist() == [0, 0], "one without joint list is left out, as in JSON"
    assert a.present[0].nonzero()[0].tolist() == [3] and a.visible[0, 3]
    assert not a.present[1].any() and np.isnan(a.head_box).all()
    assert a.frame_annotated.tolist() == [True, False]
    assert a.frame_labelled.tolist() == [True, False]


def test_fields_may_be_missing(path):
    points = struct({"id": 0, "x": 3, "y": 4})
    a = read_video_file(
        save(path, struct({"image": struct({"name": "images/a/b/1.jpg"}),
                           "annorect": struct({"annopoints": struct({"point": points})})}))
    )  # fmt: skip
    assert a.visible[0, 0] and a.frame_labelled.tolist() == [True] and a.ignore_regions == [[]]


def test_logicals_text_and_cells_stand_for_what_they_hold(path):
    points = struct(
        joint(0, 1, 2, is_visible=np.array([[False]])),
        joint("1", "2.5", 3, is_visible="1"),
        joint(2, cell(7), cell(cell(8)), is_visible=cell("0")),
    )
    a = read(
        path,
        one_frame(points, is_labeled=np.array([[True]]), image=struct({"name": cell("a/b/1.jpg")})),
    )
    assert a.keypoints[0, :3].tolist() == [[1, 2], [2.5, 3], [7, 8]]
    assert a.visible[0, :3].tolist() == [False, True, False]
    assert a.frame_labelled.tolist() == [True] and a.frame_file == ["a/b/1.jpg"]
    wrapped = read(path, one_frame(cell(points)))
    assert wrapped.present[0].sum() == 3


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_are_those_that_scipy_reads(path, packed):
    """Every class of numbers, against scipy's own arrays of an undamaged file."""
    rng = np.random.default_rng(0)
    kinds = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
    arrays = [(100 * rng.normal(size=(2, 3))).astype(kind) for kind in kinds]
    arrays += [np.array([[True, False]]), EMPTY, np.array([[np.nan, -0.0, np.inf]])]
    tree = struct(*[{"value": array, "name": "pfad/\u00e9\u4e2d"} for array in arrays])
    path.write_bytes(saved(tree, do_compression=packed))
    theirs = loadmat(path)["annolist"][0]
    ours = read_variable(path, "annolist")
    assert len(ours) == len(theirs) == len(arrays)
    for our, their in zip(ours, theirs, strict=True):
        assert (
            np.array(our["value"]).tobytes()
            == np.array(their["value"].ravel(order="F").tolist()).tobytes()
        )
        assert our["name"] == their["name"][0] == "pfad/\u00e9\u4e2d"
    assert read_variable(path, "other") is None


def test_arrays_in_one_another_too_deep_are_refused(path):
    def cell_of(inner, name=b""):
        head = np.array([6, 8, 1, 0, 5, 8, 1, 1, 1, len(name)], "<u4").tobytes()
        body = head + name + inner
        return np.array([14, len(body)], "<u4").tobytes() + body

    inner = np.array([14, 0], "<u4").tobytes()
    for _ in range(3000):
        inner = cell_of(inner)
    path.write_bytes(SAMPLE[:128] + cell_of(inner, b"annolist"))
    with pytest.raises(ValueError, match=r"\w"):
        read_variable(path, "annolist")


def test_one_process_reads_many_files_and_a_crash_costs_one_of_them(path):
    path.write_bytes(SAMPLE)
    first = read_variable(path, "annolist")
    child = matlab._child.process
    assert read_variable(path, "annolist") == first and matlab._child.process is child
    child.kill()
    child.wait()
    with pytest.raises(UserError, match=r"v\.mat: not a readable MATLAB file \(.* crashed on it\)"):
        read_video_file(path)
    assert read_variable(path, "annolist") == first and matlab._child.process is not child


def test_a_forked_worker_reads_for_itself(path):
    path.write_bytes(SAMPLE)
    first = read_variable(path, "annolist")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.starmap(read_variable, [(path, "annolist")] * 4) == [first] * 4
    assert read_variable(path, "annolist") == first


def test_names_that_look_like_numbers_stay_names(path):
    assert read(path, one_frame(EMPTY, image=struct({"name": "0012"}))).frame_file == ["0012"]


def test_ignore_regions(path):
    corners = [{"x": np.uint8(x), "y": y} for x, y in ((0, 0), (255, 1.5), (3, 200))]
    for column in (False, True):
        regions = struct({"point": struct(*corners, column=column)}, {"point": EMPTY})
        a = read(path, one_frame(EMPTY, ignore_regions=regions))
        assert [p.tolist() for p in a.ignore_regions[0]] == [[[0, 0], [255, 1.5], [3, 200]], []]


def test_look_alikes_are_refused_by_name(path):
    videos = struct({"name": "v", "num_frames": 30, "annopoints": cell(EMPTY, EMPTY)})
    with pytest.raises(UserError, match=r"v\.mat: 'annolist' is .*num_frames.*CVPR 2017"):
        read_video_file(save(path, videos))
    frames = [
        one_frame(
            None,
            struct({k: v[0] for k, v in someone.items() if k != "annopoints"}
                   | {"annopoints": struct({"point": struct(*[
                       {k: v[0] for k, v in p.items()} for p in someone["annopoints"][0]["point"]
                   ])})}),
            image=struct(f["image"][0]), is_labeled=EMPTY,
        )
        for f in hieve_content()["annolist"] for someone in f["annorect"]
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"v\.mat: this is HiEve"):
        read_video_file(save(path, struct(*frames)))


@pytest.mark.parametrize("start", [b"MATLAB 7.3 MAT-file, made by hand".ljust(512), b""])
def test_version_73_is_refused_with_the_cure(path, start):
    path.write_bytes(start + b"\x89HDF\r\n\x1a\n" + bytes(64))
    with pytest.raises(UserError, match=r"v\.mat: .* version 7\.3 \(HDF5\).* -v7") as error:
        read_video_file(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": 1}, "no variable 'annolist'"),
        ({"annolist": np.arange(3)}, r"annolist\[0\]: found 0, expected an object"),
        ({"annolist": struct({"image": 1, "annorect": EMPTY})}, "gives null as name"),
        ({"annolist": struct(one_frame(struct(joint(0, "left", 1))))}, "x: found 'left'"),
        (
            {"annolist": struct(one_frame(struct(joint(0, 1j, 1))))},
            "not a readable MATLAB file .*complex128",
        ),
        ({"annolist": struct(one_frame(struct(joint(0, [[1, 2]], 1))))}, "x: found a list of 2"),
        ({"annolist": struct(one_frame(struct(joint(0.5, 1, 1))))}, "id: found 0.5"),
    ],
)
def test_refusals_name_file_and_place(path, variables, message):
    savemat(path, variables)
    with pytest.raises(UserError, match=rf"v\.mat: .*{message}") as error:
        read_video_file(path)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"nowhere\.mat: no such file"):
        read_video_file(path.with_name("nowhere.mat"))


ODD = (
    EMPTY, np.zeros((1, 0)), np.array([[1, 2]]), "text", "", np.nan, np.inf, -1, 2**40, 1j, True,
    cell(), cell(1), cell(EMPTY, "x"), struct({"odd": 1}), np.uint8(200), np.zeros((2, 2, 2)),
)  # fmt: skip


def damaged_structure(seed):
    """The sample's file with up to three fields, anywhere, replaced or removed."""
    rng = random.Random(seed)
    tree = loadmat(io.BytesIO(SAMPLE))["annolist"]
    for _ in range(rng.randint(1, 3)):
        holders = [(array, k) for array in structs(tree) for k in range(array.size)]
        array, k = rng.choice(holders)
        place = np.unravel_index(k, array.shape)
        array[rng.choice(array.dtype.names)][place] = copy.deepcopy(rng.choice(ODD))
    return saved(tree, do_compression=False)


def structs(array):
    if isinstance(array, np.ndarray) and array.dtype.names:
        yield array
        for entry in array.ravel():
            for name in array.dtype.names:
                yield from structs(entry[name])


def saved(tree, **options):
    buffer = io.BytesIO()
    savemat(buffer, {"annolist": tree}, **options)
    return buffer.getvalue()


def sample():
    buffer = io.BytesIO()
    value = content()
    del value["annolist"][0]["annorect"][0]["annopoints"][0]["point"][4:]
    savemat(buffer, {"annolist": posetrack17_matlab._matlab(value["annolist"], "")})
    return buffer.getvalue()


SAMPLE = sample()
PACKED = saved(loadmat(io.BytesIO(SAMPLE))["annolist"], do_compression=True)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path_factory, seed):
    path = tmp_path_factory.getbasetemp() / "damaged17.mat"
    kind = seed % 3
    path.write_bytes(
        damaged_structure(seed) if kind == 0 else mutated_bytes((SAMPLE, PACKED)[kind - 1], seed)
    )
    try:
        read_video_file(path)
    except UserError as error:
        assert "damaged17.mat" in str(error) and "\n" not in str(error)

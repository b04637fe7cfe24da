"""Tables of attributes: rows brought to people, and tables that are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.data.attributes import read_attributes
from tests.support.mutations import mutated_bytes

TABLE = "image_id,annotation_id,track_id,blur,speed\n1000,7,1,0.5,\n1001,8,1,1.5,2e-1\n"
TWO_IDS = (np.array([1000, 1001, 1001]), np.array([1, 1, 2]))


def test_attributes_of_people_by_image_and_track(tmp_path):
    (tmp_path / "val.csv").write_text(TABLE)
    (tmp_path / "train.csv").write_text("image_id,track_id,blur,glare\n1001,2,3,4\n")
    found = read_attributes(tmp_path, *TWO_IDS)
    assert set(found) == {"blur", "glare", "speed"}
    np.testing.assert_array_equal(found["blur"], [0.5, 1.5, 3.0])
    np.testing.assert_array_equal(found["speed"], [np.nan, 0.2, np.nan])
    np.testing.assert_array_equal(found["glare"], [np.nan, np.nan, 4.0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "first line must name the columns"),
        ("image_id,blur\n1,2\n", "image_id and track_id among them"),
        ("image_id,track_id,blur,blur\n1,2,3,4\n", "each once"),
        ("image_id,track_id,blur\n1000,1\n", "line 2: 2 cells, expected 3"),
        ("image_id,track_id,blur\n1000,1.5,0\n", "line 2: 'track_id' is '1.5', expected a whole"),
        ("image_id,track_id,blur\n1000,1,soft\n", "line 2: 'blur' is 'soft', expected a finite"),
        ("image_id,track_id,blur\n1000,1,inf\n", "expected a finite number or nothing"),
        ("image_id,track_id,blur\n1000,1,0\n1000,1,0\n", "line 3: a second row for image_id 1000"),
        ("image_id,track_id,blur\n9,9,0\n", "none of the 1 rows"),
    ],
)
def test_unusable_tables_are_refused_by_name(table, message, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(table)
    with pytest.raises(UserError, match=message) as error:
        read_attributes(path, *TWO_IDS)
    assert "a.csv" in str(error.value) and "\n" not in str(error.value)


def test_a_missing_table_and_a_folder_without_tables_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_attributes(tmp_path / "none.csv", *TWO_IDS)
    with pytest.raises(UserError, match=r"no \*\.csv there"):
        read_attributes(tmp_path, *TWO_IDS)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_tables_are_read_or_refused_in_one_line(tmp_path_factory, seed):
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_bytes(mutated_bytes(TABLE.encode(), seed))
    try:
        found = read_attributes(path, *TWO_IDS)
    except UserError as error:
        assert "damaged.csv" in str(error) and "\n" not in str(error)
    else:
        assert all(column.shape == (3,) for column in found.values())

"""Names of suites and runs, taken apart again."""

import pytest
from hypothesis import assume, given
from hypothesis import settings as configure
from hypothesis import strategies as st

from tdmi.config.files import known_configs
from tdmi.config.keys import RunName, SmallSize, SuiteKey
from tdmi.core.errors import UserError

NAMES = st.from_regex(r"[a-z0-9]+(_[a-z0-9]+)?", fullmatch=True)
SIZES = st.builds(
    SmallSize,
    st.one_of(st.none(), st.integers(1, 999)),
    st.one_of(st.none(), st.integers(0, 9999)),
)


@configure(deadline=None, derandomize=True, database=None)
@given(
    suites=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    grids=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    size=SIZES,
    data=st.data(),
)
def test_a_key_is_read_from_the_name_of_its_folder(suites, grids, size, data):
    name = data.draw(st.sampled_from(suites))
    kind = data.draw(st.sampled_from(["plain", "published", "grid"]))
    grid = data.draw(st.sampled_from(grids)) if kind == "grid" else None
    key = SuiteKey(name, grid, "published" if kind == "published" else "shared", size)
    found = SuiteKey.parse(key.folder, suites, grids)
    assert found is not None and found.folder == key.folder
    same = [
        other
        for s in suites
        for other in (
            SuiteKey(s, size=size),
            SuiteKey(s, protocol="published", size=size),
            *(SuiteKey(s, g, size=size) for g in grids),
        )
        if other.folder == key.folder
    ]
    assume(len(same) == 1)  # `a_b` may be a suite, or the grid `b` of the suite `a`
    assume(not size.suffix or SuiteKey.parse(key.folder, suites, grids).size == size)
    assert found == key


def test_real_names_are_unambiguous_and_others_are_unknown():
    suites, grids = known_configs("suite"), known_configs("grid")
    key = SuiteKey("posetrack18", "mi_terms", size=SmallSize(4, 2))
    assert key.folder == "posetrack18_mi_terms_width4_steps2"
    assert key.cli_options == "posetrack18 --grid mi_terms --width 4 --steps 2"
    assert SuiteKey.parse(key.folder, suites, grids) == key
    published = SuiteKey("smoke", protocol="published")
    assert published.cli_options == "smoke --protocol published"
    assert SuiteKey.parse("smoke_published", suites, grids) == published
    for unknown in ("nope", "smoke_nope", "smoke_width", "smoke_steps2_width4", "smoke_"):
        assert SuiteKey.parse(unknown, suites, grids) is None
    with pytest.raises(UserError, match=r"option protocol: found 'paper', expected one of shared"):
        SuiteKey("smoke", protocol="paper")


@given(suite=NAMES, method=NAMES, seed=st.one_of(st.just("{seed}"), st.integers(0).map(str)))
def test_names_of_runs_are_taken_apart(suite, method, seed):
    name = RunName(suite, method, seed)
    assert RunName.parse(str(name)) == name

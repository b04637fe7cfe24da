"""The list of injected defects fits the sources and the tests of today."""

import pytest

from tests.faults.defects import DEFECTS, inject
from tests.support.paths import ROOT


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_defect_changes_its_file_and_names_its_tests(defect, tmp_path):
    source = (ROOT / defect.file).read_text(encoding="utf-8")
    assert source.count(defect.old) == 1
    copy = tmp_path / defect.file
    copy.parent.mkdir(parents=True)
    copy.write_text(source, encoding="utf-8")
    inject(defect, tmp_path)
    compile(copy.read_text(encoding="utf-8"), defect.file, "exec")
    for name in defect.tests.split():
        assert (ROOT / "tests" / f"{name}.py").is_file(), name

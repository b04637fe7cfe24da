"""The made-up suite, written once, and its report."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tdmi.reporting.data.runs import Runs, read_runs
from tdmi.reporting.data.spec import ReportSpec
from tdmi.reporting.report import make_report
from tests.support.paths import ROOT
from tests.support.report_suite import write_suite


class Made(NamedTuple):
    spec: ReportSpec
    folder: Path

    @property
    def runs(self) -> Runs:
        spec = self.spec
        return read_runs(self.folder / "runs" / spec.suite, spec.methods, spec.box_protocols)


@pytest.fixture(scope="session")
def published():
    """The file of published results."""
    return ROOT / "results" / "published.csv"


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """Spec and folder; tests must not change its files."""
    folder = tmp_path_factory.mktemp("suite")
    return Made(write_suite(folder), folder)


@pytest.fixture(scope="session")
def out(suite, published):
    """Folder of the suite's report."""
    out = suite.folder / "results" / "made_up"
    make_report(suite.spec, suite.folder / "runs", out, published)
    return out

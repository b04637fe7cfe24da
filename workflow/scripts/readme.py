"""Write the README's summary anew: main figure, finding and table of the default suite.

    python workflow/scripts/readme.py [FILE]

Call it after the suite was reported; a test compares the README with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tdmi.config.suites import load_suites
from tdmi.core.files import write_text
from tdmi.reporting.data.spec import ReportSpec
from tdmi.reporting.readme import readme_summary, replace_between_markers

RESULTS = "results/embedded"


def text(path: Path) -> str:
    """Return the README as it should be."""
    spec = ReportSpec.from_suites(load_suites("embedded"))
    summary = readme_summary(spec, path.parent / RESULTS, RESULTS)
    return replace_between_markers(path.read_text(encoding="utf-8"), summary, path)


if __name__ == "__main__":
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md")
    write_text(readme, text(readme))

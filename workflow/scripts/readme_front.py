"""Write the front of the README anew: main figure, finding and table of the default suite.

    python workflow/scripts/readme_front.py [FILE]

Call it after the suite was reported; a test compares the README with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tdmi.core.files import write_text
from tdmi.reporting.data.from_suite import settings_of
from tdmi.reporting.readme import front, put

RESULTS = "results/embedded"


def text(path: Path) -> str:
    """The README as it should be."""
    written = front(settings_of("embedded"), path.parent / RESULTS, RESULTS)
    return put(path.read_text(encoding="utf-8"), written, path)


if __name__ == "__main__":
    readme = Path(sys.argv[1] if len(sys.argv) > 1 else "README.md")
    write_text(readme, text(readme))

"""Write dvc.yaml: the main job of a suite in three stages.

    python workflow/scripts/dvc_stages.py [--suite SUITE] [FILE]

Call it after a method or a companion was added to the default suite; a test compares the file with
it. The stages of another suite hold for as long as dvc.yaml is theirs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jinja2

from tdmi.config.suites import load_suites
from tdmi.core.files import write_text

DEFAULT = "embedded"
TEMPLATE = Path(__file__).with_name("dvc.yaml.jinja")


def text(name: str) -> str:
    """The content of dvc.yaml for a suite."""
    suites = load_suites(name)
    methods = dict.fromkeys(m for suite in suites.values() for m in suite.methods)
    template = jinja2.Template(TEMPLATE.read_text(encoding="utf-8"), keep_trailing_newline=True)
    return template.render(
        name=name,
        chosen="" if name == DEFAULT else f" --config suite={name}",
        suites=list(suites),
        methods=[f"methods/{method}" for method in methods],
        roots=list(dict.fromkeys(suite.dataset.root for suite in suites.values())),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default=DEFAULT)
    parser.add_argument("file", nargs="?", type=Path, default=Path("dvc.yaml"))
    options = parser.parse_args()
    write_text(options.file, text(options.suite))

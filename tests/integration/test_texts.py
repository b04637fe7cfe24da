"""What is written for people: no gap left to fill, no link to a file that is not there."""

import re
import subprocess

import pytest

from tests.support.checkouts import ROOT

TEXTS = subprocess.run(
    ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_left_to_fill_in_and_every_link_leads_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"@@\w*@@|\b(?:TODO|FIXME|XXX)\b", text) == []
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [link for link in local if not ((ROOT / name).parent / link).exists()]
    assert missing == []

"""Labels are data: no cell of Markdown breaks by them, and no spreadsheet computes them."""

from __future__ import annotations

import csv as standard
import io

import pandas as pd
import pytest

from tdmi.reporting.tables.tables import Cell, Table, csv, markdown


@pytest.mark.parametrize("label", ["a | b", "a||", "two\nlines", "|"])
def test_a_row_of_markdown_keeps_its_number_of_cells(label):
    cells = [[Cell(label), Cell("1.0", best=True)]]
    table = Table("t", "title", "caption", ["method", "ap"], cells, DATA)
    row = markdown(table).splitlines()[2]
    assert row.replace(r"\|", "").count("|") == 3
    assert row.startswith("| ") and row.endswith("| **1.0** |")


DATA = pd.DataFrame({"method": ["x"], "ap": [1.0]})


@pytest.mark.parametrize("label", ["=1+1", "@SUM(A1)", "+cmd|x", "-cmd", "\t=1", "=HYPERLINK(1)"])
def test_no_cell_of_csv_begins_a_formula(label):
    text = csv(pd.DataFrame({"method": [label, "plain"], "ap": [-1.5, 2.0]}))
    rows = list(standard.reader(io.StringIO(text)))
    assert rows[1] == [f"'{label}", "-1.5"]
    assert rows[2] == ["plain", "2"]


def test_numbers_as_text_stay():
    assert csv(pd.DataFrame({"a": ["-1.5", "+2"]})) == "a\n-1.5\n+2\n"

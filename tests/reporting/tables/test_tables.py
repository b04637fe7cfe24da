"""Tables as CSV, Markdown and LaTeX."""

import csv
import io
import math
import re

import pandas as pd
import pytest

from tdmi.reporting.tables import tables
from tdmi.reporting.tables.tables import Cell
from tests.support.report_suite import joint_table

BOXES = "ground_truth_boxes"


def test_equal_runs_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        table = joint_table(
            tmp_path / name / "runs", {"single": [59.0, 62.0], "equal": [61.0, 61.0]}
        )
        tables.write(table, tmp_path / name)
    for suffix in ("csv", "md", "tex"):
        file = f"comparison_{BOXES}.{suffix}"
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert b"\r" not in content


def test_latex_is_a_booktabs_table_with_escaped_text(tmp_path):
    table = joint_table(tmp_path, {"single": [50.0], "equal": [51.0], "a_b": [52.0]})
    text = tables.latex(table)
    assert [text.count(rule) for rule in (r"\toprule", r"\bottomrule", r"\end{table}")] == [1, 1, 1]
    assert r"A\_B & Single frame & \textbf{52.0}" in text
    columns = text.split(r"\begin{tabular}{")[1].split("}")[0]
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert {row.count(" & ") + 1 for row in rows} == {len(columns)}


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [(-0.04, 1, True, "+0.0"), (-1.26, 1, True, "\N{MINUS SIGN}1.3"), (math.nan, 1, False, "")],
)
def test_numbers_have_fixed_decimals_and_no_negative_zero(value, digits, sign, text):
    assert tables.number(value, digits, sign) == text


LABELS = ["=HYPERLINK(1)", "+SUM(1)", "-x", "@SUM(A1)", "\tx", "a|b", "two\nlines", "plain", "−1"]


def labelled_table():
    cells = [[Cell(label), Cell("-1.5", -1.5)] for label in LABELS]
    data = pd.DataFrame({"=label": LABELS, "value": -1.5, "count": [-3] * 8 + [pd.NA]})
    return tables.Table("labels", "", "", ["a|b", "Value"], cells, data, text_columns=1)


def test_no_text_of_a_csv_is_a_formula_and_numbers_stay_numbers():
    rows = list(csv.reader(io.StringIO(tables.csv(labelled_table().data))))
    assert rows[0] == ["'=label", "value", "count"]
    quoted = [f"'{label}" for label in LABELS[:5]]
    assert [row[0] for row in rows[1:]] == [*quoted, *LABELS[5:]]
    assert [row[1:] for row in rows[1:]] == [["-1.5", "-3"]] * 8 + [["-1.5", ""]]


def test_a_label_stays_within_its_cell_of_a_markdown_table():
    lines = tables.markdown(labelled_table()).split("\n\n")[0].splitlines()
    assert len(lines) == 2 + len(LABELS)
    for line in lines:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3  # two columns
    assert r"| a\|b | -1.5 |" in lines and "| two lines | -1.5 |" in lines

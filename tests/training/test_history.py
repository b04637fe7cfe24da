"""Rows of a history and the measurements in them."""

import math

import torch

from tdmi.models.output import Target
from tdmi.training.history import History, train_pck

RUN = "tiny/single_frame/seed3"


def test_history_has_a_column_for_all_and_a_gap_for_what_is_no_number(tmp_path):
    rows = [{"step": 8, "loss": 1e-5}, {"step": 16, "val_ap": 50.25, "loss": math.nan}]
    History([*rows, {"step": 24, "loss": math.inf, "val_ap": 1e16}]).write(tmp_path / "h.csv")
    written = (tmp_path / "h.csv").read_text()
    assert written == "step,loss,val_ap\n8,1e-05,\n16,,50.25\n24,inf,1e+16\n"


def test_train_pck_by_hand():
    target = torch.zeros(1, 3, 6, 6)
    target[0, :, 2, 2] = 1
    prediction = torch.zeros(1, 3, 6, 6)
    prediction[0, 0, 2, 3] = 1  # one cell off: counts
    prediction[0, 1, 3, 3] = 1  # diagonal: does not
    prediction[0, 2, 2, 2] = 1  # not labelled
    weight = torch.tensor([[1.0, 1.0, 0.0]])
    assert train_pck(prediction, Target(target, weight)) == 0.5
    assert math.isnan(train_pck(prediction, Target(target, weight * 0)))

"""RAFT: weights from a file, size of the input, padding, scale. Random weights; no network."""

import urllib.error
from pathlib import Path

import pytest
import torch
from torchvision.models import _api, optical_flow

from baselines.flow import raft as module
from baselines.flow.raft import RAFTFlow
from baselines.flow_motion import FlowMotion
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet

ADDRESS = "https://download.pytorch.org/models/"
SMALL = "raft_small_C_T_V2-01064c6d.pth"
LARGE = "raft_large_C_T_SKHT_V2-ff5fadd5.pth"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights of raft_small in a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "small.pth"
    torch.save(optical_flow.raft_small().state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch, tmp_path):
    """torchvision's store is an empty folder, and asking the network for anything fails."""

    def refuse(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "store"))
    monkeypatch.setattr(_api, "load_state_dict_from_url", refuse)


def message_of(*args, **options) -> str:
    with pytest.raises(UserError) as error:
        RAFTFlow(*args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_flow_is_that_of_torchvision(weights):
    """The same network, called as its documentation says: RGB scaled to -1..1, last refinement."""
    network = optical_flow.raft_small()
    network.load_state_dict(torch.load(weights, weights_only=True))
    torch.manual_seed(1)
    first, second = torch.rand(2, 2, 3, 128, 136)
    with torch.no_grad():
        wanted = network.eval()(first * 2 - 1, second * 2 - 1)[-1]
    flow = RAFTFlow("small", weights)(first, second)
    assert flow.shape == (2, 2, 128, 136) and flow.dtype == torch.float32
    torch.testing.assert_close(flow, wanted, rtol=1e-4, atol=1e-4)


class Recorder(torch.nn.Module):
    """Stands for a network: keeps what it gets and answers with the pixels' own places."""

    def __init__(self):
        super().__init__()
        self.got = []

    def forward(self, first, second):
        self.got.append((first, second))
        x, y = torch.arange(first.shape[-1]), torch.arange(first.shape[-2])
        places = torch.stack(torch.meshgrid(x, y, indexing="xy")).float()
        wrong = torch.full((len(first), 2, *first.shape[-2:]), torch.nan)
        return [wrong, places.expand(len(first), -1, -1, -1)]


def recorded(weights, images: torch.Tensor) -> tuple[torch.Tensor, list]:
    estimator = RAFTFlow("small", weights)
    estimator.network = Recorder()
    return estimator(images, images), estimator.network.got


def test_input_is_scaled_and_padded_and_flow_cut_back(weights):
    images = torch.rand(1, 3, 130, 141, dtype=torch.float64)
    images[0, :, 0, 0], images[0, :, 0, 1] = 0, 1
    flow, [(first, second)] = recorded(weights, images)
    assert first.shape == second.shape == (1, 3, 136, 144)
    assert first.dtype == torch.float32
    assert first[0, 0, 0, :2].tolist() == [-1, 1]
    assert torch.equal(first[..., :130, :141], images.float() * 2 - 1)
    assert (first[..., 141:] == first[..., 140:141]).all()
    assert (first[..., 130:, :] == first[..., 129:130, :]).all()
    assert flow.shape == (1, 2, 130, 141)
    assert flow[0, :, 7, 5].tolist() == [5, 7]


def test_large_batches_go_in_parts(weights, monkeypatch):
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 2)
    images = torch.rand(5, 3, 128, 128)
    flow, got = recorded(weights, images)
    assert [len(first) for first, _ in got] == [2, 2, 1]
    assert torch.equal(torch.cat([first for first, _ in got]), images * 2 - 1)
    assert flow.shape == (5, 2, 128, 128)


@pytest.mark.parametrize("size", [(127, 200), (200, 96)])
def test_small_crops_are_refused(weights, size):
    with pytest.raises(UserError) as error:
        recorded(weights, torch.rand(1, 3, *size))
    assert f"raft_small: found crops of {size[0]}x{size[1]} px, expected at least 128 px" in str(
        error.value
    )


def test_weights_are_no_part_of_the_method(weights):
    trunk = HRNet(4, 2, modules=(1,), blocks=1, stem_width=4, stem_blocks=1)
    options = {"flow": {"estimator": "raft_small", "weights": str(weights)}}
    method = FlowMotion(trunk, 2, window=(-1, 0), **options)
    plain = FlowMotion(trunk, 2, window=(-1, 0))
    assert set(method.state_dict()) == set(plain.state_dict())
    assert not any(p.requires_grad for p in method.flow.estimator.network.parameters())
    output = method(torch.rand(1, 2, 3, 128, 128), torch.tensor([[-1, 0]]))
    assert output.heatmaps.shape == (1, 2, 32, 32)
    method.train()
    assert not method.flow.estimator.network.training


def test_missing_file_is_named_with_the_address():
    message = message_of("large", "weights/raft.pth")
    assert message.startswith("weights/raft.pth: no such file")
    assert ADDRESS + LARGE in message


@pytest.mark.parametrize(("size", "name"), [("small", SMALL), ("large", LARGE)])
def test_without_a_file_nothing_is_downloaded_unless_allowed(size, name, tmp_path):
    message = message_of(size)
    assert message.startswith(f"{tmp_path / 'store' / 'hub' / 'checkpoints' / name}: no such file")
    assert ADDRESS + name in message
    assert "flow.weights" in message and "flow.download: true" in message


def test_failed_download_is_one_line(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise urllib.error.URLError("Name or service\nnot known")

    monkeypatch.setattr(_api, "load_state_dict_from_url", fail)
    message = message_of("small", download=True)
    assert message.startswith(f"{ADDRESS}{SMALL}: cannot be downloaded")
    assert "Name or service not known" in message
    assert str(tmp_path / "store" / "hub" / "checkpoints" / SMALL) in message


def test_allowed_download_is_kept_and_used_again(weights, monkeypatch, tmp_path):
    asked = []

    def fetch(address, *args, check_hash=False, **kwargs):
        asked.append((address, check_hash))
        path = tmp_path / "store" / "hub" / "checkpoints" / SMALL
        path.parent.mkdir(parents=True)
        path.write_bytes(weights.read_bytes())

    monkeypatch.setattr(_api, "load_state_dict_from_url", fetch)
    state = torch.load(weights, weights_only=True)
    for options in ({"download": True}, {"download": True}, {}):
        loaded = RAFTFlow("small", **options).network.state_dict()
        assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert asked == [(ADDRESS + SMALL, True)]


def test_files_that_are_not_these_weights(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    first = next(iter(state))
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(weights.read_bytes()[:5000])
    assert message_of("small", damaged).startswith(f"{damaged}: found no readable weights")
    for content, words in [
        ([1, 2], "found no state dictionary (a list)"),
        ({k: v for k, v in state.items() if k != first}, f"1 missing ({first})"),
        ({**state, "module.extra": torch.zeros(1)}, "1 unexpected (extra)"),
        ({**state, first: torch.zeros(2, 3)}, f"{first} (2, 3) for"),
        ({**state, first: 7}, f"{first!r} is of type int"),
    ]:
        path = tmp_path / "other.pth"
        torch.save(content, path)
        message = message_of("small", path)
        assert message.startswith(f"{path}: ") and words in message and ADDRESS + SMALL in message
    assert "raft_large" in message_of("large", weights)

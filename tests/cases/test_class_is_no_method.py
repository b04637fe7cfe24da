"""A `class:` that is no `PoseMethod` is refused in one line and never called."""

from __future__ import annotations

import pytest

from tdmi.core.errors import UserError
from tdmi.experiments.build import build_method
from tests.support import tiny_dataset

CALLED = []


class Spy:
    def __init__(self, **_):
        CALLED.append(self)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("collections.Counter", "is no PoseMethod"),
        ("builtins.dict", "is no PoseMethod"),
        ("functools.partial", "is no PoseMethod"),
        ("torch.nn.Identity", "is no PoseMethod"),
        ("os.getcwd", "is no PoseMethod"),
        ("math.pi", "is no PoseMethod"),
        (f"{__name__}.Spy", "is no PoseMethod"),
        ("no_such_module.Method", "cannot be imported (ModuleNotFoundError"),
        ("math.Nothing", "cannot be imported (AttributeError"),
        ("Method", "cannot be imported (ValueError"),
        (".relative.Method", "cannot be imported ("),
    ],
)
def test_one_line_names_the_class(tmp_path, name, words):
    settings = tiny_dataset.settings(tmp_path)
    settings["method"] |= {"class": name, "options": {}}
    with pytest.raises(UserError) as error:
        build_method(tiny_dataset.typed(settings))
    assert f"class {name!r} {words}" in str(error.value)
    assert "\n" not in str(error.value)
    assert not CALLED


@pytest.mark.parametrize(
    "body", ["raise SystemExit(3)", "1 / 0", "def (", "raise KeyError('a\\nb')"]
)
def test_a_module_that_fails_at_import_is_one_line(tmp_path, monkeypatch, body):
    (tmp_path / f"broken{abs(hash(body))}.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = tiny_dataset.settings(tmp_path)
    settings["method"] |= {"class": f"broken{abs(hash(body))}.Method", "options": {}}
    with pytest.raises(UserError, match="cannot be imported") as error:
        build_method(tiny_dataset.typed(settings))
    assert "\n" not in str(error.value)

"""Settings are read with their limits and written back as they were given."""

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as configure
from hypothesis import strategies as st

from tdmi.config.inference import Inference, Tracking
from tdmi.config.inputs import Augmentation, Crop
from tdmi.config.section import Section, flat, schema_of
from tdmi.config.settings import Settings
from tdmi.config.training import Backbone, Recipe
from tdmi.core.errors import UserError
from tests.support import tiny_dataset


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        (Crop, {"geometry": "round"}, r"here: geometry: 'round' is not one of \['pixel_centres', "),
        (Crop, {"size": [384, 290]}, r"here: size/1: 290 is not a multiple of 4"),
        (Crop, {"size": [384]}, r"here: size: \[384\] is too short"),
        (Crop, {"sgima": 2}, r"'sgima' was unexpected\); expected keys: size, sigma"),
        (Inference, {"rescoring": "sum"}, r"rescoring: 'sum' is not one of \['none', 'mean_joint'"),
        (Inference, {"flip": "yes"}, r"here: flip: 'yes' is not of type 'boolean'"),
        (Inference, {"blur_kernel": 4}, r"here: blur_kernel: 4 should not be valid"),
        (
            Augmentation,
            {"scale": 1},
            r"here: scale: 1 is greater than or equal to the maximum of 1",
        ),
        (
            Tracking,
            {"person_score": -0.1},
            r"here: person_score: -0.1 is less than the minimum of 0",
        ),
        (Recipe, {"batch_size": 4, "learning_rate": 0.1}, r"here: top level: .*is not valid under"),
        (
            Recipe,
            {"steps": 5, "batch_size": 4},
            r"top level: 'learning_rate' is a required property",
        ),
        (Recipe, {"steps": 0, "order": "sorted"}, r"order: 'sorted' is not one of \['shuffled'"),
        (Backbone, {"modules": [1, 0]}, r"here: modules/1: 0 is less than the minimum of 1"),
        (Backbone, None, r"here: top level: None is not of type 'object'"),
    ],
)
def test_a_fault_is_one_line_with_place_found_and_expected(section, value, message):
    with pytest.raises(UserError, match=message) as caught:
        section.from_dict(value, "here")
    assert "\n" not in str(caught.value)


NUMBERS = (0, 1, 2, 3.0, 5, 32, 64, 50, 0.0, 0.5, 1e-9, 0.1, 1.25)


def values_of(schema: dict) -> st.SearchStrategy:
    """Values that fit a schema of the settings."""
    valid = jsonschema.Draft202012Validator(schema).is_valid
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        size = {"min_size": schema.get("minItems", 0), "max_size": schema.get("maxItems", 3)}
        return st.lists(values_of(schema["items"]), **size)
    if schema["type"] == "boolean":
        return st.booleans()
    return st.sampled_from([number for number in NUMBERS if valid(number)])


def sections(section: type[Section]) -> st.SearchStrategy:
    """Mappings of some of a section's options in any order."""
    properties = schema_of(section)["properties"]
    items = st.fixed_dictionaries({}, optional={k: values_of(v) for k, v in properties.items()})
    return st.tuples(items, st.randoms()).map(
        lambda drawn: dict(drawn[1].sample(list(drawn[0].items()), len(drawn[0])))
    )


@pytest.mark.parametrize("section", [Crop, Augmentation, Inference, Tracking, Backbone])
@configure(deadline=None, derandomize=True, database=None, max_examples=40)
@given(data=st.data())
def test_what_is_read_is_written_with_the_same_keys_order_and_bytes(section, data):
    given_mapping = data.draw(sections(section))
    read = section.from_dict(given_mapping, "here")
    assert yaml.safe_dump(read.to_dict(), sort_keys=False) == yaml.safe_dump(
        given_mapping, sort_keys=False
    )
    assert section.from_dict(read.to_dict(), "again") == read


def test_a_section_made_in_python_writes_what_differs_from_the_defaults():
    assert Crop().to_dict() == {}
    assert Crop((64, 48), geometry="official").to_dict() == {
        "size": [64, 48],
        "geometry": "official",
    }


def test_settings_keep_options_of_methods_and_the_order_of_keys(tmp_path):
    content = tiny_dataset.settings(tmp_path)
    content["method"]["options"] = {"window": [-1, 0, 1], "encoder": {"depths": [2]}}
    settings = Settings.from_dict(content, "config.yaml")
    assert settings.text() == yaml.safe_dump(content, sort_keys=False)
    assert settings.method.class_path == "baselines.single_frame.SingleFrame"
    assert settings.name == "tiny/single_frame/seed3"
    path = tmp_path / "config.yaml"
    settings.write(path)
    assert Settings.read(path) == settings
    path.write_text(path.read_text().replace("seed: 3", "seed: three"))
    with pytest.raises(UserError, match=r"config\.yaml: seed: 'three' .*restore it from a copy"):
        Settings.read(path)


def test_leaves_of_nested_mappings_have_dotted_names():
    assert dict(flat({"a": {"b": 1, "c": {"d": 2}}, "e": [1]})) == {"a.b": 1, "a.c.d": 2, "e": [1]}

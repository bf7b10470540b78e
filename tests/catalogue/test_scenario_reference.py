"""What is published about scenario files is in step with the schema, and says something of every field."""

import json
from pathlib import Path

import pytest

from suanli.catalogue.scenario_fields import LONGEST_WORD
from suanli.catalogue.scenario_reference import SECTIONS, page_text, schema, schema_text
from suanli.catalogue.yaml_reader import read_yaml

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"
REMEDY = "run scripts/write-scenario-reference"


def test_published_schema_is_in_step():
    assert (REFERENCE / "scenario.schema.json").read_text(encoding="utf-8") == schema_text(), REMEDY


def test_published_page_is_in_step():
    assert (REFERENCE / "scenario.md").read_text(encoding="utf-8") == page_text(), REMEDY


def sections():
    made = schema()
    return {"ScenarioEntry": made, **made["$defs"]}


def test_every_field_is_documented():
    made = sections()
    for name, section in made.items():
        for key, field in section.get("properties", {}).items():
            choices = [field, *field.get("anyOf", ())]
            references = [made[each["$ref"].rsplit("/", 1)[-1]] for each in choices if "$ref" in each]
            said = [each.get("description") for each in (field, *references)]
            assert any(said), f"{name}.{key}"


def test_every_section_refuses_unknown_keys_and_stands_on_the_page():
    for name, section in sections().items():
        if section.get("type") == "object":
            assert section["additionalProperties"] is False, name
            assert name in SECTIONS


def test_the_page_has_a_row_for_every_field():
    page = page_text()
    for section in sections().values():
        for key in section.get("properties", {}):
            assert f"| `{key}` |" in page


def resolved(node, root):
    return root["$defs"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node


def accepts(node, value, root):
    """Say whether a value fits a schema node: the part of JSON Schema that ours uses."""
    node = resolved(node, root)
    for word in ("anyOf", "oneOf"):
        if word in node:
            return any(accepts(each, value, root) for each in node[word])
    if "const" in node:
        return value == node["const"]
    if "enum" in node:
        return value in node["enum"]
    return fits_type(node, value, root)


def fits_type(node, value, root):
    kind = node.get("type")
    if kind == "object":
        return isinstance(value, dict) and fits_object(node, value, root)
    if kind == "array":
        return isinstance(value, list) and all(accepts(node["items"], each, root) for each in value)
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind])


def fits_object(node, value, root):
    known = node.get("properties", {})
    others = node.get("additionalProperties", True)
    for key, each in value.items():
        if key in known:
            if not accepts(known[key], each, root):
                return False
        elif others is False or (isinstance(others, dict) and not accepts(others, each, root)):
            return False
    return set(node.get("required", ())) <= value.keys()


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_fit_the_published_schema(path):
    published = json.loads((REFERENCE / "scenario.schema.json").read_text(encoding="utf-8"))
    assert accepts(published, read_yaml(path).data, published)


def test_the_schema_refuses_what_the_reader_refuses():
    published = schema()
    data = read_yaml(ROOT / "examples" / "serve-1000-requests.yaml").data
    assert not accepts(published, {**data, "titel": "x"}, published)
    assert not accepts(published, {key: data[key] for key in data if key != "months"}, published)
    assert not accepts(published, {**data, "suanli": 2}, published)


def test_examples_name_the_schema_that_is_there():
    for path in (ROOT / "examples").glob("*.yaml"):
        name = path.read_text(encoding="utf-8").splitlines()[0].split("$schema=")[1]
        assert (path.parent / name).resolve() == REFERENCE / "scenario.schema.json"


def test_words_are_bounded():
    assert schema()["properties"]["title"]["maxLength"] == LONGEST_WORD

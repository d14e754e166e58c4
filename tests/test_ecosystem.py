"""What others expect of a workflow: its layout, its use as a module, schemas, lineage as an RO-Crate, metadata."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from projects import EXPERIMENT, ROOT, run

from lossless_snn.errors import LosslessError
from lossless_snn.files.digests import sha256
from lossless_snn.provenance.lineage import Lineage
from lossless_snn.provenance.ro_crate import write_ro_crate
from lossless_workflow.pages.schemas import SCHEMAS, schema_text

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOI = "10.1002/aisy.202300383"


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / f"workflow/schemas/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", SCHEMAS, ids=str)
def test_schemas_are_those_of_the_models(path):
    assert (ROOT / path).read_text() == schema_text(SCHEMAS[path]), "make readme"


FILES = {
    "config": ["config/config.yaml"],
    "experiment": sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("config/experiments/*.yaml")),
    "sweep": sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("config/sweeps/*.yaml")),
}


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in FILES.items() for path in paths])
def test_configuration_is_as_its_schema_says(name, path):
    validator(name).validate(yaml.safe_load((ROOT / path).read_text()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("experiment", {"network": "400-400"}),
        ("experiment", {"extends": "mnist-lenet", "networks": "400"}),
        ("sweep", {"experiments": ["mnist-lenet"], "budget": "quick"}),
        ("sweep", {"experiments": ["mnist-lenet"], "budget": "slow", "precisions": ["k0"]}),
        ("config", {"budget": "quick", "experiments": [], "precisions": ["k0"], "thread": 1}),
    ],
)
def test_a_schema_refuses_what_is_wrong(name, content):
    assert list(validator(name).iter_errors(content))


@pytest.mark.slow
def test_another_workflow_takes_this_one_as_a_module(tmp_path):
    """Its own folder has the configuration, and gets the results."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "config/experiments/tiny.yaml").write_text(EXPERIMENT)
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").write_text(
        f"""
module spiking:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: config

use rule * from spiking as spiking_*

rule own:
    default_target: True
    input: "results/quick/tiny/logs/fp32/seed0/ann.json"
    output: "accuracy.txt"
    shell: "cp {{input}} {{output}}"
"""
    )
    made = run(tmp_path, "snakemake", "--cores", "1", PYTHONPATH=str(ROOT / "src"))
    assert made.returncode == 0, made.stderr
    assert json.loads((tmp_path / "accuracy.txt").read_text())["experiment"] == "tiny"
    recorded = json.loads((tmp_path / "results/quick/tiny/provenance.json").read_text())["jobs"]
    assert set(recorded) == {"train-fp32-seed0", "evaluate-fp32-seed0"}


def test_the_workflow_says_how_it_is_used():
    assert 'include: "workflow/Snakefile"' in (ROOT / "Snakefile").read_text()
    plain = run(ROOT, "snakemake", "--dry-run", "--forceall", PYTHONPATH=str(ROOT / "src"))
    assert "are in results/quick/" in plain.stdout + plain.stderr, plain.stderr
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    for path in re.findall(r"`(workflow/schemas/[\w.]+)`", (ROOT / "config/README.md").read_text()):
        assert (ROOT / path).is_file()


def test_the_environment_comes_from_the_lock():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, by_pip = content["dependencies"]
    assert f"python {PROJECT['requires-python']}" in packages
    assert by_pip["pip"] == ["--require-hashes", "--requirement requirements.lock"]
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text()


def test_hooks_run_what_lint_runs():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    lint = (ROOT / "Makefile").read_text()
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program, *words = hook["entry"].split()
        assert f"$(BIN)/{' '.join([program, *[word for word in words if not word.startswith('--')]])}" in lint


def test_metadata_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    meta = json.loads((ROOT / "codemeta.json").read_text())
    assert citation["version"] == meta["version"] == PROJECT["version"]
    assert meta["description"] == PROJECT["description"]
    assert meta["license"].endswith(f"/{PROJECT['license']}")
    assert citation["license"] == PROJECT["license"]
    assert citation["preferred-citation"]["doi"] == DOI
    assert meta["referencePublication"]["@id"] == f"https://doi.org/{DOI}"
    assert meta["referencePublication"]["name"] == citation["preferred-citation"]["title"]
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name)
def test_issue_forms_are_forms(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(form)
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes", "markdown")
        assert field["attributes"]["label"]


FIGURE = "results/paper/digits-lenet/figures/sops.svg"


@pytest.fixture
def crate(tmp_path, monkeypatch) -> tuple[Path, dict[str, dict]]:
    """The lineage of a figure that ships, as a crate: its folder, and its entities by their names."""
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "crate"
    write_ro_crate(FIGURE, Lineage().steps([FIGURE]), folder)
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    return folder, {entity["@id"]: entity for entity in graph}


def listed(value) -> list[dict]:
    return value if isinstance(value, list) else [value]


def test_a_crate_has_the_workflow_its_run_and_every_job(crate):
    _, entities = crate
    root = entities["./"]
    assert root["mainEntity"] == {"@id": "workflow/Snakefile"}
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= set(entities["workflow/Snakefile"]["@type"])
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in root["conformsTo"]
    assert {"license", "datePublished", "name", "description"} <= set(root)
    actions = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    recorded = Lineage().steps([FIGURE])
    assert len(actions) == 1 + len(recorded)
    assert {action["@id"] for action in actions} == {reference["@id"] for reference in root["mentions"]}
    run_of_all = entities["#run"]
    assert run_of_all["instrument"] == {"@id": "workflow/Snakefile"}
    assert run_of_all["result"] == {"@id": FIGURE}
    # What the run began with is raw data and configuration: nothing that a job made.
    outputs = {path for record in recorded.values() for path in record["outputs"]}
    assert not {entities[reference["@id"]]["name"] for reference in listed(run_of_all["object"])} & outputs


def test_all_that_a_crate_names_is_in_it_as_recorded(crate):
    folder, entities = crate
    for entity in entities.values():
        for key in ("object", "result", "instrument"):
            assert all(reference["@id"] in entities for reference in listed(entity.get(key, [])))
        if entity["@type"] == "File":
            assert sha256(folder / entity["@id"]) == entity["sha256"]
    digests = {entity["name"]: entity["sha256"] for entity in entities.values() if "sha256" in entity}
    for record in Lineage().steps([FIGURE]).values():
        for path, entry in {**record["inputs"], **record["outputs"]}.items():
            assert digests[path] == entry["sha256"]
    assert (folder / FIGURE).read_bytes() == (ROOT / FIGURE).read_bytes()


def test_a_crate_writes_over_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(LosslessError, match="is there already"):
        write_ro_crate(FIGURE, Lineage().steps([FIGURE]), tmp_path)

"""Continuous delivery: workflows that trust nobody more than they must, environments that do not meet."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from infrastructure.stack import ROOT, template

from local import release

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_told_no_secret(path):
    text = path.read_text(encoding="utf-8")
    for step in steps(yaml.safe_load(text)):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
    assert "secrets." not in text, "the role is assumed by OIDC"
    assert not re.search(r"run:.*\$\{\{ *(inputs|github\.event)", text), "what people type never becomes a command"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_run_of_a_workflow_may_only_read_and_only_deployments_get_a_token(path):
    permissions = yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"]
    wanted = {"contents": "read"} | ({"id-token": "write"} if path.name == "deploy.yml" else {})
    assert permissions == wanted


def test_pull_requests_are_tested_and_linted():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    assert "pull_request" in workflow[True]  # YAML's word for "on"
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == [".ci/run"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make lint" in script
    assert "make test" in script


def test_a_deployment_shows_its_change_set_before_anybody_can_execute_it_and_ends_with_the_smoke_test():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8"))
    plan, deploy = workflow["jobs"]["plan"], workflow["jobs"]["deploy"]
    assert "--no-execute-changeset" in plan["steps"][-1]["run"]
    assert "GITHUB_STEP_SUMMARY" in plan["steps"][-1]["run"]
    assert deploy["needs"] == "plan"
    assert "make smoke" in deploy["steps"][-1]["run"]
    assert set(workflow[True]["workflow_dispatch"]["inputs"]["environment"]["options"]) < set(release.environments())


def test_environments_have_a_region_a_stack_and_job_names_of_their_own():
    found = release.environments()
    assert {"default", "staging", "prod"} <= found.keys()
    assert len({one["stack_name"] for one in found.values()}) == len(found)
    default = template()["Parameters"]["JobNamePrefix"]["Default"]
    prefixes = []
    for name, one in found.items():
        assert one["region"], name
        given = dict(pair.split("=", 1) for pair in one.get("parameter_overrides", "").split())
        assert given.keys() <= template()["Parameters"].keys(), name
        prefixes.append(given.get("JobNamePrefix", default))
    assert len(set(prefixes)) == len(prefixes), "permissions go by the prefix"
    assert found["prod"]["confirm_changeset"]


def test_the_stack_policy_refuses_to_replace_or_delete_what_holds_data():
    statements = json.loads(release.POLICY.read_text(encoding="utf-8"))["Statement"]
    (deny,) = (one for one in statements if one["Effect"] == "Deny")
    assert set(deny["Action"]) == {"Update:Replace", "Update:Delete"}
    kept = {one["Type"] for one in template()["Resources"].values() if "Retain" in one.get("DeletionPolicy", "")}
    kept -= {"AWS::Lambda::LayerVersion"}
    assert kept == set(deny["Condition"]["StringEquals"]["ResourceType"])


def test_the_locks_are_looked_at_for_known_holes_every_week():
    """What a deployed stack runs, and what the laptop does; none may be left out."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    assert "make audit" in [step.get("run") for step in workflow["jobs"]["audit"]["steps"]]
    assert workflow[True]["schedule"], "YAML reads the key `on` as true"
    (locks,) = re.findall(r"^audit:.*\n\tfor lock in (.*?); do", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {"jobs", "functions", "dev"} <= set(locks.split())
    for lock in locks.split():
        assert "--hash=sha256:" in (ROOT / "requirements" / f"{lock}.txt").read_text()

"""The chart: every set of values fits Helm and Kubernetes, and unsafe ones are refused."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from replicator import __version__
from replicator.service.scheduling.serving import Role
from tests.support.chart import (
    CHART,
    VALUES,
    RenderFailed,
    helm,
    objects,
    of_kind,
    pods,
    render,
    validate,
)
from tests.support.tools import built

OLDEST, NEWEST = "1.27", "1.37"
every_set = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


@every_set
def test_helm_finds_nothing_wrong(values):
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "--values", values)


@pytest.mark.parametrize("version", [OLDEST, "1.32", NEWEST])
def test_every_object_fits_the_schemas_of_kubernetes(version, tmp_path):
    validate("\n---\n".join(map(render, VALUES.values())), version, tmp_path)


def test_what_the_chart_says_is_tried_value_by_value():
    done = subprocess.run(
        [built("helm-unittest"), "--strict", "--color=false", CHART],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"Tests: +\d+ passed", done.stdout)


def test_chart_and_program_have_one_version_and_one_oldest_kubernetes():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == __version__
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"


def test_what_is_packed_has_no_tests(tmp_path):
    helm("package", CHART, "--destination", tmp_path)

    (packed,) = tmp_path.iterdir()
    names = subprocess.run(["tar", "-tf", packed], capture_output=True, text=True, check=True)
    assert "replicator/values.schema.json" in names.stdout
    assert "/ci/" not in names.stdout
    assert "replicator/tests/" not in names.stdout


def test_there_is_a_deployment_for_each_role_of_the_program():
    deployments = of_kind("Deployment", objects(VALUES["roles"]))
    arguments = [each["spec"]["template"]["spec"]["containers"][0]["args"] for each in deployments]

    assert {each[each.index("--role") + 1] for each in arguments} == set(Role)


@every_set
def test_every_pod_is_restricted(values):
    found = dict(pods(objects(values)))

    assert found
    for name, pod in found.items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"].keys() >= {"cpu", "memory"}, name
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name


@every_set
def test_no_secret_is_made_and_none_is_in_the_open(values):
    rendered = objects(values)

    assert not of_kind("Secret", rendered)
    for name, pod in pods(rendered):
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                is_secret = re.search("PASSWORD|TOKEN|SECRET|KEY", variable["name"])
                assert not is_secret or "secretKeyRef" in variable["valueFrom"], name


@every_set
def test_every_mount_has_its_volume_and_every_volume_is_mounted(values):
    for name, pod in pods(objects(values)):
        volumes = {each["name"] for each in pod["spec"].get("volumes", [])}
        (container,) = pod["spec"]["containers"]
        mounts = {each["name"] for each in container.get("volumeMounts", [])}
        assert mounts == volumes, name


@every_set
def test_a_pod_that_copies_has_longer_to_stop_than_copies_have_to_end(values):
    grace = yaml.safe_load(values.read_text()).get("grace", 25)

    for deployment in of_kind("Deployment", objects(values)):
        spec = deployment["spec"]["template"]["spec"]
        assert spec["terminationGracePeriodSeconds"] >= grace + 10


def test_the_migration_uses_nothing_that_the_release_makes():
    rendered = objects(VALUES["everything"])
    (migration,) = of_kind("Job", rendered)
    made = {each["metadata"]["name"] for each in rendered if each is not migration}

    text = json.dumps(migration["spec"]["template"]["spec"])

    assert migration["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert not [name for name in made if f'"{name}"' in text]


# What is missing or unsafe, and the words with which it is refused.
REFUSED = [
    ("roles", "secretKey.secretName", 'secretKey={"secretName": ""}'),
    ("single", "secretKey.secretName", 'secretKey={"secretName": ""}'),
    ("roles", "database.urlSecret.name", 'database={"urlSecret": {"name": ""}}'),
    ("everything", "database.passwordSecret.name", 'database.passwordSecret.name=""'),
    ("everything", "/database/url", 'database={"url": "postgresql://me:secret@db/replicator"}'),
    ("everything", "urlSecret or url", 'database.urlSecret.name="a"'),
    ("roles", "image.repository", 'image={"repository": ""}'),
    ("roles", "/image/digest", 'image={"digest": "sha256:12"}'),
    ("roles", "sqlite is for one process", 'database={"kind": "sqlite"}'),
    ("single", "for one Pod", 'all={"replicas": 2}'),
    ("cron", "has no service", 'ingress={"enabled": true}'),
    ("roles", "ingress.host", 'ingress={"enabled": true}'),
    ("roles", "httpRoute.parentRefs", 'httpRoute={"enabled": true}'),
    ("everything", "not both", 'ca.secret="b"'),
    ("roles", "config.service.grace", 'config={"service": {"grace": "5s"}}'),
    ("roles", "config.service.database", 'config={"service": {"database": "sqlite:///x"}}'),
    ("roles", "config.rules", 'config={"rules": []}'),
    ("roles", "servce", 'config={"servce": {"queue_interval": "5s"}}'),
    ("roles", "/config/notify", 'config={"notify": "x"}'),
    ("roles", "/config/notify/0", 'config={"notify": ["x"]}'),
    (
        "roles",
        "credential/password",
        'config={"registries": {"quay.io": {"credential": {"password": "x"}}}}',
    ),
    ("roles", "/mode", 'mode="everything"'),
    ("roles", "wokrer", 'wokrer={"replicas": 3}'),
    (
        "roles",
        "docker.io/proxy",
        'config={"registries": {"docker.io": {"proxy": "http://me:secret@proxy"}}}',
    ),
]


@pytest.mark.parametrize(("name", "says", "setting"), REFUSED, ids=[each[2] for each in REFUSED])
def test_what_is_missing_or_unsafe_is_refused(name, says, setting):
    with pytest.raises(RenderFailed) as refused:
        render(VALUES[name], setting)

    assert says in str(refused.value)


def test_without_any_values_it_is_refused():
    with pytest.raises(RenderFailed):
        helm("template", "r", CHART)

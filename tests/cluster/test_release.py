"""The chart on a real API server that admits restricted Pods only: install to uninstall.

`make test-kube` installs what it needs.
"""

from __future__ import annotations

import itertools
import json

import pytest
import yaml

from tests.support.chart import CHART, FOREIGN_KINDS, VALUES, objects
from tests.support.cluster import Refused, cluster

pytestmark = pytest.mark.cluster
_numbers = itertools.count()
PATIENCE = ("--wait", "--timeout", "90s")


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def namespace(kubernetes):
    return kubernetes.make_namespace(f"test-{next(_numbers)}")


def images(kubernetes, namespace):
    return {
        container["image"].rpartition(":")[2]
        for each in kubernetes.get("pods", namespace)
        for container in each["spec"]["containers"]
    }


def names(kubernetes, kinds, namespace):
    return {each["metadata"]["name"] for each in kubernetes.get(kinds, namespace)}


def test_pods_that_are_not_restricted_are_refused(kubernetes, namespace):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "free"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }

    with pytest.raises(Refused, match="violates PodSecurity"):
        kubernetes.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod))


def test_a_release_is_installed_upgraded_tried_rolled_back_and_uninstalled(kubernetes, namespace):
    chart = (CHART, "-n", namespace, "--values", VALUES["roles"], *PATIENCE)

    kubernetes.helm("install", "r", *chart, "--set", "image.tag=1.0.0")
    assert images(kubernetes, namespace) == {"1.0.0"}
    assert len(kubernetes.get("pods", namespace)) == 6

    kubernetes.helm("upgrade", "r", *chart, "--set", "image.tag=1.1.0")
    assert "1.1.0" in images(kubernetes, namespace)

    assert "Succeeded" in kubernetes.helm("test", "r", "-n", namespace, "--timeout", "60s")

    kubernetes.helm("rollback", "r", "1", "-n", namespace, *PATIENCE)
    templates = kubernetes.get("deployments", namespace)
    assert {
        each["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
        for each in templates
    } == {"1.0.0"}

    kubernetes.helm("uninstall", "r", "-n", namespace, *PATIENCE)
    left = "deployments,services,jobs,configmaps,serviceaccounts,networkpolicies,pdb,secrets"
    assert names(kubernetes, left, namespace) == {"kube-root-ca.crt", "default"}


def test_uninstalling_keeps_the_data_and_a_new_release_takes_it_up(kubernetes, namespace):
    chart = (CHART, "-n", namespace, "--values", VALUES["single"], *PATIENCE)
    kubernetes.helm("install", "r", *chart)
    (before,) = kubernetes.get("pvc", namespace)

    kubernetes.helm("uninstall", "r", "-n", namespace, *PATIENCE)
    kubernetes.helm("install", "r", *chart)

    (after,) = kubernetes.get("pvc", namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["phase"] == "Bound"


def test_a_run_can_be_started_from_the_cron_job(kubernetes, namespace):
    kubernetes.helm("install", "r", CHART, "-n", namespace, "--values", VALUES["cron-postgresql"])

    kubernetes.kubectl("create", "job", "now", "--from=cronjob/r-replicator", "-n", namespace)
    kubernetes.kubectl(
        "wait", "--for=condition=complete", "job/now", "-n", namespace, "--timeout=60s"
    )

    (pod,) = kubernetes.get("pods", namespace)
    assert pod["spec"]["containers"][0]["args"] == ["run"]


@pytest.mark.parametrize("name", VALUES)
def test_the_api_server_takes_every_object_of_every_set_of_values(kubernetes, namespace, name):
    own = [each for each in objects(VALUES[name]) if each["kind"] not in FOREIGN_KINDS]

    kubernetes.kubectl(
        *("apply", "-n", namespace, "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=yaml.safe_dump_all(own).replace("namespace: here", f"namespace: {namespace}"),
    )


def test_someone_with_the_rights_of_a_namespace_can_install_it(kubernetes, namespace):
    kubernetes.kubectl("create", "serviceaccount", "installer", "-n", namespace)
    kubernetes.kubectl(
        *("create", "rolebinding", "installer", "--clusterrole=admin", "-n", namespace),
        f"--serviceaccount={namespace}:installer",
    )

    kubernetes.helm(
        *("install", "r", CHART, "-n", namespace, "--values", VALUES["roles"], *PATIENCE),
        *("--kube-as-user", f"system:serviceaccount:{namespace}:installer"),
    )

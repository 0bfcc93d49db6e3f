"""The recipes of compose and of Kubernetes: checked by schema, against each other, and replayed."""

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

import aiohttp
import pytest
from environments import documents_in
from image import NOBODY, ROOT
from support.idp import Idp, user
from support.relays import until

from relay.settings import load

pytestmark = pytest.mark.compliance
CLUSTER = ROOT / "config" / "kubernetes"
OWN_KINDS = sorted(set(CLUSTER.glob("*.yaml")) - {CLUSTER / "servicemonitor.yaml"})


@pytest.mark.parametrize("path", OWN_KINDS, ids=lambda path: path.name)
def test_a_cluster_would_take_the_manifest(tools, path):
    done = subprocess.run(
        [tools / "kubernetes-validate", "--strict", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifests_fit_together(documents):
    stateful, service, monitor = (
        documents(f"kubernetes/{name}.yaml")[0]
        for name in ("statefulset", "service", "servicemonitor")
    )
    config, secret = documents("kubernetes/config.yaml")
    pod = stateful["spec"]["template"]
    container = pod["spec"]["containers"][0]
    labels = pod["metadata"]["labels"]
    outlets = service["spec"]["ports"]
    volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
    claims = {one["metadata"]["name"] for one in stateful["spec"]["volumeClaimTemplates"]}

    assert stateful["spec"]["replicas"] == 1
    assert service["spec"]["selector"].items() <= labels.items()
    assert {one["targetPort"] for one in outlets} <= {one["name"] for one in container["ports"]}
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in {one["name"] for one in outlets}
    assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]
    assert volumes["tfe"]["secret"]["secretName"] == secret["metadata"]["name"]
    assert {one["name"] for one in container["volumeMounts"]} == set(volumes) | claims


def test_the_clusters_configuration_is_accepted_and_its_probes_reach_the_pod(documents, tmp_path):
    config, _ = documents("kubernetes/config.yaml")
    path = tmp_path / "relay.toml"
    path.write_text(config["data"]["relay.toml"])
    settings = load(path)
    container = documents("kubernetes/statefulset.yaml")[0]["spec"]["template"]["spec"][
        "containers"
    ][0]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}

    assert str(settings.metrics.address) == f"0.0.0.0:{ports['metrics']}"
    assert str(settings.listen.address) == f"0.0.0.0:{ports['scim']}"
    assert str(settings.target.token_file) == f"{mounts['tfe']}/token"
    assert str(settings.store.path).startswith(mounts["data"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "metrics"


def test_the_sidecar_is_the_same_container_beside_one_replica(documents):
    sidecar, stateful = (
        documents(f"kubernetes/{name}.yaml")[0]["spec"] for name in ("sidecar", "statefulset")
    )
    alone, beside = (one["template"]["spec"]["containers"][0] for one in (stateful, sidecar))

    assert (sidecar["replicas"], sidecar["strategy"]["type"]) == (1, "Recreate")
    for key in ("image", "args", "ports", "livenessProbe", "readinessProbe", "volumeMounts"):
        assert beside[key] == alone[key]


@pytest.mark.parametrize("name", ["statefulset", "sidecar"])
def test_the_user_of_the_image_may_read_the_secret_and_write_to_the_disk(documents, name):
    pod = documents(f"kubernetes/{name}.yaml")[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    user = container["securityContext"].get("runAsUser", pod["securityContext"].get("runAsUser"))
    [secret] = [one["secret"] for one in pod["volumes"] if "secret" in one]

    assert (user, pod["securityContext"]["fsGroup"]) == (NOBODY, NOBODY)
    # No wider than the group: the relay would warn of a token that is open to everyone.
    assert secret["defaultMode"] == 0o440


def test_the_sidecar_s_disk_is_there(documents):
    pod = documents("kubernetes/sidecar.yaml")[0]["spec"]["template"]["spec"]
    wanted = {
        one["persistentVolumeClaim"]["claimName"]
        for one in pod["volumes"]
        if "persistentVolumeClaim" in one
    }

    assert wanted == {documents("kubernetes/sidecar-volume.yaml")[0]["metadata"]["name"]}


def test_the_guide_wraps_the_alert_rules_into_what_the_operator_takes(tools, tmp_path):
    page = (ROOT / "docs" / "how-to" / "kubernetes.md").read_text()
    [pipe] = re.findall(r"^\{ printf .*?apply -f -$", page, re.DOTALL | re.MULTILINE)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\ncat > {tmp_path}/applied.yaml\n")
    kubectl.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", pipe], cwd=ROOT, env=environ, check=True)

    [applied] = documents_in(tools, tmp_path / "applied.yaml")
    [rules] = documents_in(tools, ROOT / "config" / "prometheus" / "alerts.yml")
    assert (applied["kind"], applied["spec"]) == ("PrometheusRule", rules)


def test_every_file_that_compose_mounts_is_there(documents):
    compose = documents("compose.yml")[0]
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / "config" / source).exists(), volume


def test_grafana_is_given_the_dashboard_and_the_prometheus_of_the_compose_file(documents):
    services = documents("compose.yml")[0]["services"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    folder = "grafana/provisioning"
    [provider] = documents(f"{folder}/dashboards/scim-relay.yml")[0]["providers"]
    [source] = documents(f"{folder}/datasources/prometheus.yml")[0]["datasources"]
    dashboard = json.loads((ROOT / "config" / "grafana" / "scim-relay.json").read_text())
    [asked] = [one for one in dashboard["templating"]["list"] if one["type"] == "datasource"]

    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    place = Path(mounted["./grafana/scim-relay.json"])
    assert str(place.parent) == provider["options"]["path"]
    assert (source["type"], source["isDefault"]) == (asked["query"], True)
    assert "127.0.0.1:9090:9090" in services["tfe"]["ports"]
    assert source["url"] == "http://127.0.0.1:9090"
    # All share one network, so that the source is on loopback for Grafana, too.
    for name in ("relay", "prometheus", "grafana"):
        assert services[name]["network_mode"] == "service:tfe"


async def test_what_compose_starts_delivers_a_user(documents, tmp_path, unused_tcp_port_factory):
    services = documents("compose.yml")[0]["services"]
    front, target, metrics = (unused_tcp_port_factory() for _ in range(3))
    text = (ROOT / "config/compose/relay.toml").read_text()
    for old, new in ((8080, front), (8181, target), (9464, metrics)):
        text = text.replace(f":{old}", f":{new}")
    config = tmp_path / "relay.toml"
    config.write_text(f'{text}\n[store]\npath = "{tmp_path}/relay.db"\n')
    program = str(ROOT / ".venv" / "bin" / "scim-relay")
    environ = {**os.environ, "SCIM_RELAY_CONFIG": str(config)}
    environ |= services["relay"]["environment"] | services["tfe"]["environment"]
    running = [
        await asyncio.create_subprocess_exec(
            *(program, *services[name]["command"], *more),
            env=environ, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )
        for name, more in (("tfe", ("--port", str(target))), ("relay", ()))
    ]  # fmt: skip
    token = re.search(r"token is (\S+)\.\n", text)[1]
    try:
        async with Idp(f"http://127.0.0.1:{front}/scim/v2", token) as idp:

            async def created():
                try:
                    return (await idp.post("/Users", user("ada@example.com"))).status == 201
                except aiohttp.ClientError:
                    return False

            await until(created)
        asked = await asyncio.create_subprocess_exec(
            *(program, "status", "--json"), env=environ, stdout=asyncio.subprocess.PIPE
        )
        status = json.loads((await asked.communicate())[0])
        assert status["changes"]["accepted"] == 1
    finally:
        for process in running:
            process.terminate()
            await process.wait()

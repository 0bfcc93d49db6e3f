"""The recipes of the image, of compose and of Kubernetes: linted, checked by schema, replayed."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest
from environments import python_programs
from image import ROOT, STAGE, opened
from support.idp import Idp, user
from support.relays import until

from relay.settings import load

pytestmark = pytest.mark.compliance
CLUSTER = ROOT / "config" / "kubernetes"
OWN_KINDS = sorted(set(CLUSTER.glob("*.yaml")) - {CLUSTER / "servicemonitor.yaml"})
TO_JSON = "import json,sys,yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
NOBODY = 10_001


@pytest.fixture(scope="session")
def tools():
    return python_programs("deploy")


@pytest.fixture(scope="session")
def documents(tools):
    """Reads a YAML file below config/, as a list of its documents."""

    def read(name):
        with (ROOT / "config" / name).open() as file:
            done = subprocess.run(
                [tools / "python", "-c", TO_JSON], stdin=file, capture_output=True, check=True
            )
        return json.loads(done.stdout)

    return read


def test_hadolint_finds_nothing_in_the_dockerfile(tools):
    done = subprocess.run(
        [tools / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_into_the_image_passes_its_ignore_file():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {name for line in STAGE if line.startswith("COPY") for name in line.split()[1:-1]}

    assert copied == let_in


async def test_the_image_as_replayed_serves_a_user_without_rights_on_a_read_only_root(
    installed, tmp_path
):
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, to take all rights away")
    opened(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    config = tmp_path / "relay.toml"
    config.write_text(
        f'[listen]\naddress = "unix:{data}/scim.sock"\n'
        f'[[connections]]\nname = "idp"\ntoken_hash = "sha256:{"0" * 64}"\n'
        f'[target]\nurl = "http://127.0.0.1:1/scim/v2"\ntoken_file = "{config}"\n'
        f'[store]\npath = "{data}/relay.db"\n[metrics]\naddress = "127.0.0.1:0"\n'
    )
    # What --read-only does: nothing can be written but the volume.
    script = (
        f"mount --bind {data} {data}; mount -o remount,bind,ro /;"
        f" exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs"
        f" --bounding-set=-all {installed}/bin/scim-relay serve"
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "--propagation", "private", "sh", "-ec", script),
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SCIM_RELAY_CONFIG": str(config)},
        stderr=asyncio.subprocess.PIPE,
    )
    lines = []
    async with asyncio.timeout(60):
        async for line in process.stderr:
            lines.append(line)
            if b"relay.ready" in line:
                break
    assert b"relay.ready" in lines[-1], lines
    status, mounts = process_files(process.pid)
    root = next(fields for fields in map(str.split, reversed(mounts)) if fields[1] == "/")
    assert re.search(rf"^Uid:\s+{NOBODY}\s+{NOBODY}", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert "ro" in root[3].split(",")
    process.terminate()
    await process.stderr.read()
    assert await process.wait() == 0


def process_files(pid):
    folder = Path(f"/proc/{pid}")
    return (folder / "status").read_text(), (folder / "mounts").read_text().splitlines()


def test_the_bill_of_materials_names_what_is_locked(tools, installed, tmp_path):
    target = tmp_path / "sbom.json"
    subprocess.run(
        [tools / "cyclonedx-py", "environment", "--of", "JSON", "-o", target,
         installed / "bin" / "python"],
        check=True, capture_output=True,
    )  # fmt: skip
    found = {
        (re.sub(r"[-_.]+", "-", one["name"]).lower(), one["version"])
        for one in json.loads(target.read_text())["components"]
    }
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", text, re.MULTILINE))

    assert locked <= found
    assert {name for name, _ in found - locked} == {"tfe-scim-relay"}


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

    def read(path):
        with path.open() as file:
            done = subprocess.run(
                [tools / "python", "-c", TO_JSON], stdin=file, capture_output=True, check=True
            )
        return json.loads(done.stdout)[0]

    applied, rules = read(tmp_path / "applied.yaml"), read(ROOT / "config/prometheus/alerts.yml")
    assert (applied["kind"], applied["spec"]) == ("PrometheusRule", rules)


def test_every_file_that_compose_mounts_is_there(documents):
    compose = documents("compose.yml")[0]
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / "config" / source).exists(), volume


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

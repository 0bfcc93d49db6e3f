"""L9: a configuration that cannot be used is refused whole, every problem named with a cure."""

import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from support.idp import Idp
from support.relays import RelayProcess, typed, until, write_config

from relay.errors import SettingsError
from relay.settings import Address, Budget, Secret, load
from relay.settings.tokens import InboundToken

HASH = "sha256:" + "0" * 64
CONNECTION = f'[[connections]]\nname = "entra"\ntoken_hash = "{HASH}"\n'
LABELLED = [f"{HASH.replace('0', digit)} label=a" for digit in "12"]
TARGET = '[target]\nurl = "https://tfe.example.com/scim/v2"\ntoken_file = "/run/tfe"\n'
MINIMAL = CONNECTION + TARGET


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    import os

    for name in [name for name in os.environ if name.upper().startswith("SCIM_RELAY_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "relay.toml"
        path.write_text(text)
        return path

    return write


def problems_of(path):
    with pytest.raises(SettingsError) as caught:
        load(path)
    return caught.value.problems


def test_a_minimal_file_gets_every_default(written):
    settings = load(written(MINIMAL))

    assert settings.listen.address == Address("127.0.0.1", 8080)
    assert settings.listen.max_body == 16_000_000
    assert settings.target.timeout == timedelta(seconds=60)
    assert settings.target.rate == 10
    assert settings.guard.max_removals == Budget(share=0.1)
    assert settings.connections[0].token_hash == (InboundToken(HASH),)
    assert settings.control_socket == Path("/var/lib/scim-relay/control.sock")


def test_the_environment_wins_over_the_file(written, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_TARGET__RATE", "9")
    monkeypatch.setenv("SCIM_RELAY_GUARD__PROTECTED_GROUPS", '["admins"]')

    settings = load(written(MINIMAL + "rate = 5\n"))

    assert settings.target.rate == 9
    assert settings.guard.protected_groups == ("admins",)
    assert settings.target.url == "https://tfe.example.com/scim/v2"


def test_the_environment_alone_is_enough(monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_CONNECTIONS", f'[{{"name": "okta", "token_hash": "{HASH}"}}]')
    monkeypatch.setenv("SCIM_RELAY_TARGET__URL", "https://tfe.example.com/scim/v2/")
    monkeypatch.setenv("SCIM_RELAY_TARGET__TOKEN", "canary-token")

    settings = load(None)

    assert settings.target.url == "https://tfe.example.com/scim/v2"
    assert settings.target.token is not None
    assert settings.target.token.reveal() == "canary-token"
    assert "canary-token" not in repr(settings)


def test_every_problem_is_named_at_once(written):
    text = MINIMAL.replace('"entra"', '"Entra!"') + (
        'rate = "fast"\n[listen]\nmax_body = "16"\nadress = ":1"\n[guard]\nwindow = 5\n'
    )

    found = problems_of(written(text))

    assert sorted(line.split(":")[0] for line in found) == [
        "connections[1].name",
        "guard.window",
        "listen.adress",
        "listen.max_body",
        "target.rate",
    ]


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        ("[listen]\nadress = 1\n", "listen.adress: unknown key; did you mean address?"),
        ("[lissten]\n", "lissten: unknown table; did you mean listen?"),
        ("[groups]\noversize = 'overflow'\n", "groups.oversize: a team takes one part"),
        ("[admin_api]\nurl = 'https://x'\n", "admin_api.token_file: missing; admin_api.url and"),
        ("[admin_api]\nurl = 'http://x.org'\n", "admin_api.url: the token would travel in clear"),
        ("[[links]]\ngroup = 'a'\nteams = ['team-1']\n", "links: team links need the admin API"),
        ("[listen]\ntls_certificate = '/x'\n", "listen.tls_key: missing"),
        ("[listen]\naddress = '0.0.0.0:80'\n", "listen.insecure: tokens would travel in clear"),
        ("[listen]\naddress = 'unix:x'\n", "listen.address: a unix socket needs an absolute"),
        ("[guard]\nmax_removals = '101%'\n", "guard.max_removals: neither a number nor a perc"),
        ("[guard]\nwindow = '0s'\n", "guard.window: input should be greater than or equal to"),
        (
            "[guard]\nprotected_groups = 'admins'\n",
            "guard.protected_groups: input should be a list",
        ),
        ("[answer]\nwait = true\n", "answer.wait: "),
        ("[store]\nmax_pending = true\n", "store.max_pending: input should be a number, not"),
        ("[log]\nlevel = 'loud'\n", "log.level: input should be"),
        (CONNECTION.replace("0", "1"), "connections: entra stands there twice"),
        ("[[connections]]\nname = 'x'\n", "connections[2].token_hash: no token, or two sources"),
        (CONNECTION.replace("entra", "okta"), "connections: a token_hash stands there twice"),
        (f"[[connections]]\nname = 'x'\ntoken_hash = {LABELLED}\n", "connections: a labels two"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(written, addition, line):
    (found,) = problems_of(written(MINIMAL + addition))

    assert found.startswith(line)
    assert "; " in found


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("https://tfe.example.com", "http://tfe.example.com", "target.url"),
        ("https://tfe", "https://user:pw@tfe", "target.url"),
        ('token_file = "/run/tfe"', "", "target.token_file"),
        (HASH, "canary-token", "connections[1].token_hash"),
        ('"entra"', '"entra"\nscope = "some"', "connections[1].scope"),
        ('"entra"', '"import"', "connections[1].name"),
        ('"entra"', '"nobody"', "connections[1].name"),
        ('"entra"', '"relay"', "connections[1].name"),
    ],
)
def test_a_wrong_value_is_never_repeated(written, old, new, key):
    (found,) = problems_of(written(MINIMAL.replace(old, new)))

    assert found.startswith(f"{key}: ")
    assert "canary-token" not in found
    assert "pw" not in found


def test_a_secret_in_the_file_is_refused(written):
    text = CONNECTION + TARGET.replace('token_file = "/run/tfe"', 'token = "canary-token"')

    assert problems_of(written(text)) == [
        "target.token: a secret in the configuration file; move it to target.token_file"
    ]


def test_an_unknown_variable_is_refused_by_name(written, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_TARGET__RAET", "9")

    assert problems_of(written(MINIMAL)) == [
        "SCIM_RELAY_TARGET__RAET: unknown variable; did you mean SCIM_RELAY_TARGET__RATE?"
    ]


def test_a_bad_variable_is_named_beside_its_key(written, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_TARGET__TIMEOUT", "60")

    (found,) = problems_of(written(MINIMAL))

    assert found.startswith("target.timeout (from SCIM_RELAY_TARGET__TIMEOUT): unit missing")


def test_a_list_that_is_no_json_is_named(written, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_CONNECTIONS", "[nope")

    (found,) = problems_of(written(MINIMAL))

    assert found.startswith("SCIM_RELAY_CONNECTIONS: is not JSON")


def test_a_key_cannot_reach_the_loader_itself(written):
    assert problems_of(written("_env_prefix = 'X'\n" + MINIMAL))[0].startswith("_env_prefix: unk")


def test_a_credential_is_the_file_systemd_hands_over(written, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/relay")

    settings = load(written(MINIMAL.replace("/run/tfe", "credential:tfe-scim-token")))

    assert settings.target.token_file == Path("/run/credentials/relay/tfe-scim-token")


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path, written):
    assert "cannot be read" in problems_of(tmp_path / "nowhere.toml")[0]
    assert "is not TOML" in problems_of(written("[listen\n"))[0]


@pytest.mark.parametrize("path", ["a folder", "a file/relay.db"])
async def test_a_database_that_cannot_be_made_where_it_is_named_is_a_wrong_setting(
    unlimited, tmp_path, path
):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()
    write_config(unlimited, tmp_path, store={"path": str(tmp_path / path)})
    code, shown = await typed(tmp_path, "serve")

    assert (code, "store.path: cannot use" in shown, "; name a file" in shown) == (2, True, True)


async def test_a_reload_of_what_cannot_be_used_leaves_what_is_there(unlimited, tmp_path):
    config = write_config(unlimited, tmp_path)
    text = config.read_text()
    relay = RelayProcess(config)
    await relay.start()
    await relay.imported()
    folder = f'token_file = "{tmp_path}"'
    spoilt = {
        "no TOML": "[listen\n",
        "a wrong type": text.replace('"idp"', "7"),
        "an unreadable token": re.sub(r"token_hash = .*", folder, text),
        "nothing": "",
    }
    for number, bad in enumerate(spoilt.values(), 1):
        config.write_text(bad)
        relay.process.send_signal(signal.SIGHUP)
        await until(
            lambda number=number: (
                [one.get("event") for one in relay.lines].count("config.refused") == number
            )
        )
        code, shown = await typed(tmp_path, "reload", "--socket", str(tmp_path / "control.sock"))
        assert code != 0, shown
        relay.lines = [one for one in relay.lines if one.get("ordered") in (None, "SIGHUP")]
        async with Idp(relay.base) as idp:
            assert (await idp.create_user(f"user{number}@x.org")) is not None
    assert await relay.stop() == 0


def test_settings_cannot_be_changed(written):
    settings = load(written(MINIMAL))

    with pytest.raises(ValueError, match="frozen"):
        settings.target.rate = 11


def test_a_secret_shows_as_stars():
    assert f"{Secret('canary')} {Secret('canary')!r}" == "*** ***"


HCP = CONNECTION + (
    '[target]\nurl = "https://app.terraform.io/scim/v2/scimconf-1"\ntoken_file = "/run/tfe"\n'
    'profile = "hcp"\n'
)


def test_the_profile_of_hcp_has_its_own_rate_and_a_stricter_guard(written):
    settings = load(written(HCP))

    assert settings.target.rate == 30
    assert settings.guard.max_deletions == Budget(count=5)
    assert settings.guard.max_removals == Budget(share=0.1)


def test_what_is_given_wins_over_the_profile(written, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_TARGET__RATE", "9")

    settings = load(written(HCP + '[guard]\nmax_deletions = "1%"\n'))

    assert settings.target.rate == 9
    assert settings.guard.max_deletions == Budget(share=0.01)


def test_the_environment_can_choose_the_profile(written, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_TARGET__PROFILE", "hcp")

    assert load(written(HCP.replace('profile = "hcp"\n', ""))).target.rate == 30


def test_what_hcp_terraform_rules_out_is_named(written):
    wrong = HCP.replace("/scimconf-1", "") + '[admin_api]\nurl = "https://app.terraform.io"\n'
    wrong += 'token_file = "/run/admin"\n[groups]\noversize = "overflow"\n'
    wrong += "overflow_acknowledged = true\n"

    problems = problems_of(written(wrong))

    assert [problem.partition(":")[0] for problem in problems] == [
        "target.url",
        "admin_api.url",
        "groups.oversize",
    ]


def test_hcp_terraform_s_address_wants_its_profile(written):
    [problem] = problems_of(written(HCP.replace('profile = "hcp"\n', "")))

    assert problem.startswith("target.profile: app.terraform.io is HCP Terraform")

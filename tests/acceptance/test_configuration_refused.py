"""A wrong setting stops the start: exit 2, the key's name, no secret, nothing touched."""

import pytest

from tests.acceptance.harness import Root, orders

SECRET = "s3cr3t-do-not-show"


@pytest.mark.parametrize(
    ("env", "toml", "words"),
    [
        ({"SHIPDROP_API__BASE_URL": ""}, "", ["api.base_url", "SHIPDROP_API__BASE_URL"]),
        ({"SHIPDROP_API__TOKEN": ""}, "", ["api.token"]),
        ({}, '[api]\nconcurency = 4\ntoken = "T"\n', ["api.concurency", 'mean "concurrency"']),
        ({}, '[api]\ntoken = "T"\nchunk_size = 21\n', ["api.chunk_size", "20"]),
        ({"SHIPDROP_API__BASE_URL": "http://api.example.com"}, "", ["api.base_url", "https"]),
        ({"SHIPDROP_API__TOKN": SECRET}, "", ["SHIPDROP_API__TOKN", "SHIPDROP_API__TOKEN"]),
        ({"SHIPDROP_MANIFEST__COURIER": "nobody"}, "", ["manifest.courier", "nobody", "delhivery"]),
        ({}, "[api\n", ["shipdrop.toml", "TOML"]),
        ({"SHIPDROP_SECRETS_DIR": "/no/such"}, "", ["SHIPDROP_SECRETS_DIR", "/no/such"]),
        ({"HTTP_PROXY": f"http://ann:{SECRET}@proxy:port"}, "", ["HTTP_PROXY", "http://host:port"]),
        (
            {"SHIPDROP_API__BASE_URL": f"https://ann:{SECRET}@api.example.com"},
            "",
            ["api.base_url", "https://host"],
        ),
        (
            {"SHIPDROP_NOTIFY__URLS": f"mailto://ann:{SECRET}@example.com"},
            "",
            ["variable SHIPDROP_NOTIFY__URLS", "notify.urls", "JSON", '["…"]'],
        ),
        (
            {"SHIPDROP_WEB__USERS": f'{{"asha": "{SECRET}"}}'},
            "",
            ["variable SHIPDROP_WEB__USERS", "web.users.asha", "table"],
        ),
        ({}, '[web]\nusers = "T"\n', ["line 2", '"web.users" is wrong', "must look like {"]),
        ({}, '[notify]\nurls = "T"\n', ["line 2", '"notify.urls" is wrong', "must look like ["]),
        ({}, '[web.users]\nasha = "T"\n', ["line 2", "web.users.asha", "[web.users.asha]"]),
        (
            {},
            '[web.users.asha]\npasword_hash = "T"\n',
            ["line 2", '"web.users.asha.pasword_hash" is not', 'mean "password_hash"'],
        ),
        (
            {},
            '[web.users.asha]\npassword_hash = ["T"]\n',
            ["line 2", '"web.users.asha.password_hash" is wrong', "text"],
        ),
        (
            {},
            '[web.users.asha]\nrole = "admin"\n',
            ["line 2", '"web.users.asha.role" is "admin"', '"look", "operate" or "manage"'],
        ),
    ],
)
def test_a_wrong_setting_is_named(
    root: Root, env: dict[str, str], toml: str, words: list[str]
) -> None:
    (root.path / "shipdrop.toml").write_text(toml.replace('"T"', f'"{SECRET}"'))
    root.drop("a.csv", orders(1))
    ran = root.once(**env)
    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1, "one sentence, no traceback"
    for word in words:
        assert word in ran.err
    assert SECRET not in ran.err
    assert root.files("inbox") == ["a.csv"]
    assert not root.files("outbox")


def test_a_wrong_list_in_a_secret_file_is_named_and_not_shown(root: Root) -> None:
    secrets = root.path / "secrets"
    secrets.mkdir()
    (secrets / "notify__urls").write_text(f"mailto://ann:{SECRET}@example.com\n")
    ran = root.once(SHIPDROP_SECRETS_DIR=str(secrets))
    assert ran.code == 2
    (words,) = ran.err.splitlines()
    assert f'Secret file {secrets / "notify__urls"}: "notify.urls" must be JSON' in words
    assert SECRET not in words


def test_a_machine_without_certificates_is_told_so_and_keeps_what_it_took(root: Root) -> None:
    root.drop("a.csv", orders(1))
    nothing = str(root.path / "none")
    ran = root.once(
        SHIPDROP_API__BASE_URL="https://127.0.0.1:1", SSL_CERT_FILE=nothing, SSL_CERT_DIR=nothing
    )
    assert ran.code == 2
    assert "SSL_CERT_FILE" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err.splitlines()[-1]
    assert root.once().code == 0
    assert root.of("a").summary["rows"]["accepted"] == 1


def test_an_unknown_option_or_a_missing_config_is_a_usage_error(root: Root) -> None:
    assert root.run("run", "--onse").code == 2
    ran = root.run("run", "--config", "elsewhere.toml")
    assert ran.code == 2
    assert "elsewhere.toml" in ran.err


def test_no_secret_is_ever_written_or_printed(root: Root) -> None:
    root.configure(api__token=SECRET, api__username="u", api__password=f"{SECRET}-2")
    root.configure(api__max_attempts=1)
    root.drop("a.csv", orders(2) + "BAD,Wat\n")
    ran = root.run("run", "--once", "-v", "--log-format", "json")
    assert ran.code == 3, "the dead token was renewed by name and password"
    ran_again = root.run("doctor", "-v")
    trace = root.run("trace", "ORD000000")
    for text in (ran.out, ran.err, ran_again.out, ran_again.err, trace.out, trace.err):
        assert SECRET not in text
    for folder in ("outbox", "state", "archive"):
        for name in root.files(folder):
            assert SECRET.encode() not in (root.path / folder / name).read_bytes()


def test_all_that_is_wrong_is_told_at_once(root: Root) -> None:
    (root.path / "shipdrop.toml").write_text(
        "[inbox]\nmax_rows = 0\n[manifest]\nconcurency = 4\n"
        f'[web.users.asha]\nrol = "look"\npassword_hash = ["{SECRET}"]\n'
    )
    ran = root.once(SHIPDROP_API__TOKN=SECRET)
    assert ran.code == 2
    first, *lines = ran.err.splitlines()
    assert first == "shipdrop: 5 settings are wrong:"
    for words in (
        "SHIPDROP_API__TOKN",
        '"inbox.max_rows" is 0',
        'Did you mean "api.concurrency"',
        '"web.users.asha.rol" is not a setting. Did you mean "role"?',
        '"web.users.asha.password_hash" is wrong',
    ):
        assert [line for line in lines if words in line], words
    assert SECRET not in ran.err


def test_a_token_in_the_file_is_taken_with_a_warning(root: Root) -> None:
    token = root.env.pop("SHIPDROP_API__TOKEN")
    (root.path / "shipdrop.toml").write_text(f'[api]\ntoken = "{token}"\n')
    root.drop("a.csv", orders(1))
    ran = root.run("run", "--once", "--log-format", "json")
    assert ran.code == 0
    (warned,) = (each for each in ran.logs if each["event"] == "settings.secret_in_file")
    assert (warned["level"], warned["key"]) == ("warning", "api.token")
    assert "SHIPDROP_API__TOKEN" in warned["hint"]
    told = root.run("doctor").out
    assert "api.token stands in shipdrop.toml" in told
    assert token not in ran.err + told


def test_doctor_looks_for_secrets_in_the_file_that_config_names(root: Root) -> None:
    token = root.env.pop("SHIPDROP_API__TOKEN")
    (root.path / "shipdrop.toml").write_text('[api]\ntoken = "of another time"\n')
    (root.path / "other.toml").write_text("")
    named = root.run(
        "doctor", "--config", root.path / "other.toml", env={"SHIPDROP_API__TOKEN": token}
    )
    assert "stands in" not in named.out
    (root.path / "other.toml").write_text(f'[api]\ntoken = "{token}"\n')
    named = root.run("doctor", "--config", root.path / "other.toml")
    assert "api.token stands in" in named.out
    assert "other.toml" in named.out
    assert token not in named.out + named.err


def test_the_address_of_a_copy_may_stand_in_the_environment(root: Root) -> None:
    root.drop("a.csv", orders(1))
    assert root.once().code == 0
    copied = root.run("ledger", "copy", "--to-env", "TARGET", env={"TARGET": "sqlite:///copy.db"})
    assert copied.code == 0
    assert (root.path / "copy.db").is_file()
    for wrong in ((), ("--to-env", "NONE"), ("--to", "sqlite:///b.db", "--to-env", "TARGET")):
        ran = root.run("ledger", "copy", *wrong, env={"TARGET": "sqlite:///c.db"})
        assert ran.code == 2
        assert "--to" in ran.err or "NONE" in ran.err

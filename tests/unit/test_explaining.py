"""A wrong setting is told in our words: where it was given, key, value, and what is allowed."""

import os
from pathlib import Path

import pytest

from pipeline.core.errors import SettingsError
from pipeline.service.settings import load, secrets_in

SECRET = "s3cr3t-do-not-show"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.upper().startswith("SHIPDROP_")]:
        monkeypatch.delenv(name)


def told_of(root: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("toml", "env", "told"),
    [
        (
            "[inbox]\n\nmax_rows = 0\n",
            {},
            'line 3: "inbox.max_rows" is 0, and must be a whole number of at least 1.',
        ),
        (
            '[api]\nchunk_size = "many"\n',
            {},
            'line 2: "api.chunk_size" is "many", and must be a whole number from 1 to 20.',
        ),
        (
            "",
            {"SHIPDROP_API__RECONCILE": "maybe"},
            'SHIPDROP_API__RECONCILE: "api.reconcile" is "maybe", and must be true or false.',
        ),
        (
            "",
            {"SHIPDROP_API__TIMEOUT_SECONDS": "0"},
            '"api.timeout_seconds" is "0", and must be a number above 0.',
        ),
        (
            '[api]\nwhen_in_doubt = "wait"\n',
            {},
            '"api.when_in_doubt" is "wait", and must be "resend" or "hold".',
        ),
        (
            "[manifest]\nmax_reject_ratio = 50\n",
            {},
            '"manifest.max_reject_ratio" is 50, and must be a number from 0 to 1.',
        ),
        (
            '[manifest]\ntimezone = "IST+5"\n',
            {},
            '"manifest.timezone" is "IST+5", and must be a zone name such as "Asia/Kolkata".',
        ),
        ("[ledger]\nurl = 5\n", {}, '"ledger.url" is 5, and must be a text in quotes.'),
        ("api = 5\n", {}, 'line 1: "api" must be a table, written as [api].'),
        ("[api]\ntoken = 5\n", {}, 'line 2: "api.token" is wrong, and must be a text in quotes.'),
        (
            '[inbox]\nsettle_seconds = "2"\n',
            {},
            'line 2: "inbox.settle_seconds" is "2", and must be a number of at least 0.',
        ),
        ("[inbox]\nlate_seconds = true\n", {}, '"inbox.late_seconds" is true, and must be a num'),
        ('[api]\nreconcile = "no"\n', {}, '"api.reconcile" is "no", and must be true or false.'),
        (
            "[manifest]\nconcurency = 4\n",
            {},
            '"manifest.concurency" is not a setting. Did you mean "api.concurrency" or "cluster.',
        ),
        ("settle_second = 1\n", {}, 'Did you mean "inbox.settle_seconds"?'),
        (
            '[web.users.asha]\nrol = "look"\n',
            {},
            'line 2: "web.users.asha.rol" is not a setting. Did you mean "role"?',
        ),
        (
            '[web.users.asha]\nrole = "king"\n',
            {},
            'line 2: "web.users.asha.role" is "king", and must be "look", "operate" or "manage".',
        ),
        (
            "[web.users]\nasha = 5\n",
            {},
            'line 2: "web.users.asha" must be a table, written as [web.users.asha].',
        ),
        (
            f'[web.users.asha]\npassword_hash = ["{SECRET}"]\n',
            {},
            'line 2: "web.users.asha.password_hash" is wrong, and must be a text in quotes.',
        ),
        (
            f'[notify]\nurls = "{SECRET}"\n',
            {},
            'line 2: "notify.urls" is wrong, and must look like [',
        ),
        (
            f'[notify]\nurls = ["a", {{x = "{SECRET}"}}]\n',
            {},
            'line 2: "notify.urls.1" is wrong, and must be a text in quotes.',
        ),
        (
            "",
            {"SHIPDROP_WEB__USERS": f'{{"asha": {{"password_hash": ["{SECRET}"]}}}}'},
            'SHIPDROP_WEB__USERS: "web.users.asha.password_hash" is wrong',
        ),
        ("[inbocks]\n", {}, 'line 1: "inbocks" is not a setting. Did you mean "inbox"?'),
        ("[api]\ntoken = T\n", {}, "shipdrop.toml, line 2: this is not valid TOML: Invalid value."),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, env: dict[str, str], told: str
) -> None:
    (tmp_path / "shipdrop.toml").write_text(toml)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said = told_of(tmp_path)
    assert told in said
    assert SECRET not in said


def test_the_variable_is_named_where_it_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipdrop.toml").write_text("[api]\nconcurrency = 4\n")
    monkeypatch.setenv("SHIPDROP_API__CONCURRENCY", "0")
    assert told_of(tmp_path) == (
        'Environment variable SHIPDROP_API__CONCURRENCY: "api.concurrency" is "0", and must be a '
        "whole number from 1 to 256."
    )


def test_a_secret_file_is_named_and_its_value_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "api__base_url").write_text(f"https://u:{SECRET}@h")
    monkeypatch.setenv("SHIPDROP_SECRETS_DIR", str(secrets))
    told = told_of(tmp_path)
    assert told.startswith(f'Secret file {secrets / "api__base_url"}: "api.base_url" is wrong, and')
    assert SECRET not in told


def test_all_wrong_settings_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shipdrop.toml").write_text(
        "[inbox]\nmax_rows = 0\n[api]\nconcurency = 4\nchunk_size = 21\n[inbocks]\n"
    )
    monkeypatch.setenv("SHIPDROP_API__TOKN", SECRET)
    monkeypatch.setenv("SHIPDROP_API__RECONCILE", "maybe")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    first, *lines = str(caught.value).splitlines()
    assert first == "6 settings are wrong:"
    for line, words in zip(
        lines,
        ("SHIPDROP_API__TOKN", "max_rows", "concurency", "chunk_size", "RECONCILE", "inbocks"),
        strict=True,
    ):
        assert any(words in each for each in lines), line
    assert SECRET not in str(caught.value)


def test_secrets_that_stand_in_the_file_are_found(tmp_path: Path) -> None:
    (tmp_path / "shipdrop.toml").write_text(
        '[api]\ntoken = "T"\nusername = "u"\n[notify]\nurls = ["json://h"]\n'
    )
    assert secrets_in(tmp_path) == ["api.token", "notify.urls"]
    assert secrets_in(tmp_path / "none") == []

"""The one place for configuration.

Flags, then environment (``SHIPDROP_API__TOKEN``), then secret files, then ``shipdrop.toml``, then
defaults. ``load`` raises ``SettingsError`` naming the key, and for an unknown one the nearest.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pydantic_settings
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipeline.core.errors import SettingsError
from pipeline.service.settings_errors import (
    ENV_PREFIX,
    Given,
    Wrong,
    error_of,
    explain,
    explain_text,
    is_secret,
    known_keys,
    wrong_kinds,
)
from schemas.similarity import did_you_mean
from schemas.toml_reader import no_toml

CONFIG_NAME = "shipdrop.toml"
SECRETS_DIR_VARIABLE = "SHIPDROP_SECRETS_DIR"

_OTHER_VARIABLES = frozenset(
    {
        "SHIPDROP_ROOT",
        SECRETS_DIR_VARIABLE,
        "SHIPDROP_CORPORA",
        "SHIPDROP_TEST_ALL",
        "SHIPDROP_SCREENSHOTS",
    }
)
"""Variables of ours that are no settings: for the command line and for the tests."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InboxSettings(_Section):
    """The inbox: its folder, and when a file in it counts as ready."""

    path: Path = Path("inbox")
    settle_seconds: Seconds = 2.0
    scan_seconds: PositiveSeconds = 2.0
    incomplete_seconds: Seconds = 60.0
    late_seconds: PositiveSeconds = 300.0
    done_marker: str = ""
    min_free_mb: int = Field(default=64, ge=0)
    max_file_mb: int = Field(default=1024, ge=1)
    max_rows: int = Field(default=2_000_000, ge=1)
    read_seconds: PositiveSeconds = 30.0
    read_memory_mb: int = Field(default=2048, ge=256)

    @field_validator("done_marker")
    @classmethod
    def _a_suffix(cls, value: str) -> str:
        if value and (not value.startswith(".") or "/" in value or len(value) < 2):
            raise ValueError('must be a suffix such as ".done"')
        return value


class OutboxSettings(_Section):
    """The outbox."""

    path: Path = Path("outbox")


class ApiSettings(_Section):
    """The receiving API: its address, its token, and how many calls it gets."""

    base_url: str = ""
    token: SecretStr | None = None
    token_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = None
    chunk_size: int = Field(default=20, ge=1, le=20)
    concurrency: int = Field(default=8, ge=1, le=256)
    rate_per_second: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    timeout_seconds: PositiveSeconds = 30.0
    max_attempts: int = Field(default=8, ge=1)
    give_up_seconds: PositiveSeconds = 900.0
    probe_seconds: PositiveSeconds = 15.0
    outage_seconds: PositiveSeconds = 60.0
    reconcile: bool = True
    when_in_doubt: Literal["resend", "hold"] = "resend"

    @field_validator("base_url")
    @classmethod
    def _reachable_address(cls, value: str) -> str:
        return check_base_url(value) if value else value


class ManifestSettings(_Section):
    """Reading of manifests where neither the courier's profile nor the folder decides."""

    courier: str = "generic"
    timezone: str = "Asia/Kolkata"
    max_reject_ratio: float = Field(default=0.5, ge=0, le=1)
    fill_missing_pickup: bool = False

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError('must be a zone name such as "Asia/Kolkata"') from error
        return value


class RetentionSettings(_Section):
    """Days for which files and rows of closed drops, and the drops, are kept; 0: for good."""

    archive_days: int = Field(default=0, ge=0, le=36_500)
    outbox_days: int = Field(default=0, ge=0, le=36_500)
    rows_days: int = Field(default=180, ge=0, le=36_500)
    drops_days: int = Field(default=0, ge=0, le=36_500)

    @field_validator("drops_days")
    @classmethod
    def _not_before_its_files(cls, value: int, info: ValidationInfo) -> int:
        rest = [info.data.get(f"{what}_days") for what in ("archive", "outbox", "rows")]
        if value and not all(days is None or 0 < days <= value for days in rest):
            raise ValueError(
                "must be 0, or at least as many as archive_days, outbox_days and rows_days, "
                "each of which must be set: a drop is listed while it has files or rows"
            )
        return value


class LedgerSettings(_Section):
    """The database of the ledger."""

    url: str = "sqlite:///state/ledger.db"


class ClusterSettings(_Section):
    """Several workers on one ledger."""

    concurrency: int = Field(default=0, ge=0)
    stale_seconds: float = Field(default=12.0, ge=2, le=60, allow_inf_nan=False)


class WebUser(_Section):
    """A user of the web page: with a password, a token for machines, or both."""

    role: Literal["look", "operate", "manage"] = "operate"
    password_hash: SecretStr | None = None
    token_hash: SecretStr | None = None


class WebSettings(_Section):
    """The web page: its address, users and limits."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    hosts: tuple[str, ...] = ()
    users: Mapping[str, WebUser] = {}
    url: str = ""
    session_hours: PositiveSeconds = 12.0
    max_upload_mb: int = Field(default=200, ge=1)
    max_upload_files: int = Field(default=20, ge=1, le=200)
    behind_proxy: bool = False
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and not (parts.scheme in {"http", "https"} and parts.hostname and not parts.query):
            raise ValueError('must be an address such as "https://shipdrop.example.net"')
        return value


class NotifySettings(_Section):
    """Whom to notify when something changes. ``urls``: addresses as apprise writes them."""

    urls: tuple[SecretStr, ...] = ()
    digest_seconds: Seconds = 60.0
    ping_url: SecretStr | None = None
    ping_seconds: PositiveSeconds = 60.0


class Settings(BaseSettings):
    """All settings of one root, checked. Paths are as written: ``resolve`` makes them absolute."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    inbox: InboxSettings = InboxSettings()
    outbox: OutboxSettings = OutboxSettings()
    api: ApiSettings = ApiSettings()
    manifest: ManifestSettings = ManifestSettings()
    ledger: LedgerSettings = LedgerSettings()
    cluster: ClusterSettings = ClusterSettings()
    retention: RetentionSettings = RetentionSettings()
    web: WebSettings = WebSettings()
    notify: NotifySettings = NotifySettings()


def _layered(values: Mapping[str, Any]) -> type[Settings]:
    """Return settings from flags over environment over secret files over ``values``."""

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = [init_settings, env_settings]
            if secrets := os.environ.get(SECRETS_DIR_VARIABLE):
                sources.append(
                    NestedSecretsSettingsSource(
                        file_secret_settings,
                        secrets_dir=secrets,
                        secrets_nested_delimiter="__",
                        secrets_prefix="",
                    )
                )
            return (*sources, InitSettingsSource(settings_cls, init_kwargs=dict(values)))

    return Layered


def check_base_url(value: str) -> str:
    """Return the address without a trailing slash.

    Raises ValueError unless it is scheme://host[:port][/prefix], https except on loopback.
    """
    parts = urlsplit(value)
    try:
        port_is_sound = parts.port is None or parts.port > 0
    except ValueError:
        port_is_sound = False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not port_is_sound
        or not plain
    ):
        raise ValueError("must look like https://host[:port][/prefix]")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https:// (plain http only for this machine itself)")
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(
    root: Path, *, config: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings of ``root``.

    ``config`` names another file than ROOT/shipdrop.toml (it must exist then); ``flags`` is a
    nested mapping that wins over everything. Raises SettingsError.
    """
    path = config if config is not None else root / CONFIG_NAME
    text, values = _read_toml(path, required=config is not None)
    wrong = _unknown_variables(os.environ)
    secrets = os.environ.get(SECRETS_DIR_VARIABLE)
    if secrets and not Path(secrets).is_dir():
        raise SettingsError(f"{SECRETS_DIR_VARIABLE} names {secrets}, which is not a folder.")
    given = Given(path=path, text=text, values=values, flags=flags or {}, secrets=secrets)
    made: Settings | None = None
    try:
        made = _layered(values)(**dict(flags or {}))
    except ValidationError as error:
        wrong += explain(error, Settings, given)
    except pydantic_settings.SettingsError:  # of a list or a table that was given as text
        wrong += explain_text(Settings, given)
    kinds = wrong_kinds(Settings, given)
    wrong += [each for each in kinds if each not in wrong]
    if made is None or wrong:
        raise error_of(wrong)
    return made


def secrets_in(root: Path, *, config: Path | None = None) -> list[str]:
    """Return the keys of secrets that stand in the configuration file. Raises SettingsError."""
    _, values = _read_toml(config if config is not None else root / CONFIG_NAME, required=False)
    return [
        f"{section}.{key}"
        for section, keys in known_keys(Settings).items()
        for key, field in keys.items()
        if is_secret(field) and isinstance(values.get(section), Mapping) and key in values[section]
    ]


def variable_of(key: str) -> str:
    """Return the environment variable that gives a setting."""
    return f"{ENV_PREFIX}{key.replace('.', '__')}".upper()


def _read_toml(path: Path, *, required: bool) -> tuple[str, Mapping[str, Any]]:
    """Return the file's text and what it says; nothing when it may be missing and is."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        if required:
            raise SettingsError(f"There is no configuration file {path}.") from None
        return "", {}
    except tomllib.TOMLDecodeError as error:
        fault = no_toml(error, text, origin=str(path))
        raise SettingsError(fault.message, hint=fault.hint) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} cannot be read: it is not UTF-8 text.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


def _unknown_variables(environ: Mapping[str, str]) -> list[Wrong]:
    """Return the variables that are no settings: else they would be passed over in silence."""
    sections = known_keys(Settings)
    known = [f"{ENV_PREFIX}{s}__{k}".upper() for s, keys in sections.items() for k in keys]
    return [
        Wrong(
            message=f"The environment variable {name} is not a setting.",
            hint=did_you_mean(name.upper(), known),
        )
        for name in sorted(environ)
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in {*known, *_OTHER_VARIABLES}
    ]

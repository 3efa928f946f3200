"""What the delivery thread needs, from the settings: credentials, policy, the client."""

from collections.abc import Callable
from pathlib import Path

from pipeline.core.errors import SettingsError
from pipeline.core.ports import Clock, Presence, StatusApi
from pipeline.delivery.api.auth import Credentials
from pipeline.delivery.api.fenced_client import PresentApi
from pipeline.delivery.api.proxies import proxy_for
from pipeline.delivery.metrics import CallCount, Metered
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.service.settings import ApiSettings
from pipeline.storage.ledger import SqlLedger

_GATHER_SECONDS = 0.015
"""A commit on PostgreSQL costs about a millisecond of processor, here and there: more answers share
one than in an embedded ledger. Chunks that are marked ahead keep the callers busy meanwhile."""


def policy_of(api: ApiSettings, ledger: SqlLedger) -> DeliveryPolicy:
    """How calls are made, tried again and given up."""
    gather = {} if ledger.is_embedded else {"gather": _GATHER_SECONDS}
    return DeliveryPolicy(
        concurrency=api.concurrency,
        rate=api.rate_per_second,
        timeout=api.timeout_seconds,
        max_attempts=api.max_attempts,
        give_up_after=api.give_up_seconds,
        reconcile=api.reconcile,
        when_in_doubt=api.when_in_doubt,
        **gather,
    )


def api_maker(
    api: ApiSettings, root: Path, calls: CallCount, clock: Clock, presence: Presence | None
) -> Callable[[], StatusApi]:
    """Check now for all that sending needs; the delivery thread makes the client later.

    ``calls`` counts what it sends; ``presence``: asked before each call. Raises SettingsError when
    address or token are not configured, or the environment's proxy has no address.
    """
    credentials = credentials_of(api, root)
    proxy_for(api.base_url)

    def make() -> StatusApi:
        from pipeline.delivery.api.client import KonnectApi

        konnect = KonnectApi(
            base_url=api.base_url, credentials=credentials, timeout=api.timeout_seconds
        )
        metered = Metered(konnect, calls, monotonic=clock.monotonic)
        return PresentApi(metered, presence) if presence else metered

    return make


def credentials_of(api: ApiSettings, root: Path) -> Credentials:
    """How to get a token. Raises SettingsError when address or token are not configured."""
    if not api.base_url:
        raise SettingsError(
            'The setting "api.base_url" is missing: where to send.',
            hint="Set it in shipdrop.toml or by SHIPDROP_API__BASE_URL; `shipdrop sandbox` starts "
            "a local stand-in.",
        )
    credentials = Credentials(
        token=api.token.get_secret_value() if api.token else None,
        token_file=root / api.token_file if api.token_file else None,
        username=api.username,
        password=api.password.get_secret_value() if api.password else None,
    )
    login = credentials.username is not None and credentials.password is not None
    if not (credentials.token or credentials.token_file or login):
        raise SettingsError(
            'The setting "api.token" is missing: nothing is taken without a token.',
            hint="Set api.token, api.token_file, or api.username and api.password; best by "
            "environment (SHIPDROP_API__TOKEN) or a file.",
        )
    return credentials

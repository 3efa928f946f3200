"""Build the delivery thread from the settings: credentials, policy, the client.

A worker's client makes not one call more once others may have taken over.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pipeline.core.clock import Clock
from pipeline.core.errors import Fenced, Held, SettingsError
from pipeline.core.ports import Presence, Reply, StatusApi
from pipeline.delivery.api.auth import Credentials
from pipeline.delivery.api.transport import proxy_for
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.service.health_file import CallCount
from pipeline.service.settings import ApiSettings

_Asked = TypeVar("_Asked", bytes, str)

_GATHER_SECONDS = 0.015
"""A commit on PostgreSQL costs about a millisecond of processor, here and there: more answers share
one than in an embedded ledger. Chunks that are marked ahead keep the callers busy meanwhile."""


def policy_of(api: ApiSettings, *, is_embedded: bool) -> DeliveryPolicy:
    """Return how calls are made, tried again and given up."""
    gather = {} if is_embedded else {"gather": _GATHER_SECONDS}
    return DeliveryPolicy(
        concurrency=api.concurrency,
        rate=api.rate_per_second,
        timeout=api.timeout_seconds,
        max_attempts=api.max_attempts,
        give_up_after=api.give_up_seconds,
        reconcile=api.reconcile,
        when_in_doubt=api.when_in_doubt,
        quiet_unprobed=api.outage_seconds,
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
        return WatchedApi(konnect, calls, clock, presence)

    return make


def has_no_token(api: ApiSettings) -> bool:
    """Return whether no setting says where a token comes from."""
    login = api.username is not None and api.password is not None
    return not (api.token or api.token_file or login)


def credentials_of(api: ApiSettings, root: Path) -> Credentials:
    """Return how to get a token. Raises SettingsError when address or token are not configured."""
    if not api.base_url:
        raise SettingsError(
            'The setting "api.base_url" is missing: the address to send to.',
            hint="Set it in shipdrop.toml or by SHIPDROP_API__BASE_URL; `shipdrop sandbox` starts "
            "a local stand-in.",
        )
    credentials = Credentials(
        token=api.token.get_secret_value() if api.token else None,
        token_file=root / api.token_file if api.token_file else None,
        username=api.username,
        password=api.password.get_secret_value() if api.password else None,
    )
    if has_no_token(api):
        raise SettingsError(
            'The setting "api.token" is missing: the API accepts no call without one.',
            hint="Set api.token, api.token_file, or api.username and api.password; best by "
            "environment (SHIPDROP_API__TOKEN) or a file.",
        )
    return credentials


class WatchedApi:
    """Implements ``ports.StatusApi`` over another: its calls are counted in ``calls``.

    ``presence``: the right of a worker to act; a call after its time raises Held, since others may
    be sending these orders by now.
    """

    def __init__(
        self, api: StatusApi, calls: CallCount, clock: Clock, presence: Presence | None
    ) -> None:
        self._api = api
        self._calls = calls
        self._clock = clock
        self._presence = presence

    async def put_status(self, body: bytes) -> Reply:
        """See ``StatusApi``."""
        return await self._watched(self._api.put_status, body)

    async def order_info(self, order_id: str) -> Reply:
        """See ``StatusApi``."""
        return await self._watched(self._api.order_info, order_id)

    @property
    def token_generation(self) -> int:
        """See ``StatusApi``."""
        return self._api.token_generation

    async def renew_token(self, generation: int) -> bool:
        """See ``StatusApi``."""
        return await self._api.renew_token(generation)

    async def close(self) -> None:
        """See ``StatusApi``."""
        await self._api.close()

    async def _watched(self, call: Callable[[_Asked], Awaitable[Reply]], asked: _Asked) -> Reply:
        self._still_here()
        began, status = self._clock.monotonic(), "no answer"
        try:
            reply = await call(asked)
            status = str(reply.status)
            return reply
        finally:
            self._calls.add(status, self._clock.monotonic() - began)

    def _still_here(self) -> None:
        try:
            if self._presence is not None:
                self._presence.require_valid()
        except Fenced as error:
            raise Held(error.message, hint=error.hint) from error

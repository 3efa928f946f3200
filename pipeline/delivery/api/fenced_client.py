"""The API as a worker may use it: not one call more once others may have taken over."""

from pipeline.core.errors import Fenced, Held
from pipeline.core.ports import Presence, Reply, StatusApi


class PresentApi:
    """Implements ``ports.StatusApi`` over another; a call after the worker's time raises Held."""

    def __init__(self, api: StatusApi, presence: Presence) -> None:
        self._api = api
        self._presence = presence

    async def put_status(self, body: bytes) -> Reply:
        """Send, unless others may be sending the same by now."""
        self._still_here()
        return await self._api.put_status(body)

    async def order_info(self, order_id: str) -> Reply:
        """Ask."""
        self._still_here()
        return await self._api.order_info(order_id)

    @property
    def token_generation(self) -> int:
        """See ``StatusApi``."""
        return self._api.token_generation

    async def renew_token(self, generation: int) -> bool:
        """See ``StatusApi``."""
        return await self._api.renew_token(generation)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    def _still_here(self) -> None:
        try:
            self._presence.sure()
        except Fenced as error:
            raise Held(error.message, hint=error.hint) from error

"""HTTP/1.1 for httpx at the price of the wire: a transport of our own (decision 12)."""

from pipeline.adapters.wire.transport import WireTransport

__all__ = ["WireTransport"]

"""The proxy that the environment names for an address."""

import os
import re
from urllib.parse import urlsplit

from pipeline.core.errors import SettingsError

_HOST = re.compile(r"[\w.:-]+", re.ASCII)


def proxy_for(base_url: str) -> str | None:
    """Return the address of the proxy that calls to ``base_url`` go through, or None.

    Read from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or their names in lower case. Raises
    SettingsError when what is there is no address of an HTTP proxy.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # the rule; the import below takes long
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    found = getproxies().get(parts.scheme)
    if not found or any(map(proxy_bypass, (parts.netloc, parts.hostname or ""))):
        return None
    address = found if "://" in found else f"http://{found}"
    if not _is_an_address(address):
        raise SettingsError(  # without what it holds: that may be a password
            f"The variable {parts.scheme.upper()}_PROXY holds no address of a proxy.",
            hint="It has the shape http://host:port or http://user:password@host:port.",
        )
    return address


def _is_an_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        sound = parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
        return parts.scheme in {"http", "https"} and bool(sound)
    except ValueError:  # a port that is none
        return False

"""The proxies that the environment names, for the transport."""

from __future__ import annotations

from urllib import request as urllib_request
from urllib.parse import urlsplit

from zbatch.api.contract import is_loopback


class EnvironmentProxies:
    """`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not, as read when made."""

    def __init__(self) -> None:
        self._proxies = urllib_request.getproxies_environment()

    def proxy_for(self, url: str) -> str | None:
        """Give the proxy's URL, or `None` for a direct connection. Loopback is always direct.

        Raises:
            ValueError: where the environment names a proxy that is not an http(s) one.
        """
        if not self._proxies or is_loopback(url):
            return None
        parts = urlsplit(url)
        host = parts.hostname or ""
        # The standard library has it on every system, typeshed on none.
        if urllib_request.proxy_bypass_environment(host, self._proxies):  # type: ignore[attr-defined]
            return None
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        if proxy is None:
            return None
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        if not proxy.lower().startswith(("http://", "https://")):
            raise ValueError("the environment names a proxy that is not an http one")
        return proxy

"""Which endpoint may have the key, what to do where it refuses it, and whether a run may go on at another."""

from __future__ import annotations

from collections.abc import Collection

from zbatch.api.endpoint import Endpoint, EndpointKind, parse_endpoint
from zbatch.api.errors import AccountRefusedError
from zbatch.errors import AccountError, EndpointError
from zbatch.model import JobState
from zbatch.state.database import Meta
from zbatch.state.store import Store


def key_for(endpoint: Endpoint, key: str | None, *, given: bool) -> str | None:
    """Give the key to send to an endpoint, or none where it needs none.

    `given` says that a person named this endpoint by flag or variable, now or earlier.

    Raises:
        EndpointError: a hosted endpoint and no key, or one that only a manifest names.
    """
    if endpoint.kind is EndpointKind.PREVIEW:
        return None
    if endpoint.kind is EndpointKind.LOCAL:
        return key
    if not endpoint.may_have_key(given=given):
        raise EndpointError(
            f"the key does not go to {endpoint.url}: only the manifest names this endpoint",
            hint=f"if you trust it, name it once yourself: zbatch run ... --endpoint {endpoint.url}",
        )
    if key is None:
        raise EndpointError(
            f"no API key for {endpoint.url}",
            hint="set the variable ZBATCH_API_KEY, or use --api-key-file; `--endpoint preview` needs none",
        )
    return key


def refusal(error: AccountRefusedError, safe: str) -> AccountError:
    """Give the server's words on the account, with what to do about it; `safe` says what is not lost."""
    money = error.status == 402 or "BALANCE" in error.reason
    mend = "top up the account" if money else "check the key (of --api-key-file, else of ZBATCH_API_KEY)"
    return AccountError(error.message, hint=f"{mend} and run again: {safe}")


def take_endpoint(store: Store, endpoint: Endpoint, retry: Collection[JobState] = ()) -> str:
    """Record the endpoint of a run; give a word about it where it changed, else nothing.

    Tasks in flight at the old one are let go of only where `retry` has unknown outcomes in it.

    Raises:
        EndpointError: the directory belongs to another kind of endpoint, or has tasks in flight at another.
    """
    before = store.meta(Meta.ENDPOINT)
    if before is None:
        store.set_meta(Meta.ENDPOINT, endpoint.url)
        store.set_meta(Meta.ENDPOINT_KIND, endpoint.kind)
        return ""
    if before == endpoint.url:
        return ""
    old = parse_endpoint(before)
    if old.kind is not endpoint.kind:
        raise EndpointError(
            f"this run directory belongs to the {old.kind} endpoint {old.url}, not to {endpoint.url}: "
            "their images never mix",
            hint="leave out -o (each kind has a directory of its own), or give another one",
        )
    if store.in_flight():
        if JobState.UNKNOWN not in retry:
            raise EndpointError(
                f"this run has tasks in flight at {old.url}, and {endpoint.url} does not know them",
                hint=f"finish them first with --endpoint {old.url}; if it is gone for good, --retry unknown "
                "lets go of them and submits them again (they may be billed twice)",
            )
        store.forget_tasks(f"in flight at {old.url} when the run went on at {endpoint.url}")
    store.set_meta(Meta.ENDPOINT, endpoint.url)
    store.set_meta(Meta.LIMITS, None)
    return f"the endpoint of this run was {old.url} and is {endpoint.url} now"

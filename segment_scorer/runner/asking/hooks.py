"""Open the hook that `--hook` names. Each kind of hook is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from segment_scorer.runner.asking.host_rules import Hook

if TYPE_CHECKING:
    from function.bootstrap import Handler
    from segment_scorer.runner.asking.local_hook import LocalHook

LAMBDA = "lambda:"
HTTPS = "https://"


def open_hook(address: str, settings: Mapping[str, str], limit_seconds: float) -> Hook:
    """Open `local`, `lambda:NAME`, an http address of an emulator, or an https address.

    settings  of a local hook; of the others only SCORER_WEB_SECRETS, whose first secret is sent

    Raises SettingsError or BundleError if a local function cannot start, OptionError for any other
    address, or a secret, that cannot be used.
    """
    if address == "local":
        return open_local_hook(settings, limit_seconds)
    from segment_scorer.runner.asking.web_caller import read_secret  # noqa: PLC0415
    from segment_scorer.runner.asking.web_hook import SecretHook, WebHook  # noqa: PLC0415  # ssl

    secret = read_secret(settings)
    if address.startswith(HTTPS):
        return WebHook(address, secret=secret, limit=limit_seconds)
    hook = open_event_hook(address, limit_seconds)
    return SecretHook(hook, secret) if secret else hook


def open_event_hook(address: str, limit_seconds: float) -> Hook:
    """Open a hook that takes whole events: `lambda:NAME`, or an emulator."""
    if address.startswith(LAMBDA):
        from segment_scorer.runner.asking.lambda_hook import connect_lambda  # noqa: PLC0415  # loads boto3

        return connect_lambda(address.removeprefix(LAMBDA), limit_seconds)
    from segment_scorer.runner.asking.http_hook import HttpHook  # noqa: PLC0415

    return HttpHook(address, limit=limit_seconds)


def open_local_hook(settings: Mapping[str, str], limit_seconds: float) -> LocalHook[Handler]:
    """Build the function in this process. Raises SettingsError or BundleError."""
    from function.bootstrap import build_handler  # noqa: PLC0415  # loads ONNX Runtime
    from segment_scorer.runner.asking.local_hook import LocalHook  # noqa: PLC0415

    return LocalHook(
        lambda observer, stream: build_handler(settings, observer=observer, stream=stream),
        limit=limit_seconds,
    )

"""Opens AWS clients, with the region that AWS's command line would use.

The only opener in the project. It is in `model` because every user of AWS may import `model`: the
function, the runner, the external stores, and deployment, which imports nothing that it deploys.
boto3 is an extra and is imported only when a client is opened.
"""

from __future__ import annotations

import os
from typing import Any


def open_client(
    service: str, *, region: str | None = None, endpoint_url: str | None = None, **config: Any
) -> Any:
    """Open a boto3 client. Nothing is connected yet.

    region        default: AWS_REGION, then boto3's own sources, of which AWS_REGION is not one
    endpoint_url  the address of a compatible service
    config        arguments of `botocore.config.Config`: timeouts in seconds, retries ...

    Raises ImportError without boto3, BotoCoreError without a region or with a broken AWS
    configuration, ValueError when an endpoint is not a URL.
    """
    import boto3  # noqa: PLC0415  # an extra
    from botocore.config import Config  # noqa: PLC0415

    # A session of its own: the shared one keeps the first credentials that it found.
    return boto3.session.Session().client(
        service,  # type: ignore[call-overload,unused-ignore]  # chosen at run time
        region_name=region or os.environ.get("AWS_REGION") or None,
        endpoint_url=endpoint_url,
        config=Config(**config),
    )

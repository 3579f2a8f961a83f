"""Moto's AWS: an empty server on loopback, and the function that tests deploy to it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from segment_scorer.deploy.aws import open_client

ROLE = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
}


@contextmanager
def run_moto() -> Iterator[dict[str, str]]:
    """Start the server; give the environment variables that point an AWS client to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        # moto's state belongs to the process and outlives the server
        reset = urllib.request.Request(f"{address}/moto-api/reset", method="POST")  # noqa: S310  # loopback
        urllib.request.urlopen(reset, timeout=10).close()  # noqa: S310
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        yield {
            **keys,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }
    finally:
        server.stop()


def create_scorer() -> Any:
    """Create the function `scorer` from an image, in moto. Gives the client of Lambda."""
    role = (
        boto3.Session()
        .client("iam")
        .create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(ROLE))["Role"]["Arn"]
    )
    client = open_client("lambda", region=None, endpoint_url=None)
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/scorer@sha256:" + "0" * 64
    client.create_function(
        FunctionName="scorer",
        PackageType="Image",
        Code={"ImageUri": image},
        Role=role,
        Timeout=15,
    )
    return client


def publish_live(client: Any) -> None:
    """Publish a version of `scorer` behind its alias `live`."""
    version = client.publish_version(FunctionName="scorer")["Version"]
    client.create_alias(FunctionName="scorer", Name="live", FunctionVersion=version)

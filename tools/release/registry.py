"""Read tags of an image repository over HTTP (OCI distribution specification). Never writes.

Works with Amazon ECR, and with registries that need no login, such as one on loopback. Messages
hold no address, digest or credential.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass

from segment_scorer.deploy.aws import open_client, translate_errors
from segment_scorer.deploy.errors import DeployError

REPOSITORY = re.compile(r"(?P<host>[a-z0-9.-]+(:\d{1,5})?)/(?P<name>[a-z0-9]+([._/-][a-z0-9]+)*)")
ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3})(:\d+)?")
SINGLE = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LISTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a tag names.

    digest  of the manifest; images are deployed by it
    config  digest of the image's configuration; None for a list of images
    """

    digest: str
    config: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository on a host. `login` is `user:password` or empty."""

    host: str
    name: str
    login: str = ""

    @property
    def address(self) -> str:
        """The name that an engine uses, without a tag."""
        return f"{self.host}/{self.name}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where plain HTTP is used."""
        return LOOPBACK.fullmatch(self.host) is not None

    def read_manifest(self, tag: str) -> Manifest | None:
        """The manifest that `tag` names now; None when it names nothing. Raises DeployError."""
        scheme = "http" if self.is_loopback else "https"
        url = f"{scheme}://{self.host}/v2/{self.name}/manifests/{tag}"
        headers = {"Accept": ", ".join(SINGLE + LISTS)}
        if self.login:
            headers["Authorization"] = "Basic " + base64.b64encode(self.login.encode()).decode()
        try:
            request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the scheme is ours
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                body: bytes = answer.read()
        except urllib.error.HTTPError as error:
            # Other registries make a repository with the first push; ECR does not.
            unknown = "NAME_UNKNOWN" in error.read().decode(errors="replace")
            if error.code == 404 and not (unknown and ECR.fullmatch(self.host)):
                return None
            raise DeployError(explain_status(error.code)) from error
        except OSError as error:
            raise DeployError(
                "cannot reach the registry that REPOSITORY names: "
                f"{type(error).__name__}; check the name and the network"
            ) from error
        return parse_manifest(body)


def explain_status(status: int) -> str:
    """The sentence for an HTTP status that comes without a manifest."""
    if status == 404:
        return "expected the repository to exist in ECR: create it first (docs/deploy.md, step 2)"
    if status in {401, 403}:
        return "the registry asks for a login: expected a repository in ECR, or one without logins"
    return f"the registry did not return the tag's manifest (HTTP status {status}): try again later"


def parse_manifest(body: bytes) -> Manifest:
    """Read a manifest. Its digest is the SHA-256 of these bytes. Raises DeployError."""
    try:
        document = json.loads(body)
        config = None if "manifests" in document else document["config"]["digest"]
    except (ValueError, TypeError, KeyError) as error:
        raise DeployError(
            "expected an image manifest from the registry, found something else"
        ) from error
    return Manifest(digest=f"sha256:{hashlib.sha256(body).hexdigest()}", config=config)


def open_repository(text: str) -> Repository:
    """Read `HOST/NAME`, and log in to ECR.

    Raises DeployError for another form, and for ECR without credentials.
    """
    found = REPOSITORY.fullmatch(text)
    if found is None:
        raise DeployError(
            "REPOSITORY: expected HOST/NAME without a tag, such as "
            "ACCOUNT.dkr.ecr.REGION.amazonaws.com/segment-scorer"
        )
    ecr = ECR.fullmatch(found["host"])
    return Repository(
        host=found["host"], name=found["name"], login=log_in(ecr["region"]) if ecr else ""
    )


def log_in(region: str) -> str:
    """ECR's `user:password`, valid for 12 hours, from the AWS credentials in use."""
    client = open_client("ecr", region=region, endpoint_url=None)
    with translate_errors("log in to ECR"):
        token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode()

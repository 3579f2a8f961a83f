"""docs/web.md: its recipes have the documented form of each call, and the function answers them."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from botocore.stub import Stubber

from function.bootstrap import build_handler
from function.hosts.web import TITLES
from segment_scorer.cli.main import main
from segment_scorer.runner.writing.names import DECISIONS
from tests.fakes import make_bundle

TEXT = (Path(__file__).parents[2] / "docs" / "web.md").read_text("utf-8")
KEY = "invented-secret-0123456789"


def find_block(language: str, word: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found).replace("SECRET", KEY)


@pytest.fixture
def handle(tmp_path: Path) -> Any:
    environ = {"SCORER_BUNDLE": str(make_bundle(tmp_path / "b")), "SCORER_WEB_SECRETS": KEY}
    return build_handler(environ, stream=io.StringIO())


def ask(handle: Any, headers: dict[str, str], body: str) -> dict[str, Any]:
    """Give a request to the function, as a function URL does."""
    event = {
        "version": "2.0",
        "headers": {name.lower(): text for name, text in headers.items()},
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "body": body,
        "isBase64Encoded": False,
    }
    reply: dict[str, Any] = handle(event, None)
    return reply


def test_every_status_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| (4\d\d) \|", TEXT, re.MULTILINE))
    assert rows == {str(status) for status in TITLES}


# Source of the form: Braze user guide, "Making an API call", "HTTP POST", and "Connected Content
# retries"; "Aborting messages": abort_message takes a reason; "Advanced filters": json_escape is
# for a string in JSON.
TAG = re.compile(
    r"\{% connected_content (?P<url>\S+)\s+:method post\s+:headers (?P<headers>\{.*?\})\s+"
    r":body \{\{(?P<body>\w+)\}\}\s+:content_type (?P<media>\S+)\s+:save (?P<name>\w+)\s+"
    r":retry %\}"
)


def test_the_braze_recipe_has_the_documented_form_and_is_answered(handle: Any) -> None:
    recipe = find_block("liquid", "connected_content")
    tag = TAG.search(recipe)
    assert tag is not None
    captured = re.search(
        rf"\{{% capture {tag['body']} %\}}(.*?)\{{% endcapture %\}}", recipe, re.DOTALL
    )
    assert captured is not None
    body = captured[1].replace("{{${user_id} | json_escape}}", r"u\"1")
    body = re.sub(r"\{\{custom_attribute\.\$\{\w+\} \| default: 0\}\}", "4", body)
    assert "{{" not in body
    headers = {**json.loads(tag["headers"]), "content-type": tag["media"]}
    reply = ask(handle, headers, body)
    assert reply["statusCode"] == 200
    (person,) = json.loads(reply["body"])["people"]
    assert person["id"] == 'u"1'
    # It aborts whatever is not an explicit keep: no answer and a problem, too.
    assert f'{{% if {tag["name"]}.people[0].decision != "keep" %}}' in recipe
    assert recipe.index("abort_message(") > tag.end()
    assert "people" not in json.loads(ask(handle, {}, body)["body"])


@pytest.fixture
def url(handle: Any) -> Iterator[str]:
    """The function behind a server of HTTP, in the place of a function URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            reply = ask(handle, dict(self.headers.items()), body)
            self.send_response(reply["statusCode"])
            self.end_headers()
            self.wfile.write(reply["body"].encode())

        def log_message(self, *arguments: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_client_in_python_has_ten_lines_and_gets_decisions(url: str) -> None:
    source = find_block("python", "urllib")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102  # the page's own recipe
    people = [{"Id": "a", "Metrics": {"score": 0.9}}, {"Id": "b", "Metrics": {"score": 0.1}}]
    assert [each["id"] for each in names["decide"](url, KEY, people)] == ["a", "b"]


def test_the_line_for_curl_is_answered(url: str) -> None:
    words = shlex.split(find_block("console", "curl ").removeprefix("$ "))
    assert words[-1] == "URL"
    done = subprocess.run([*words[:-1], "--silent", url], capture_output=True, check=True)
    assert json.loads(done.stdout)["people"][0]["id"] == "invented-1"
    wrong = [word.replace(KEY, "wrong") for word in words[:-1]]
    done = subprocess.run([*wrong, "--silent", url], capture_output=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (22, 401)


def read_option(text: str, shape: Any) -> Any:
    """An option's text as its operation takes it: the shorthand of structures, flags, numbers."""
    if shape.type_name == "structure":
        parts = dict(part.split("=") for part in text.split(","))
        return {name: read_option(part, shape.members[name]) for name, part in parts.items()}
    kinds: dict[str, Any] = {"integer": int, "double": float, "boolean": lambda _: True}
    return kinds.get(shape.type_name, str)(text)


def read_command(line: str) -> tuple[str, str, dict[str, Any]]:
    """The service, the operation and the parameters of a line for AWS's command line."""
    words = shlex.split((line.partition("$(")[2].removesuffix(")") or line).removeprefix("$ "))
    model = botocore.session.get_session().get_service_model(words[1])
    operation = {xform_name(name, "-"): name for name in model.operation_names}[words[2]]
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    known = {xform_name(name, "-"): name for name in shape.members}
    options = dict(
        (*part.strip().split(" ", 1), "")[:2] for part in " ".join(words[3:]).split("--")[1:]
    )
    given = {known[name]: text for name, text in options.items() if name in known}
    assert options.keys() - known.keys() <= {"query", "output"}
    return words[1], operation, {n: read_option(t, shape.members[n]) for n, t in given.items()}


def test_the_commands_for_api_gateway_are_calls_that_aws_knows() -> None:
    block = find_block("console", "apigatewayv2")
    calls = [read_command(line) for line in block.splitlines()]
    assert [operation for _, operation, _ in calls] == [
        "CreateApi",
        "CreateIntegration",
        "CreateRoute",
        "CreateStage",
        "AddPermission",
    ]
    for service, operation, parameters in calls:
        client = boto3.Session("AKIAINVENTED", "invented", region_name="us-east-1").client(service)
        with Stubber(client) as stub:
            stub.add_response(xform_name(operation), {}, parameters)
            getattr(client, xform_name(operation))(**parameters)
    (_, _, integration), (_, _, route) = calls[1:3]
    assert integration["PayloadFormatVersion"] == "2.0"
    assert route["AuthorizationType"] == "AWS_IAM"
    assert calls[3][2]["AutoDeploy"] is True


def test_the_recipe_for_mautic_gives_a_column_that_mautic_reads_as_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_BUNDLE", str(make_bundle(tmp_path / "b")))
    recipe = TEXT.partition("### Mautic")[2].partition("\n## ")[0]
    words = shlex.split(re.findall(r"`segment-scorer (run [^`]*)`", recipe)[0])
    segment = tmp_path / "contacts.csv"
    segment.write_text("Id,Metrics.score\n17,0.9\n18,0.1\n")
    words[1], words[words.index("URL")] = str(segment), "local"
    words[words.index("out/mautic")] = str(tmp_path / "out")
    assert main(words) == 0
    assert f"out/mautic/{DECISIONS}" in recipe
    text = (tmp_path / "out" / DECISIONS).read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    # Mautic documentation, "Import contacts": true, 1, on and yes are TRUE values.
    assert [(row["Id"], row["sent"]) for row in rows] == [("17", "true"), ("18", "false")]

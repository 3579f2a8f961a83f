"""docs/web.md: its recipes have the documented form of each call, and the function answers them."""

from __future__ import annotations

import io
import json
import re
import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

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
# retries"; "Aborting messages": abort_message takes a reason.
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
    body = captured[1].replace("{{${user_id} | json}}", '"u1"')
    body = re.sub(r"\{\{custom_attribute\.\$\{\w+\} \| default: 0\}\}", "4", body)
    assert "{{" not in body
    headers = {**json.loads(tag["headers"]), "content-type": tag["media"]}
    reply = ask(handle, headers, body)
    assert reply["statusCode"] == 200
    (person,) = json.loads(reply["body"])["people"]
    assert person["id"] == "u1"
    # It aborts whatever is not an explicit keep: no answer and a problem, too.
    assert f'{{% if {tag["name"]}.people[0].decision != "keep" %}}' in recipe
    assert recipe.index("abort_message(") > tag.end()
    assert "people" not in json.loads(ask(handle, {}, body)["body"])


def test_the_line_for_curl_is_answered(handle: Any) -> None:
    words = shlex.split(find_block("console", "curl ").removeprefix("$ "))
    headers = dict(
        words[index + 1].split(": ", 1) for index, word in enumerate(words) if word == "--header"
    )
    assert words[words.index("--request") + 1] == "POST"
    reply = ask(handle, headers, words[words.index("--data") + 1])
    assert json.loads(reply["body"])["people"][0]["id"] == "invented-1"


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


def test_the_recipe_for_mautic_names_options_and_files_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = TEXT.partition("### Mautic")[2].partition("\n## ")[0]
    assert f"out/mautic/{DECISIONS}" in recipe
    with pytest.raises(SystemExit):
        raise SystemExit(main(["run", "--help"]))
    help_ = capsys.readouterr().out
    assert all(option in help_ for option in set(re.findall(r"--[a-z]+", recipe)))

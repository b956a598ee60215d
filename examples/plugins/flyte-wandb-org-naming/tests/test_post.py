"""What a webhook is told, and that a webhook which cannot be told harms nobody."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from acme_webhook import Webhook, listening_webhook, nobody_answers
from flyte_wandb_org_naming._organisation import WEBHOOK_VARIABLE
from flyte_wandb_org_naming._post import post

REMEDY = "repair the webhook, or unset the variable"
TOLD = {"run_id": "acme-vision-r1-a0", "url": "https://wandb.example.com/team/vision/runs/1", "outcome": "finished"}


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening_webhook() as listening:
        yield listening


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}
    return [record.getMessage() for record in caplog.records if record.name == "flyte_wandb_org_naming"]


def test_a_webhook_is_told_as_json(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    post(f"{webhook.address}", TOLD).join()
    assert webhook.posts == [TOLD]
    assert warnings(caplog) == []


def test_who_posts_does_not_wait_for_an_answer() -> None:
    with nobody_answers() as address:
        thread = post(address, TOLD)
        assert thread.is_alive()
        assert thread.daemon
    thread.join()


ENDS_BEFORE_THE_ANSWER = """
import atexit, sys
atexit.register(lambda: print("answered:", not thread.is_alive()))  # called last, for it is registered first
from flyte_wandb_org_naming._post import post
thread = post(sys.argv[1], {})
print("at its end", flush=True)
"""


def test_the_end_of_the_process_waits_for_an_answer() -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, "-c", ENDS_BEFORE_THE_ANSWER, address]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "at its end\n"
            with listening.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert process.stdout.read() == "answered: True\n"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("file:///secret", "it is no http or https address"),
        ("secret", "it is no http or https address"),
        ("http://[secret", "ValueError"),
        ("http://host:secret/", "InvalidURL"),
    ],
)
def test_an_address_that_cannot_be_is_a_warning_that_does_not_repeat_it(
    address: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    post(address, TOLD).join()
    (message,) = warnings(caplog)
    assert message == f"the webhook in {WEBHOOK_VARIABLE} was not told of {TOLD}: {words}; {REMEDY}"


def test_a_port_on_which_nobody_listens_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with nobody_answers() as address:
        pass  # whose port is closed now
    post(address, TOLD).join()
    (message,) = warnings(caplog)
    assert "Connection refused" in message
    assert "secret" not in message


def test_a_webhook_that_never_answers_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with nobody_answers() as address:
        post(address, TOLD, timeout=0.05).join()
    (message,) = warnings(caplog)
    assert "timed out" in message


def test_a_webhook_that_answers_with_an_error_is_a_warning(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    post(f"{webhook.address}/broken", TOLD).join()
    (message,) = warnings(caplog)
    assert "HTTP Error 500" in message

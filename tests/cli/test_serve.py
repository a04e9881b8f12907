"""keras-sagan serve: from the shell to an answer, and to its end."""

import functools
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from keras_sagan import cli
from tests.helpers import free_port
from tests.helpers import tiny_model

pytestmark = pytest.mark.no_backend


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_serves_until_it_is_interrupted(any_singular_vector, tmp_path):
    tiny_model(compiled=False).save(tmp_path / "model.keras")
    (tmp_path / "classes.json").write_text(json.dumps(["cat", "dog", "owl"]))
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            *("-X", "faulthandler"),
            "-c",
            "import sys; from keras_sagan import cli; sys.exit(cli.main())",
            "serve",
            str(tmp_path / "model.keras"),
            f"--port={port}",
        ],
        # A shell's background jobs, as the tests may be, ignore the signal.
        preexec_fn=functools.partial(
            signal.signal, signal.SIGINT, signal.SIG_DFL
        ),
    )
    try:
        config = None
        while config is None and process.poll() is None:
            try:
                url = f"http://127.0.0.1:{port}/config"
                with urllib.request.urlopen(url) as response:
                    config = response.read().decode()
            except urllib.error.URLError:
                time.sleep(0.2)
        assert "owl" in config
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(90) == 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # It shows where it hangs.
            process.wait(10)
            raise
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "arguments are required: MODEL"),
        (["x.keras", "--port=0"], 2, "--port: must be an integer from 1"),
        (["none.keras"], 1, "there is no file or folder"),
    ],
)
def test_errors(arguments, status, message, capsys):
    assert cli.main(["serve", *arguments]) == status
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


def test_a_taken_port(any_singular_vector, tmp_path, taken_port, capsys):
    tiny_model(compiled=False).save(tmp_path / "model.keras")
    arguments = [str(tmp_path / "model.keras"), f"--port={taken_port}"]
    assert cli.main(["serve", *arguments]) == 1
    text = capsys.readouterr().err
    assert "port" in text
    assert text.count("\n") == 1

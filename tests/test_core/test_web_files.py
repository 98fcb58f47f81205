"""Files of web servers: one that does not answer is not one without the file."""

import http.server
import threading

import pytest

from beampose.core import files, storage
from beampose.core.answering import Refused, Unanswered
from beampose.pipelines import cli

ANSWERS = {"/there.csv": 200, "/gone.csv": 404, "/down.csv": 503, "/login.csv": 401}


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = b"abc" if ANSWERS[self.path] == 200 else b"sorry"
        self.send_response(ANSWERS[self.path])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()
    found.server_close()


def test_a_file_is_there_or_not(server):
    assert files.exists(f"{server}/there.csv") and not files.exists(f"{server}/gone.csv")
    assert storage.place(f"{server}/there.csv").read_bytes() == b"abc"


@pytest.mark.parametrize(("name", "error"), [("down.csv", Unanswered), ("login.csv", Refused)])
def test_a_server_that_fails_or_refuses_says_nothing_of_the_file(server, name, error):
    for ask in (files.exists, lambda path: storage.place(path).read_bytes()):
        with pytest.raises(error, match=f"/{name}: "):
            ask(f"{server}/{name}")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9/a.yaml", "check the address and the network"),
        ("https://127.0.0.1:99999/a.yaml", "is no address of a web server"),
        ("ftp://127.0.0.1/a.yaml", "download the file first"),
    ],
)
@pytest.mark.parametrize("words", [["run"], ["check"]])
def test_what_nobody_answers_is_said_with_its_address(address, said, words, capsys):
    assert cli.main([*words, address]) == 2
    error = capsys.readouterr().err
    assert said in error and address in error


def test_nothing_is_written_to_a_web_server(server):
    with pytest.raises(PermissionError, match="only read"):
        storage.write_text(storage.place(f"{server}/new.txt"), "x")

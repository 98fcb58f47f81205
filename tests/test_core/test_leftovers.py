"""What temporary files leave behind, and names that TensorFlow would take for patterns."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from beampose.core import files, leftovers, storage
from beampose.pipelines import cli
from beampose.pipelines.cloud import code_wheel

KILLED = """
import os, signal, sys
from beampose.core import storage
with storage.replacing_folder(sys.argv[1] + "/plots") as folder, \\
        storage.replacing(sys.argv[1] + "/shard-0.tfrecord"):
    (folder / "a.png").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
posix = pytest.mark.skipif(os.name == "nt", reason="Windows does not tell which processes ended")


@posix
def test_what_a_kill_leaves_is_cleared_by_the_next_run(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)])
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == [".plots", ".shard"]
    (tmp_path / ".of-somebody-else").write_text("stays")
    leftovers._looked_at.discard(str(tmp_path))
    storage.write_text(tmp_path / "report.html", "x")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".of-somebody-else", "report.html"]


@posix
def test_what_another_process_is_writing_stays(tmp_path):
    with storage.replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        leftovers._looked_at.discard(str(tmp_path))
        storage.write_text(tmp_path / "b.txt", "x")
        assert temporary.is_file()


def test_temporary_files_of_a_process_go_with_it():
    before = tempfile.gettempdir()
    with leftovers.own_folder() as folder:
        Path(tempfile.mkdtemp(prefix="beam-pipeline-temp"), "a").write_text("left")
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(folder)
    assert not folder.exists()
    assert tempfile.gettempdir() == before


@posix
def test_a_command_of_a_user_without_a_home_ends_without_a_traceback(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": "/dev/null/home"}
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    code = "from beampose.core import leftovers\nwith leftovers.own_folder():\n import matplotlib\n"
    words = [sys.executable, "-c", f"{code} matplotlib.get_cachedir()"]
    ran = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_command_whose_home_is_full_ends_without_a_traceback(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    code = """
import atexit, pathlib, shutil, tempfile
from beampose.core import leftovers
with leftovers.own_folder():
    # As matplotlib does.
    made = tempfile.mkdtemp(prefix="matplotlib-")
    atexit.register(shutil.rmtree, made)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@posix
def test_the_command_leaves_nothing_in_the_temporary_folder(tmp_path):
    (tmp_path / "t").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "t")}
    words = [sys.executable, "-c", "from beampose.pipelines import cli; cli.main()", "--version"]
    subprocess.run(words, env=environment, capture_output=True)
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize("name", ["lab [old]", "a*b", "what?", "a::b", "[0-9]", "a\\b"])
@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
def test_a_folder_of_any_name_is_reached_without_wildcards(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with storage.without_wildcards(folder) as plain:
        assert not {*"*?[]\\"} & set(str(plain))
        (plain / "a").write_text("1")
    assert (folder / "a").read_text() == "1"
    assert files.matching(f"{files.parent(str(folder))}/*") == [str(folder)] or "\\" in name


FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    "cause",
    [
        lambda temporary: OSError(errno.ENOSPC, FULL),
        lambda temporary: OSError(errno.ENOSPC, FULL, str(temporary / "part.bin")),
        # HDF5 and others have errors of their own for it.
        lambda temporary: RuntimeError(f"HDF5 error back trace\n errno = 28, message = '{FULL}'"),
    ],
)
@pytest.mark.parametrize("folder", [False, True])
def test_a_full_disk_is_told_with_the_file_and_what_to_do(tmp_path, folder, cause):
    writing = storage.replacing_folder if folder else storage.replacing
    with pytest.raises(OSError, match="No space") as error, writing(tmp_path / "store") as place:
        raise cause(place)
    assert str(tmp_path / "store") in files.why(error.value)
    assert "make room" in files.why(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_a_folder_that_cannot_be_written_is_told_with_the_name_of_the_file(
    tmp_path, monkeypatch, folder, late, code
):
    def refuse(*words, dir=None, prefix="", **more):
        raise OSError(code, os.strerror(code), f"{dir}/{prefix}abc" if dir else str(words[0]))

    if late:
        monkeypatch.setattr(Path if folder else os, "rename" if folder else "replace", refuse)
    else:
        monkeypatch.setattr(tempfile, "mkdtemp" if folder else "mkstemp", refuse)
    writing = storage.replacing_folder if folder else storage.replacing
    with pytest.raises(OSError) as error, writing(tmp_path / "schema.json"):
        pass
    said = files.why(error.value)
    assert said.startswith(f"{tmp_path / 'schema.json'}: ") and "choose a writable folder" in said
    assert list(tmp_path.iterdir()) == []


CHATTY = """
import sys
from beampose.pipelines import cli, verbs
class Chatty:
    beam = tensorflow = False
    name = "check"
    def settle(self, arguments):
        pass
    def run(self, arguments):
        for _ in range(int(sys.argv[1])):
            print("x" * 1000)
        return 0
verbs.VERBS["check"] = Chatty()
asked = __import__("argparse").Namespace(verb="check", debug=False)
cli.parser = lambda: type("P", (), {"parse_args": lambda self, w: asked})()
sys.exit(cli.main())
"""


def chatty(lines, stdout, **environment):
    own = {**os.environ, "PYTHONUNBUFFERED": "", **environment}
    words = [sys.executable, "-c", CHATTY, str(lines)]
    ran = subprocess.run(words, stdout=stdout, stderr=subprocess.PIPE, text=True, env=own)
    return ran.returncode, ran.stderr


# One line stays in a buffer until the end.
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("lines", [1, 1000])
def test_a_reader_that_goes_away_ends_a_command_quietly(lines, unbuffered):
    out, into = os.pipe()
    os.close(out)
    ended = chatty(lines, into, PYTHONUNBUFFERED=unbuffered)
    os.close(into)
    assert ended == (cli._ENDED_BY_READER, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("lines", [1, 1000])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has it")
def test_what_is_printed_to_a_full_disk_is_one_sentence(lines, unbuffered):
    with open("/dev/full", "w") as full:
        code, said = chatty(lines, full, PYTHONUNBUFFERED=unbuffered)
    assert code == 2
    assert (
        said == f"error: what is printed: {FULL}: make room, or choose a folder on another disk\n"
    )


@posix
def test_a_closed_output_does_not_become_that_of_a_file(tmp_path):
    code = "import os, sys; from beampose.pipelines import cli; cli._hold_streams()\n"
    code += "file = open(sys.argv[1], 'w'); print('a name'); os.write(1, b'of a library')\n"
    shell = f'exec "{sys.executable}" -c "$1" "$2" >&- 2>&-'
    file = tmp_path / "written.txt"
    assert not subprocess.run(["sh", "-c", shell, "sh", code, str(file)]).returncode
    assert file.read_text() == ""


def test_a_full_disk_that_names_no_file_is_told_with_the_folder_of_temporary_files(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/scratch")
    why = files.why(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert why.startswith(f"{os.strerror(errno.ENOSPC)}: /scratch, for temporary files (TMPDIR")
    assert files.why(OSError(errno.EIO, "x")) == f"[Errno {errno.EIO}] x"


def test_a_wheel_that_has_no_room_names_the_folder_of_temporary_files(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="for temporary files") as error:
        code_wheel.build(tmp_path)
    assert error.value.errno == errno.ENOSPC

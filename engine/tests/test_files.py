"""The endpoints below /files: what is shown, in Mesos' form, and nothing else."""

import json
import os
import pwd
from pathlib import Path

import pytest

from pocket_mesos.http.files import Files
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Router


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    (folder / "stdout").write_text("started\n")
    (folder / "sub").mkdir()
    (tmp_path / "secret").write_text("no")
    (folder / "out").symlink_to(tmp_path / "secret")
    return folder


async def get(shown: Path, path: str, query: str = "", *, hidden: str = "") -> Response:
    router = Router()
    attached = {"/virtual/latest": str(shown), str(shown): str(shown)}
    files = Files(lambda: attached, lambda name, _: name != hidden)
    files.register(router, lambda _: not hidden)
    request = Request(method="GET", path=path, query_string=query)
    admitted = router.admit(request)
    answer = admitted if isinstance(admitted, Response) else await admitted.answer(request, b"")
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize("ending", ["", ".json"])
async def test_browse_lists_a_folder(shown: Path, ending: str) -> None:
    """Sorted, under the name that was asked for."""
    answer = await get(shown, f"/files/browse{ending}", "path=/virtual/latest")
    entries = json.loads(answer.body)
    assert [entry["path"] for entry in entries] == [
        f"/virtual/latest/{name}" for name in ("out", "stdout", "sub")
    ]
    stdout = entries[1]
    assert stdout["mode"] == "-rw-r--r--"
    assert (stdout["size"], stdout["nlink"]) == (8, 1)
    assert stdout["uid"] == pwd.getpwuid(os.geteuid()).pw_name
    assert set(stdout) == {"gid", "mode", "mtime", "nlink", "path", "size", "uid"}


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("offset=0&length=200", {"data": "started\n", "offset": 0}),
        ("offset=5&length=2", {"data": "ed", "offset": 5}),
        ("offset=-1", {"data": "", "offset": 8}),
        ("", {"data": "", "offset": 8}),
        ("offset=100000&length=10", {"data": "", "offset": 100000}),
    ],
)
async def test_read_gives_a_part(shown: Path, query: str, body: dict[str, object]) -> None:
    """Without an offset, or with -1, only the size."""
    answer = await get(shown, "/files/read", f"path=/virtual/latest/stdout&{query}")
    assert json.loads(answer.body) == body


@pytest.mark.parametrize(
    ("endpoint", "query", "status", "body"),
    [
        ("read", "", 400, "Expecting 'path=value' in query.\n"),
        ("browse", "", 400, "Expecting 'path=value' in query.\n"),
        ("download", "", 400, "Expecting 'path=value' in query.\n"),
        ("read", "path=/nope", 404, ""),
        ("read", "path=/virtual/latest&offset=0", 400, "Cannot read a directory.\n"),
        ("download", "path=/virtual/latest", 400, "Cannot download a directory.\n"),
        (
            "read",
            "path=/virtual/latest/../secret&offset=0",
            400,
            "'/virtual/latest/../secret' is inaccessible.\n",
        ),
        (
            "download",
            "path=/virtual/latest/out",
            400,
            "'/virtual/latest/out' is inaccessible.\n",
        ),
        (
            "read",
            "path=/virtual/latest/stdout&length=-5&offset=0",
            400,
            "Negative length provided: -5.\n",
        ),
        (
            "read",
            "path=/virtual/latest/stdout&offset=x",
            400,
            "Failed to parse offset: Failed to convert 'x' to number.\n",
        ),
    ],
)
async def test_refusals(shown: Path, endpoint: str, query: str, status: int, body: str) -> None:
    """Mesos' sentences; nothing outside of what is shown, by dots or by links."""
    answer = await get(shown, f"/files/{endpoint}", query)
    assert (answer.status, answer.body.decode()) == (status, body)


async def test_download_is_the_file_itself(shown: Path) -> None:
    """With its name for the browser."""
    answer = await get(shown, "/files/download", "path=/virtual/latest/stdout")
    assert answer.file is not None
    with answer.file as file:
        assert file.read() == b"started\n"
    assert ("Content-Disposition", "attachment; filename=stdout") in answer.headers


async def test_a_read_is_bounded(shown: Path) -> None:
    """No single answer holds more than 16 pages."""
    os.truncate(shown / "stdout", 10_000_000)
    answer = await get(shown, "/files/read", "path=/virtual/latest/stdout&offset=0&length=-1")
    assert len(json.loads(answer.body)["data"]) == 65536


async def test_debug_tells_what_is_shown(shown: Path) -> None:
    """Virtual names and real folders, for the operator; for JSONP as well."""
    answer = await get(shown, "/files/debug", "jsonp=cb")
    assert answer.body.startswith(b'cb({"')


@pytest.mark.parametrize(
    "path",
    [
        "/virtual/latest",
        "/virtual/latest/",
        "/virtual/latest/stdout",
        "/virtual/latest/./stdout",
        "/virtual/latest/sub/../stdout",
        "/virtual/latest/nope",
        "/virtual/latest/../secret",
    ],
)
async def test_what_somebody_may_not_see_is_forbidden(shown: Path, path: str) -> None:
    """By the name that it is shown under, whatever follows; not even whether it is there."""
    hidden = "/virtual/latest"
    for verb, body in (("browse", b""), ("read", b""), ("download", b"403 Forbidden.")):
        answer = await get(shown, f"/files/{verb}", f"path={path}&offset=0", hidden=hidden)
        assert (answer.status, answer.body) == (403, body), verb
    answer = await get(shown, "/files/read", f"path={shown}/stdout&offset=0", hidden=hidden)
    assert answer.status == 200
    assert (await get(shown, "/files/debug", hidden=hidden)).status == 403


@pytest.mark.parametrize("endpoint", ["read", "download"])
async def test_a_pipe_is_not_opened(shown: Path, endpoint: str) -> None:
    """Opening it would wait for a writer, and hold everybody up meanwhile."""
    os.mkfifo(shown / "pipe")
    answer = await get(shown, f"/files/{endpoint}", "path=/virtual/latest/pipe&offset=0")
    assert (answer.status, answer.body) == (400, b"Cannot read what is no regular file.\n")


async def test_names_of_any_bytes_are_listed(shown: Path) -> None:
    """A task may name its files as it likes; a download's header stays one line."""
    names = [b"\xff", "\u00e9\n".encode()]
    for name in names:
        os.close(os.open(bytes(shown) + b"/" + name, os.O_CREAT))
    answer = await get(shown, "/files/browse", "path=/virtual/latest")
    paths = [entry["path"] for entry in json.loads(answer.body)]
    assert {"/virtual/latest/\ufffd", "/virtual/latest/\u00e9\n"} <= set(paths)
    answer = await get(shown, "/files/download", "path=/virtual/latest/%C3%A9%0A")
    assert dict(answer.headers)["Content-Disposition"] == "attachment; filename=__"
    assert answer.file is not None
    answer.file.close()


@pytest.mark.parametrize("endpoint", ["browse", "read", "download"])
@pytest.mark.parametrize("name", ["x%00", "x" * 300, "stdout/below"])
async def test_names_that_no_file_has_are_not_found(shown: Path, endpoint: str, name: str) -> None:
    """What no file system takes for a name is as good as any name of nothing."""
    answer = await get(shown, f"/files/{endpoint}", f"path=/virtual/latest/{name}")
    assert answer.status == 404


async def test_an_offset_beyond_all_files_gives_nothing(shown: Path) -> None:
    """As one just behind the end."""
    offset = "9" * 30
    answer = await get(shown, "/files/read", f"path=/virtual/latest/stdout&offset={offset}")
    assert json.loads(answer.body) == {"data": "", "offset": int(offset)}

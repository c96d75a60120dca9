"""What fsspec reads, here from its file system in memory, and the credentials for it."""

import http.server
import json
import threading

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mapreduce.errors import SourceError, UsageError
from mapreduce.inputs import storage
from mapreduce.inputs.inputs import find
from mapreduce.inputs.sources import open_source
from mapreduce.inputs.storage import Storage, load

SECRET = "AKIA-very-secret"


class Vault(MemoryFileSystem):
    """A file system that wants a key, tells it in its errors, and remembers what it listed."""

    protocol = "vault"
    cachable = False

    def __init__(self, key="", **options):
        super().__init__(**options)
        self.key = key
        self.listed = {}

    def invalidate_cache(self, path=None):
        self.listed.clear()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("vault://"))

    def info(self, path, **options):
        if self.key != SECRET:
            raise PermissionError(f"wrong key {self.key}")
        if path not in self.listed:
            found = super().info(path, **options)
            self.listed[path] = found | {"ETag": str(found.get("created"))}
        return self.listed[path]


class Slow(MemoryFileSystem):
    """A file system that never answers."""

    protocol = "slow"
    cachable = False
    released = threading.Event()

    def info(self, path, **options):
        self.released.wait()
        return super().info(path, **options)


class Kept(MemoryFileSystem):
    """A file system that is kept, as most are."""

    protocol = "kept"
    cachable = True

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("kept://"))


fsspec.register_implementation("kept", Kept, clobber=True)
fsspec.register_implementation("vault", Vault, clobber=True)
fsspec.register_implementation("slow", Slow, clobber=True)

OPTIONS = {"vault": {"key": SECRET}, "s3": {"secret": "other"}}


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.store.clear()
    for name, content in {"a.txt": b"one", "d/b.txt": b"two", "d/e/c.txt": b"three"}.items():
        files.pipe(f"/x/{name}", content)
    yield files
    files.store.clear()


def text(given, options=None):
    return b"".join(open_source(given.reference("unused")).chunks(0, None))


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("memory://x/a.txt", ["a.txt"]),
        ("memory://x/d", ["d/b.txt", "d/e/c.txt"]),
        ("memory://x/*.txt", ["a.txt"]),
        ("memory://x/**/*.txt", ["a.txt", "d/b.txt", "d/e/c.txt"]),
    ],
)
def test_files_folders_and_globs_are_found(memory, url, names):
    """With their sizes, by name."""
    found = find([url])
    assert [item.name.removeprefix("memory://").lstrip("/") for item in found] == [
        f"x/{name}" for name in names
    ]
    assert [text(item) for item in found] == [memory.cat(f"/x/{name}") for name in names]
    assert all(item.splittable for item in found)


def test_links_of_file_systems_are_read(tmp_path):
    """An archive's file within another file system, as fsspec chains them."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", b"one two")
    found = find([f"zip://*.txt::file://{tmp_path}/x.zip"])
    assert [text(item) for item in found] == [b"one two"]


def test_large_files_are_read_by_range(memory, monkeypatch):
    """In spans, that are handed on in chunks."""
    monkeypatch.setattr(storage, "SPAN", 1000)
    data = bytes(range(256)) * 40
    memory.pipe("/x/big", data)
    opened = open_source(find(["memory://x/big"])[0].reference("unused"))
    assert b"".join(opened.chunks(0, None)) == data
    assert b"".join(opened.chunks(777, 1500)) == data[777:]


def test_file_systems_are_kept_from_one_input_to_the_next(memory, monkeypatch):
    """A new one would connect anew, and fsspec keeps all for ever."""
    made = []
    init = Kept.__init__
    monkeypatch.setattr(Kept, "__init__", lambda self, **options: made.append(init(self)))
    given = find(["memory://x/a.txt"])[0].reference("unused")
    given["url"] = "kept://x/a.txt"
    for _ in range(3):
        assert b"".join(open_source(given).chunks(0, None)) == b"one"
    assert len(made) == 1


@pytest.mark.parametrize("url", ["memory://x/none", "memory://x/none/*", "nosuch://x"])
def test_what_is_missing_is_named(memory, url):
    """Before anything is started."""
    with pytest.raises(UsageError) as caught:
        find([url])
    assert repr(url) in str(caught.value)


def test_a_missing_package_is_said_with_the_command_that_installs_it(monkeypatch):
    """An extra of this package's where there is one."""
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(UsageError, match=r"'s3://b/x'.*pip install 'mesos-mapreduce\[s3\]'"):
        find(["s3://b/x"])
    monkeypatch.setitem(sys.modules, "boxfs", None)
    with pytest.raises(UsageError, match="pip install boxfs"):
        find(["box://b/x"])


def test_what_never_answers_is_an_error(memory, monkeypatch):
    """With the URL; the back-ends have no time limit that covers everything."""
    monkeypatch.setattr(storage, "TIMEOUT", 0.2)
    try:
        with pytest.raises(UsageError, match=r"'slow://x/a\.txt'.*no answer within"):
            find(["slow://x/a.txt"])
    finally:
        Slow.released.set()


# Credentials


class Scheduler(http.server.BaseHTTPRequestHandler):
    """The scheduler's server, which hands the options out."""

    def do_GET(self):
        body = Storage(OPTIONS).part(["vault://x/a.txt"]).encode()
        self.send_response(200 if self.path == "/token/storage" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def scheduler():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/token/storage"
    server.shutdown()
    server.server_close()


def test_credentials_reach_the_executor_by_the_schedulers_server_only(memory, scheduler):
    """The reference, which goes through Mesos, says where they are."""
    given = find(["vault://x/a.txt"], Storage(OPTIONS))[0]
    reference = given.reference("unused", scheduler)
    assert SECRET not in json.dumps(reference)
    assert SECRET not in repr(Storage(OPTIONS))
    assert b"".join(open_source(reference).chunks(0, None)) == b"one"


def test_executors_get_no_more_than_the_inputs_need():
    """An input of one kind must not give away the keys to another."""
    options = Storage(OPTIONS)
    assert json.loads(options.part(["vault://x"]).encode()) == {"vault": {"key": SECRET}}
    assert json.loads(options.part(["zip://*::s3://x/y"]).encode()) == {"s3": {"secret": "other"}}
    assert not options.part(["https://host/x"]).options


def test_the_options_whose_name_fits_best_count():
    """One bucket or host may have its own."""
    options = Storage({"s3": {"key": "1"}, "s3://mine": {"key": "2"}, "s3://mine/a/": {"key": "3"}})
    assert options.of("s3://mine/x") == {"key": "2"}
    assert options.of("s3://mine/a/x") == {"key": "3"}
    assert options.of("s3://mine-too/x") == {"key": "1"}
    assert options.of("s3://yours/x") == {"key": "1"}
    assert options.of("s3a://mine/x") == {}


def test_a_back_ends_message_is_shown_without_secrets(memory, scheduler):
    """Neither on the client nor on an agent."""
    wrong = Storage({"vault": {"key": "hush"}})
    with pytest.raises(UsageError, match=r"wrong key \*\*\*") as caught:
        find(["vault://x/a.txt"], wrong)
    assert "hush" not in str(caught.value)


def test_a_missing_scheduler_is_an_error_with_the_input(memory):
    """Without credentials nothing can be read."""
    given = find(["vault://x/a.txt"], Storage(OPTIONS))[0]
    reference = given.reference("unused", "http://127.0.0.1:1/token/storage")
    with pytest.raises(SourceError, match=r"vault://.*127\.0\.0\.1:1 cannot be reached"):
        open_source(reference, patience=0)


def test_a_file_that_changes_during_the_job_is_an_error(memory, scheduler, monkeypatch):
    """Where the file system says which version it is."""
    monkeypatch.setattr(storage, "SPAN", 2)
    given = find(["vault://x/d/e/c.txt"], Storage(OPTIONS))[0]
    chunks = open_source(given.reference("unused", scheduler)).chunks(0, None)
    next(chunks)
    memory.pipe("/x/d/e/c.txt", b"THREE")
    with pytest.raises(SourceError, match=r"'vault://.*c\.txt' changed"):
        list(chunks)


def test_a_file_that_shrinks_or_goes_during_the_job_is_an_error(memory):
    """A shorter answer than was asked for is none."""
    given = find(["memory://x/d/e/c.txt"])[0]
    memory.pipe("/x/d/e/c.txt", b"3")
    with pytest.raises(SourceError, match=r"'memory://.*c\.txt' gave 1 bytes where 5"):
        text(given)
    memory.rm("/x/d/e/c.txt")
    with pytest.raises(SourceError, match=r"'memory://.*c\.txt' could not be read: there is no"):
        text(given)


# Where options come from


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(storage.VARIABLE, raising=False)


def write(path, content, mode=0o600):
    path.write_text(content)
    path.chmod(mode)
    return path


def test_options_come_from_a_file_or_the_environment(tmp_path, monkeypatch):
    """JSON or TOML; the file that is named wins."""
    assert load(None).options == {}
    as_json = write(tmp_path / "s.json", json.dumps(OPTIONS))
    as_toml = write(tmp_path / "s.toml", f'[vault]\nkey = "{SECRET}"\n[s3]\nsecret = "other"\n')
    assert load(as_json).options == load(as_toml).options == OPTIONS
    monkeypatch.setenv(storage.VARIABLE, str(as_toml))
    assert load(None).options == OPTIONS
    monkeypatch.setenv(storage.VARIABLE, '{"s3": {"key": "k"}}')
    assert load(None).options == {"s3": {"key": "k"}}
    assert load(as_json).options == OPTIONS


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_of_secrets_that_others_may_read_is_refused(tmp_path, mode):
    """As ssh does with keys."""
    with pytest.raises(UsageError, match=r"s\.json' .*chmod 600"):
        load(write(tmp_path / "s.json", "{}", mode))


@pytest.mark.parametrize(
    ("name", "content"),
    [("s.json", "{"), ("s.json", '["s3"]'), ("s.json", '{"s3": 1}'), ("s.toml", "= 1")],
)
def test_a_file_of_another_form_is_named(tmp_path, name, content):
    """With what is wrong, and not with what it holds."""
    with pytest.raises(UsageError, match=f"{name}' holds no storage options"):
        load(write(tmp_path / name, content))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")


def test_options_for_http_are_headers_only():
    """What has no effect is not taken."""
    with pytest.raises(UsageError, match="'headers'"):
        find(["http://127.0.0.1:1/x"], Storage({"http": {"auth": "x"}}))

"""URLs of all kinds of servers, good and bad, over real sockets."""

import gzip
import http.server
import itertools
import re
import threading
from types import SimpleNamespace

import pytest

from mapreduce.errors import SourceError, UsageError
from mapreduce.inputs import storage, web
from mapreduce.inputs.inputs import find
from mapreduce.inputs.sources import open_source
from mapreduce.inputs.splits import records

DATA = b"".join(b"line %d\n" % number for number in range(300_000))

RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Handler(http.server.BaseHTTPRequestHandler):
    """Each path is a server of another kind."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append(self)
        getattr(self, "get_" + self.path.strip("/").partition("?")[0])()

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ranged(self, data=DATA, shift=0, total=None, **headers):
        first, last = map(int, RANGE.fullmatch(self.headers["Range"]).groups())
        body = data[first : last + 1]
        said = f"bytes {first + shift}-{first + shift + len(body) - 1}/{total or len(data)}"
        self.answer(206, body, Content_Range=said, **headers)

    def get_ranges(self):
        self.ranged(ETag='"1"')

    def get_unknown_total(self):
        if "Range" in self.headers:
            self.answer(206, DATA[:16], Content_Range="bytes 0-15/*")
        else:
            self.answer(200, DATA)

    def get_whole(self):
        self.answer(200, DATA)

    def get_chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(DATA), 100_000):
            part = DATA[at : at + 100_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n" if self.server.whole else b"")
        self.close_connection = True

    def get_short(self):
        self.answer(200, DATA[:1000], Content_Length=str(len(DATA)))
        self.close_connection = True

    def get_empty(self):
        self.answer(416, Content_Range="bytes */0")

    def get_moved(self):
        self.answer(302, Location="/ranges")

    def get_elsewhere(self):
        self.answer(302, Location=self.server.elsewhere)

    def get_circle(self):
        self.answer(302, Location="/circle")

    def get_gone(self):
        self.answer(404)

    def get_broken(self):
        self.answer(500)

    def get_stalls(self):
        self.server.released.wait()

    def get_stalls_later(self):
        if self.headers["Range"] == "bytes=0-15":
            self.ranged()
        else:
            self.answer(206, DATA[:10], Content_Range=f"bytes 0-9/{len(DATA)}", Content_Length=20)
            self.server.released.wait()

    def get_breaks(self):
        """Every answer ends early, but each brings something."""
        first, last = map(int, RANGE.fullmatch(self.headers["Range"]).groups())
        body = DATA[first : min(last + 1, first + 700_000)]
        said = f"bytes {first}-{last}/{len(DATA)}"
        self.answer(206, body, Content_Range=said, Content_Length=str(last + 1 - first))
        self.close_connection = True

    def get_nothing(self):
        """Promises a range and ends, again and again."""
        first, last = map(int, RANGE.fullmatch(self.headers["Range"]).groups())
        body = DATA[:16] if last == 15 else b""
        said = f"bytes {first}-{last}/{len(DATA)}"
        self.answer(206, body, Content_Range=said, Content_Length=str(last + 1 - first))
        self.close_connection = True

    def get_overloaded(self):
        """Refuses every other request."""
        if len(self.server.requests) % 2:
            self.ranged()
        else:
            self.answer(503)

    def get_another_range(self):
        self.ranged(shift=0 if self.headers["Range"] == "bytes=0-15" else 1)

    def get_forgets_ranges(self):
        if self.headers["Range"] == "bytes=0-15":
            self.ranged()
        else:
            self.answer(200, DATA)

    def get_grows(self):
        self.ranged(total=len(DATA) + len(self.server.requests))

    def get_new_version(self):
        self.ranged(ETag=f'"{len(self.server.requests)}"')

    def get_vanishes(self):
        if self.headers["Range"] == "bytes=0-15":
            self.ranged()
        else:
            self.answer(404)

    def get_gzipped(self):
        self.ranged(gzip.compress(DATA, mtime=0))

    def get_private(self):
        if self.headers["Authorization"] == "Bearer sesame":
            self.ranged()
        else:
            self.answer(401)

    def log_message(self, *args):
        pass


class Web(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.released = threading.Event()
        self.whole = True
        self.elsewhere = ""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *args):
        pass

    def close(self):
        self.released.set()
        self.shutdown()
        self.server_close()


@pytest.fixture
def site():
    running = Web()
    yield running
    running.close()


@pytest.fixture
def other_site():
    running = Web()
    yield running
    running.close()


@pytest.fixture
def hasty(monkeypatch):
    """No patience with what fails."""
    monkeypatch.setattr(web, "URL_PATIENCE", 0.3)


def found(site, path, options=None):
    return find([f"{site.url}/{path}"], options)[0]


def all_of(given):
    return b"".join(open_source(given.reference("unused")).chunks(0, None))


def test_a_url_with_ranges_is_read_by_range(site):
    """One request for all that a reader wants, and a little more."""
    given = found(site, "ranges")
    assert (given.size, given.splittable) == (len(DATA), True)
    assert all_of(given) == DATA
    del site.requests[:]
    opened = open_source(given.reference("unused"))
    end = 2_500_000
    pieces = list(records(opened, 100, end, b"\n"))
    assert (
        b"".join(piece for _, piece in pieces)
        == DATA[DATA.index(b"\n", 99) + 1 : end] + (DATA[end : DATA.index(b"\n", end - 1) + 1])
    )
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("path", "size"), [("whole", len(DATA)), ("chunked", None), ("unknown_total", None)]
)
def test_a_url_without_ranges_is_read_front_to_back(site, path, size):
    """Its server would answer a range with everything."""
    given = found(site, path)
    assert (given.size, given.splittable) == (size, False)
    assert all_of(given) == DATA


def test_an_empty_url_is_an_empty_input(site):
    """No range of it exists."""
    assert found(site, "empty").size == 0


def test_redirects_are_followed(site):
    """Each time, as they may lead to another place the next time."""
    assert all_of(found(site, "moved")) == DATA


def test_a_compressed_url_is_decompressed(site):
    """By what it holds; it cannot be split."""
    given = found(site, "gzipped")
    assert (given.compression, given.splittable) == ("gzip", False)
    assert all_of(given) == DATA


def test_a_url_may_hold_spaces_and_letters_of_all_kinds(site):
    """As people copy them from browsers."""
    assert found(site, "ranges?name=ä b%20c").size == len(DATA)
    assert site.requests[-1].path == "/ranges?name=%C3%A4%20b%20c"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone", "the answer is 404 Not Found"),
        ("broken", "the answer is 500 Internal Server Error"),
        ("private", "the answer is 401 Unauthorized"),
        ("circle", "302.*loop"),
    ],
)
def test_a_url_that_cannot_be_read_is_named_before_anything_is_started(site, path, message):
    """With its server's answer."""
    with pytest.raises(UsageError, match=f"(?s)^The input '{site.url}/{path}' .*{message}"):
        found(site, path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/x", "Connection refused"),
        ("http://no.such.host.invalid/x", "(?i)name|address"),
        ("http://127.0.0.1:x/", "port"),
        ("http:///x", "host"),
    ],
)
def test_a_url_without_a_server_is_named(url, message):
    """Where nobody listens, or nobody has the name, or which is none."""
    with pytest.raises(UsageError, match=message) as caught:
        find([url])
    assert repr(url) in str(caught.value)


def test_a_password_in_a_url_is_refused_without_showing_it():
    """It would end up in messages of all kinds."""
    with pytest.raises(UsageError, match="--storage") as caught:
        find(["http://me:secret@127.0.0.1:1/x"])
    assert "secret" not in str(caught.value)


def test_signatures_in_a_url_are_not_shown(site):
    """Signed URLs are as good as passwords; messages and names go many places."""
    given = found(site, "ranges?X-Amz-Signature=abc123&part=1&token=xyz")
    assert given.name == f"{site.url}/ranges?X-Amz-Signature=***&part=1&token=***"
    assert all_of(given) == DATA
    with pytest.raises(UsageError, match="404") as caught:
        found(site, "gone?sig=abc123")
    assert "abc123" not in str(caught.value)


def test_what_breaks_off_is_read_on(site):
    """From where it broke off."""
    assert all_of(found(site, "breaks")) == DATA


def test_patience_begins_anew_with_each_byte(site, monkeypatch):
    """A server that breaks off often, but goes on, may take its time."""
    given = found(site, "breaks")
    clock = SimpleNamespace(monotonic=itertools.count().__next__, sleep=lambda seconds: None)
    monkeypatch.setattr(web, "time", clock)  # on which a second passes with each look
    monkeypatch.setattr(web, "URL_PATIENCE", 4)
    assert all_of(given) == DATA


def test_a_server_that_refuses_for_a_while_is_asked_again(site):
    """As servers do that have too much to do."""
    given = found(site, "overloaded")
    assert all_of(given) == DATA


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("another_range", "206 with bytes 1-"),
        ("forgets_ranges", "200 with no range"),
        ("grows", "changed during the job"),
        ("new_version", "changed during the job"),
        ("vanishes", "the answer is 404 Not Found"),
        ("nothing", "ended early, at byte 0"),
    ],
)
def test_a_url_that_goes_wrong_during_the_job_is_an_error_that_names_it(site, path, message, hasty):
    """Nothing of it may pass for the whole, and nothing hangs."""
    given = found(site, path)
    with pytest.raises(SourceError, match=f"^The input '{site.url}/{path}'.*{message}"):
        all_of(given)


def test_a_server_that_stalls_is_an_error(site, monkeypatch):
    """Before the job, and in the middle of an answer."""
    later = found(site, "stalls_later")
    monkeypatch.setattr(web, "TIMEOUT", 0.5)
    with pytest.raises(UsageError, match=f"'{site.url}/stalls' cannot be read: no answer within"):
        found(site, "stalls")
    monkeypatch.setattr(web, "URL_PATIENCE", 0.5)
    with pytest.raises(SourceError, match=f"'{site.url}/stalls_later' could not.*no answer within"):
        all_of(later)


def test_a_server_that_is_gone_during_the_job_is_an_error(site, hasty):
    """After a while in which it might have come back."""
    given = found(site, "ranges")
    site.close()
    with pytest.raises(SourceError, match=f"'{site.url}/ranges'.*Connection refused"):
        all_of(given)


@pytest.mark.parametrize("path", ["short", "chunked"])
def test_a_url_without_ranges_that_breaks_off_is_an_error(site, path):
    """What came until then must not pass for the whole."""
    given = found(site, path)
    site.whole = False
    with pytest.raises(SourceError, match=f"'{site.url}/{path}' could not be read"):
        all_of(given)


def test_headers_are_for_the_server_that_they_are_meant_for(site, other_site):
    """A redirect must not take them to another one."""
    options = storage.Storage({site.url: {"headers": {"Authorization": "Bearer sesame"}}})
    assert found(site, "private", options).credentials
    with pytest.raises(UsageError, match="401"):
        found(site, "private")
    site.elsewhere = f"{other_site.url}/private"
    with pytest.raises(UsageError, match="401"):
        found(site, "elsewhere", options)

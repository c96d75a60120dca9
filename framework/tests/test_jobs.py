"""The built-in jobs are exact, and what they say does not depend on how inputs are cut."""

import csv
import io
import itertools
import json
import math
import random
import re
import statistics
import sys
import unicodedata
from collections import Counter

import cloudpickle
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mapreduce import counts
from mapreduce.errors import UsageError
from mapreduce.job import BUILTIN, Block, load
from mapreduce.jobs import words
from mapreduce.tables import BUCKETS

SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]

TEXTS = st.lists(
    st.one_of(
        st.sampled_from(SPACES).map(str.encode),
        st.sampled_from(["to", "be", "Be", "BE", "don't", "don\u2019t", "'", "x\u0301", "é"]).map(
            str.encode
        ),
        st.sampled_from(["e\u0301", "Straße", "STRASSE", "हिन्दी", "a_b", "½", "Ⅻ", "\u200d"]).map(
            str.encode
        ),
        st.sampled_from([b"\n", b"\r\n", b" ", b"\xe2", b"\xe2\x80", b"\xff", b"\x00"]),
        st.text(max_size=4).map(lambda text: text.encode("utf-8", "replace")),
        st.binary(max_size=4),
    ),
    max_size=40,
).map(b"".join)

CUTS = st.lists(st.integers(0, 150), max_size=6)


@pytest.fixture(autouse=True, params=["kernel", "dict"], scope="module")
def _engine(request):
    """With compiled code, and as where there is no numba."""
    patch = pytest.MonkeyPatch()
    if request.param == "kernel":
        counts.prepare()
    else:
        patch.setattr(counts, "kernels", counts._Kernels())
        patch.setattr(counts, "prepare", lambda **_: None)
    yield
    patch.undo()


def pieces(name: str, data: bytes, ends: bytes, cuts: list[int]) -> list[Block]:
    """The input as blocks, cut behind the records that hold these offsets."""
    borders = {0, len(data)}
    for cut in cuts:
        found = [place + 1 for end in ends if (place := data.find(end, cut)) >= 0]
        borders.add(min(found, default=len(data)))
    return [Block(data[a:b], name, a) for a, b in itertools.pairwise(sorted(borders))]


def rows(job, inputs: dict[str, bytes], cuts: list[int] = ()) -> list:
    """The job's rows, of blocks mapped in some order by two workers and reduced by a third."""
    blocks = [b for name, data in inputs.items() for b in pieces(name, data, job.record_ends, cuts)]
    random.Random(len(cuts)).shuffle(blocks)
    total = job.table()
    for buckets, share in ((1, blocks[::2]), (BUCKETS, blocks[1::2])):
        table = job.table()
        for block in share:
            table.map(block)
        for payload in filter(None, table.dump(buckets)):
            total.merge(payload)
    found = sorted(total.rows(), key=job.order)
    json.dumps(found)
    return found


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# wordcount


@given(data=TEXTS, cuts=CUTS)
@example(data=b"a\xe2\x80\xa8b \xe2", cuts=[2])
def test_wordcount_is_that_of_split(data, cuts):
    """The most frequent first, then by word."""
    expected = Counter(decoded(data).split())
    order = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
    assert rows(load("wordcount"), {"a": data}, cuts) == order


def unicode_words(text: str) -> list[str]:
    """The rule, character by character and slowly."""

    def inside(place: int) -> bool:
        if not 0 <= place < len(text):
            return False
        kind = unicodedata.category(text[place])
        return kind[0] in "LMN" or kind == "Pc" or text[place] in "\u200c\u200d"

    marks = [
        inside(n) or (text[n] in "'\u2019" and inside(n - 1) and inside(n + 1))
        for n in range(len(text))
    ]
    runs = itertools.groupby(range(len(text)), lambda n: marks[n])
    found = ["".join(text[n] for n in run) for is_word, run in runs if is_word]
    return [unicodedata.normalize("NFC", word.replace("\u2019", "'").casefold()) for word in found]


@given(data=TEXTS, cuts=CUTS)
def test_unicode_words_follow_the_rule(data, cuts):
    """Runs of letters, marks and numbers; folded, normal, with apostrophes inside."""
    expected = Counter(unicode_words(decoded(data)))
    assert dict(rows(load("wordcount", {"words": "unicode"}), {"a": data}, cuts)) == expected


def test_unicode_words_are_what_people_see():
    """Some that the rule is about."""
    text = "Straße STRASSE don\u2019t DON'T 'quoted' हिन्दी e\u0301 É 3½ a_b x-y Ⅻ"
    seen = "strasse strasse don't don't quoted हिन्दी é é 3½ a_b x y ⅻ"
    assert unicode_words(text) == seen.split(" ")
    assert words.unicode_counts(text.encode()) == Counter(
        word.encode() for word in unicode_words(text)
    )


def test_every_character_is_of_a_word_or_not_and_folding_leaves_it_so():
    """So that words can be found first and folded then, which is faster."""
    inside = words.unicode_pattern().fullmatch
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        kind = unicodedata.category(character)
        belongs = kind[0] in "LMN" or kind == "Pc" or character in "\u200c\u200d"
        assert (inside(character) is not None) == belongs, hex(code)
        if belongs:
            assert inside(unicodedata.normalize("NFC", character.casefold())), hex(code)


# grep


@given(data=TEXTS, cuts=CUTS, invert=st.booleans())
def test_grep_finds_the_lines_that_match(data, cuts, invert):
    """With the offset at which each begins, and without its end."""
    expected, offset = [], 0
    for line in io.BytesIO(data):
        shown = re.sub(r"\r?\n\Z", "", decoded(line))
        if (re.search("[be]$|^t", shown) is None) == invert:
            expected.append((f"a:b:{offset}", shown))
        offset += len(line)
    job = load("grep", {"pattern": "[be]$|^t", "invert": str(invert)})
    assert rows(job, {"a:b": data}, cuts) == expected


def test_grep_sorts_by_input_then_by_offset():
    """By the offset's value, not by its digits."""
    data = {"b": b"x\n" * 20, "a": b"x"}
    found = rows(load("grep", {"pattern": "x"}), data, [1, 9])
    assert [key for key, _ in found] == ["a:0", *(f"b:{2 * n}" for n in range(20))]


def test_grep_counts_lines_of_each_input():
    """Of inputs without any, too; in all scripts."""
    data = {"a": "ÄB\näb\nxäb".encode(), "b": b"ab\n", "c": b"\n" * 30}
    job = load("grep", {"pattern": "äb", "ignore_case": "yes", "count": "yes"})
    assert rows(job, data, [1]) == [("a", 3), ("b", 0), ("c", 0)]


def test_grep_finds_lines_again_in_an_input_that_is_given_twice():
    """Each line by itself, as often as it is read."""
    job = load("grep", {"pattern": "x"})
    table = job.table()
    for offset in (0, 2, 0):
        table.map(Block(b"x\n", "a", offset))
    assert sorted(table.rows(), key=job.order) == [("a:0", "x"), ("a:0", "x"), ("a:2", "x")]


def test_grep_refuses_what_is_no_pattern():
    """Before anything runs."""
    with pytest.raises(UsageError, match=r"'\(' is no regular expression"):
        load("grep", {"pattern": "("})
    with pytest.raises(UsageError, match="needs --set pattern="):
        load("grep")


# inverted-index


@given(first=TEXTS, second=TEXTS, cuts=CUTS, kind=st.sampled_from(["space", "unicode"]))
def test_the_index_counts_words_by_input(first, second, cuts, kind):
    """As wordcount would, input by input."""
    count = words.space_counts if kind == "space" else words.unicode_counts
    expected: dict[str, dict[str, int]] = {}
    for name, data in (("a", first), ("b", second)):
        for word, number in count(data).items():
            expected.setdefault(decoded(word), {})[name] = number
    job = load("inverted-index", {"words": kind})
    found = rows(job, {"b": second, "a": first}, cuts)
    assert found == sorted(expected.items())
    assert all(list(value) == sorted(value) for _, value in found)


@given(data=TEXTS, cuts=CUTS, kind=st.sampled_from(["space", "unicode"]))
def test_the_index_knows_where_words_are(data, cuts, kind):
    """Each offset is where the word begins; there are as many as occurrences."""
    job = load("inverted-index", {"words": kind, "values": "offsets"})
    total = Counter()
    for word, value in rows(job, {"a": data}, cuts):
        assert value["a"] == sorted(set(value["a"]))
        for offset in value["a"]:
            there = decoded(data[offset:])
            ahead = unicode_words(there)[0] if kind == "unicode" else there.split()[0]
            # A mark or joiner may go on what stands ahead of it, so the word begins here.
            assert ahead == word
        total[word] = len(value["a"])
    count = words.space_counts if kind == "space" else words.unicode_counts
    assert total == {decoded(word): number for word, number in count(data).items()}


# distinct


@given(data=TEXTS, cuts=CUTS)
def test_distinct_lines_are_sorted_and_counted(data, cuts):
    """Whether they end with LF or CRLF, or not at all; empty ones, too."""
    lines = Counter(re.sub(r"\r?\n\Z", "", decoded(line)) for line in io.BytesIO(data))
    assert rows(load("distinct"), {"a": data}, cuts) == sorted(lines.items())


@given(data=TEXTS, cuts=CUTS)
def test_distinct_words_are_sorted(data, cuts):
    """Of both kinds."""
    for kind, expected in (
        ("words", Counter(decoded(data).split())),
        ("unicode-words", Counter(unicode_words(decoded(data)))),
    ):
        found = rows(load("distinct", {"of": kind}), {"a": data}, cuts)
        assert found == sorted(expected.items())


# stats

CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(["", " ", "text", "nan", "inf", "1e400", 'a "quoted", cell', "ü", "-0.0"]),
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=25)


def written(table: list[list[str]], header: list[str]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([header, *table])
    return file.getvalue().encode()


def finite(cells: list[str]) -> list[float]:
    found = []
    for cell in cells:
        try:
            found.append(float(cell))
        except ValueError:
            continue
    return [number for number in found if math.isfinite(number)]


@given(table=TABLES, cuts=CUTS)
def test_stats_are_exact_wherever_the_input_is_cut(table, cuts):
    """Equal to the last bit to one cut of the input, and to what exact arithmetic gives."""
    data = {"a": written(table, ["x", "y", "z"])}
    found = rows(load("stats"), data, cuts)
    assert found == rows(load("stats"), data)
    assert [name for name, _ in found] == ["x", "y", "z"]
    for place, (_, value) in enumerate(found):
        cells = [row[place] for row in table if len(row) > place and row[place].strip()]
        numbers = finite(cells)
        assert (value["count"], value["missing"]) == (len(cells), len(table) - len(cells))
        assert value["numbers"] == len(numbers)
        assert (value["min"], value["max"]) == (
            min(numbers, default=None),
            max(numbers, default=None),
        )
        assert value["mean"] == (statistics.mean(numbers) if numbers else None)
        if len(numbers) > 1 and max(map(abs, numbers)) < 1e150:
            assert math.isclose(value["deviation"], statistics.stdev(numbers), rel_tol=1e-15)


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=9))
def test_the_deviation_of_what_is_huge_or_tiny_is_a_number(numbers):
    """Although its square would not be."""
    data = written([[repr(number)] for number in numbers], ["x"])
    [(_, value)] = rows(load("stats"), {"a": data})
    assert math.isfinite(value["deviation"])
    assert (value["deviation"] == 0) == (len(set(numbers)) == 1)


def test_stats_of_several_inputs_go_by_the_columns_names():
    """Which may come in another order, with a byte order mark, and not everywhere."""
    data = {
        "a": b"\xef\xbb\xbfsize,name\n1,x\n\n2,y\n,z\n",
        "b": b'name,size,more\r\n"q,r",4.5\r\n',
        "c": b"",
    }
    found = dict(rows(load("stats"), data, [3]))
    assert sorted(found) == ["more", "name", "size"]
    assert found["size"] == {
        "count": 3,
        "missing": 1,
        "numbers": 3,
        "min": 1.0,
        "max": 4.5,
        "mean": 2.5,
        "deviation": statistics.stdev([1, 2, 4.5]),
    }
    assert (found["name"]["count"], found["name"]["numbers"], found["name"]["mean"]) == (4, 0, None)
    assert (found["more"]["count"], found["more"]["missing"]) == (0, 1)


def test_stats_take_other_delimiters_and_inputs_without_a_header():
    """Then columns have numbers for names; some are chosen."""
    job = load("stats", {"delimiter": "tab", "header": "no", "columns": "2"})
    assert [(name, value["max"]) for name, value in rows(job, {"a": b"1\t2\n3\t4"}, [0])] == [
        ("2", 4.0)
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'a,b\n1,2\n1,"2\n3"\n', "offset 8 .* holds a line end"),
        (b'a,b\n1,"2\n', "offset 4 .* unexpected end"),
        (b"a,a\n1,2\n", "same name"),
        (b"a,b\n1,2\n", "no input has a column 'x'"),
        (b"3,b\n1,2,3\n", "'a' has more columns than names; one is '3'"),
    ],
)
def test_stats_say_what_they_can_not_read(data, message):
    """Rather than to count lines that are none."""
    with pytest.raises(ValueError, match=message):
        rows(load("stats", {"columns": "x"}), {"a": data})


def test_stats_refuse_a_delimiter_that_is_none():
    """Before anything runs."""
    with pytest.raises(UsageError, match="one character"):
        load("stats", {"delimiter": ";;"})


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_built_in_jobs_can_be_sent_as_objects(name):
    """As the Python API does."""
    job = load(name, {"pattern": "x"} if name == "grep" else {})
    again = cloudpickle.loads(cloudpickle.dumps(job))
    job.prepare()
    data = {"a": b"x y\n1 2\n"}
    assert rows(again, data) == rows(job, data)

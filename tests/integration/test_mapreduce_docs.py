"""The user's guide of mapreduce is true: all that it shows runs, in its order, on a cluster."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import framework_lab

pytestmark = [pytest.mark.integration, pytest.mark.slow]

GUIDE = Path(__file__).parents[2] / "docs" / "mapreduce.md"
BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n)?```(console|python)\n(.*?)```", re.DOTALL)

TEXT = "the longest word of all words: interdisciplinarity, says the book\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a master with an agent."""
    with framework_lab.cluster(1, launcher="posix", isolation="posix/cpu,posix/mem") as pocket:
        yield str(pocket.masters[0].address)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the guide's commands find where they are called."""
    folder = tmp_path_factory.mktemp("guide")
    folder.chmod(0o755)
    (folder / "book.txt").write_text(TEXT * 1000)
    (folder / "texts").mkdir()
    (folder / "texts" / "more.txt").write_text("more words\n")
    (folder / "logs" / "old").mkdir(parents=True)
    (folder / "logs" / "today.log").write_text("all is well\nWarning: disk full\n")
    with gzip.open(folder / "logs" / "old" / "yesterday.log", "wt") as file:
        file.write("Error: no disk\n")
    (folder / "people.csv").write_text("name,age,height\nann,31,1.7\nbob,,1.8\n")
    return folder


def test_all_of_it_runs(cluster, folder):
    """Commands end well, programs too, and what they make has what was asked for."""
    bin_ = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(folder),
        "MAPREDUCE_MASTER": cluster,
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    shown: dict[str, str] = {}
    for name, kind, content in BLOCK.findall(GUIDE.read_text()):
        if name:
            (folder / name).write_text(content)
        elif kind == "python":
            shown[content] = run(sys.executable, "-c", content)
        else:
            for line in content.splitlines():
                command = line.removeprefix("$ ")
                assert command != line, f"the guide shows output: {line}"
                shown[command] = run("bash", "-euo", "pipefail", "-c", command)

    def output(part: str) -> str:
        return next(text for command, text in shown.items() if part in command)

    assert output("run wordcount book.txt").splitlines()[0] == "2000  the"
    assert "Warning: disk full" in output("run grep")
    assert "Error: no disk" in output("run grep")
    assert "interdisciplinarity, (20)" in output("run longest.py:Longest")
    assert output("run shouting.py:Shouting").splitlines()[0].split() == ["1000", "ALL"]
    assert output('mapreduce.run("wordcount"').split(" ", 1)[0] == "9"
    assert "no-such-book.txt' cannot be read" in output("class Lengths(Job)")
    assert json.loads((folder / "index.json").read_text())["more"] == {"texts/more.txt": 1}
    assert (folder / "counts.tsv").read_text().startswith("the\t2000\n")
    assert (folder / "counts.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "lengths.parquet").read_bytes().startswith(b"PAR1")
    assert (folder / "mine.py").exists()

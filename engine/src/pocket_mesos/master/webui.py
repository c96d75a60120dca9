"""The page at /: the operator's own from --webui_dir, or a small one that reads /state."""

from collections.abc import Callable
from pathlib import Path

from pocket_mesos.http.messages import Request, Response, content

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Mesos</title>
<style>
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 60em; color: #222 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .2em .6em; border-bottom: 1px solid #ddd }
</style>
</head>
<body>
<h1 id="title">Mesos</h1>
<p id="master"></p>
<h2>Agents</h2><table id="agents"></table>
<h2>Frameworks</h2><table id="frameworks"></table>
<h2>Tasks</h2><table id="tasks"></table>
<script>
function table(id, head, rows) {
  const body = document.getElementById(id);
  body.replaceChildren(...[head, ...rows].map((cells, index) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => {
      const cell = document.createElement(index ? "td" : "th");
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
}
const share = (used, all) => ["cpus", "mem"].map((r) => used[r] + "/" + all[r]);
async function show() {
  const state = await (await fetch("master/state")).json();
  document.getElementById("title").textContent = state.cluster || "Mesos";
  document.getElementById("master").textContent =
    "Leading master " + state.leader + ", version " + state.version;
  table("agents", ["Id", "Host", "State", "CPUs", "Memory (MB)"], state.slaves.map((a) => [
    a.id, a.hostname, a.active ? "active" : "inactive", ...share(a.used_resources, a.resources),
  ]));
  table("frameworks", ["Id", "Name", "State", "Tasks", "Completed"], state.frameworks.map((f) => [
    f.id, f.name, f.active ? "active" : "inactive", f.tasks.length, f.completed_tasks.length,
  ]));
  table("tasks", ["Id", "Framework", "State", "Agent"],
    state.frameworks.flatMap((f) => f.tasks.map((t) => [t.id, f.name, t.state, t.slave_id])));
}
show();
setInterval(show, 5000);
</script>
</body>
</html>
"""


def index_page(webui_dir: Path) -> Callable[[Request], Response]:
    """Make the handler of /; an index.html in ``webui_dir`` takes the place of the built-in one."""

    def handle(_request: Request) -> Response:
        try:
            page = (webui_dir / "index.html").read_bytes()
        except OSError:
            page = _PAGE.encode()
        return content(page, "text/html")

    return handle

#!/usr/bin/python
"""Ansible module: a folder with files that only root may read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_files
short_description: Keeps files with secrets in a folder that is root's alone
description:
  - Writes several files in one go, each by a rename; the folder is 0700, the files 0600.
  - No content ever shows, in results, diffs or logs.
options:
  path:
    description: The folder; made where it is missing.
    type: path
    required: true
  files:
    description:
      - Content by file name; an empty one stands for a file that must not be there.
      - Other files are left alone.
    type: dict
    required: true
author: Mesos Lab (@mesos-lab)
"""

EXAMPLES = r"""
- name: Ensure the credential is there
  secret_files:
    path: /etc/example
    files:
      credential: "{{ {'principal': 'example', 'secret': example_secret} | to_json }}"
      former_credential: ""
"""

RETURN = r"""
changed_files:
  description: Names of the files that were written, removed, or given another owner or mode.
  type: list
  elements: str
  returned: always
"""

import json  # noqa: E402 - after what documents the module, as Ansible's own have it
import os  # noqa: E402
import stat  # noqa: E402
from pathlib import Path  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

ROOTS = (0, 0)


def is_private(path: Path, mode: int) -> bool:
    """Tell whether root alone has rights, and exactly these."""
    status = path.lstat()
    return (status.st_uid, status.st_gid) == ROOTS and stat.S_IMODE(status.st_mode) == mode


def is_as_wanted(path: Path, content: str) -> bool:
    """Tell whether the file holds this, private; an empty content stands for no file."""
    try:
        if not content:
            return not os.path.lexists(path)
        regular = stat.S_ISREG(path.lstat().st_mode)
        return regular and is_private(path, 0o600) and path.read_text(encoding="utf-8") == content
    except (OSError, UnicodeError):
        return False


def put(path: Path, content: str) -> None:
    """Make it so; whoever reads meanwhile finds the old file or the new one, never a part."""
    if not content:
        path.unlink()
        return
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        os.fchown(file.fileno(), *ROOTS)
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def ensure_folder(path: Path) -> None:
    """Make the folder, root's alone."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(path, *ROOTS)
    path.chmod(0o700)


def main() -> None:
    """Compare, and change what differs."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["path"])
    files = {
        name: content if isinstance(content, str) else json.dumps(content)
        for name, content in module.params["files"].items()
    }
    changed = sorted(name for name in files if not is_as_wanted(folder / name, files[name]))
    try:
        folder_differs = any(files.values()) and not (folder.is_dir() and is_private(folder, 0o700))
        if not module.check_mode:
            if folder_differs:
                ensure_folder(folder)
            for name in changed:
                put(folder / name, files[name])
    except OSError as error:
        module.fail_json(msg=f"{error.filename or folder}: {error.strerror}")
    module.exit_json(changed=bool(changed or folder_differs), changed_files=changed)


if __name__ == "__main__":
    main()

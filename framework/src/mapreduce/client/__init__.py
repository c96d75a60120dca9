"""What people see: the command's verbs, the Python API, progress, results written and drawn."""

"""What every test of a role may use comes from the cluster's support.plugin."""

pytest_plugins = ["support.plugin"]

"""What every test of the lab may use comes from support.plugin."""

pytest_plugins = ["support.plugin"]

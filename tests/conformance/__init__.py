"""The conformance suite: what a Mesos cluster shows to HTTP clients and PyMesos."""

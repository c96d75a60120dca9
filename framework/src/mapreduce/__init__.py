"""MapReduce on Apache Mesos."""

"""MapReduce on Apache Mesos: jobs, and the command that runs them on a cluster.

`Job` is what a job's file imports; everything else is for the commands `mapreduce` and
`mapreduce-executor`. Importing this package must stay cheap: executors start by the dozen.
"""

from mapreduce.job import Block, Job

__all__ = ["Block", "Job"]

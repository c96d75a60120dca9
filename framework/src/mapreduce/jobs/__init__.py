"""The built-in jobs, one a module; `mapreduce.job.BUILTIN` lists them."""

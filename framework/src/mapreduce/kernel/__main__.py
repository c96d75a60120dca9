"""Compile the kernel for this machine, once for everybody: run by who may write beside it."""

from mapreduce.kernel import native

if __name__ == "__main__":
    native.load()

"""The command line `mapreduce`."""

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(prog="mapreduce")
    parser.parse_args()

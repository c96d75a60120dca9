"""The shell around the core: driver, journal, merging of results, and what a run leaves."""

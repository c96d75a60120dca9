"""What is decided during a run, from events to actions: pure, without PyMesos, sockets, clocks."""

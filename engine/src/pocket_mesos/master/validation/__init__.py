"""Whether what peers ask for makes sense. Each validator returns the fault in Mesos' words."""

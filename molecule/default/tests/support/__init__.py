"""What the tests share: the lab as its inventory declares it, and ways to ask and to move it."""

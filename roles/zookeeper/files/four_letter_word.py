"""Ask a ZooKeeper server: four_letter_word.py HOST PORT WORD. Prints the answer."""

import socket
import sys

host, port, word = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(word.encode())
        with connection.makefile(encoding="utf-8") as answer:
            sys.stdout.write(answer.read())
except OSError as error:
    sys.exit(str(error))

"""What both ends share to bring bytes from one to the other: servers, runs, files of rows."""

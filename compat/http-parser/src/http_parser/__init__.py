"""The import name of the http-parser distribution; the parser is in `http_parser.http`."""

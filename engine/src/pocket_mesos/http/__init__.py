"""HTTP edges that master and agent share: values, routing, server, event streams, client."""

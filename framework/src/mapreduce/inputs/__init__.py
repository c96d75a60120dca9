"""Finding inputs on the client, and reading their records on the agents."""

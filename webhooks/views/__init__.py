"""Pages of webhooks: of a repository, of a namespace and of the server, by the same functions."""

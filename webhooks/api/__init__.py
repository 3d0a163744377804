"""REST: webhooks of repositories, namespaces and the server, and what receivers answer."""

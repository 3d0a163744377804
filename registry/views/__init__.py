"""Pages of a repository's content."""

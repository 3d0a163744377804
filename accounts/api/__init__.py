"""REST about accounts, one module a subject."""

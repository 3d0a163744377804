"""Pages, buttons and feeds."""

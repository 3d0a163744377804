"""Parts of pages about accounts."""

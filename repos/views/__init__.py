"""Pages of repositories, and those that list them."""

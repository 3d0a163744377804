"""REST: repositories, who works on them, and what people say about them."""

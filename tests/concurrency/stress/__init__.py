"""A program that pushes, pulls, deletes and collects at once, and then looks at what is left."""

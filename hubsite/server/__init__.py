"""gunicorn with a short cut: answers that cannot have changed are given again from memory."""

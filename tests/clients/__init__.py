"""Programs people really use, against a whole hub."""

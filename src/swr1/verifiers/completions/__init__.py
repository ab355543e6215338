"""What every verifier reads of a completion: its text, its tags, where its answer stands."""

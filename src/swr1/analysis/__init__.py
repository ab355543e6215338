"""Reading what a policy writes: words, features of its reasoning, scripts, and what goes with them."""

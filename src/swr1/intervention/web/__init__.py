"""`swr1 intervene --web`: a page on this machine alone. Needs the extra `web` (Flask)."""

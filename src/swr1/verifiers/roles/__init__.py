"""Reading of who is a knight and who is a knave, however it is written."""

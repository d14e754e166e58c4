"""Run directories: each file of one is declared once, for those who write it and those who read it."""

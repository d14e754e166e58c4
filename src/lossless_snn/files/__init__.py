"""Files: written whole or not at all, read as typed models, hashed; progress of long jobs."""

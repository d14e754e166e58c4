"""`make report`: one page of all figures and tables in results/, and how each number came about."""

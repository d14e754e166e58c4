"""What runs came to: results beside published values, tables and figures."""

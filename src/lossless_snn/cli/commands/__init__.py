"""One module a command; each calls one function of the library."""

"""One module a command, in folders by what the command is about; each calls one function of the library."""

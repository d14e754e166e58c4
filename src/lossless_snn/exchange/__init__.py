"""Networks and results in other projects' formats. What needs a package of its own imports it when it is used."""

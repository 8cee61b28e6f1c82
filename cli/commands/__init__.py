"""One command per file: a function of plain values, whose heavy imports wait until it is called."""

"""Where members come from: the sources that know them, and what asks those."""

"""Tables of placement and the statements over them."""

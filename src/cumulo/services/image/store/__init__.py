"""Tables of images and the statements over them."""

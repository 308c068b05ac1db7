"""Back ends that hold the bytes of volumes."""

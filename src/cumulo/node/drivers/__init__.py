"""How a host's commands are carried out: by libvirt, by nothing at all."""

"""A small guest to start clouds with, built from the distribution's own packages.

Read `build.py` first.  `rootfs/` holds the guest's own files as they are in the guest; the rest
of it is the distribution's kernel, busybox and dropbear.
"""

"""Images: files that servers start from, as the Image API v2 shows them.

A row says what an image is and who may use it; its bytes lie in an image store under its id.
Bytes belong to an image only while its row says so (active, deactivated, staged, or an upload
that is still alive); `reconcile.py` removes all others.  Start reading at `images.py`, for the
bytes at `image_data.py`.
"""

"""What URLs of users may lead to, and what becomes of it: for everything that fetches them."""

from tests.image import malice
from tests.image.service import MIB
from tests.websites import Website, page, redirect

CONTENT = b"disk" * 1000
# OSSA-2015-002, 2016-013, 2025-001: files, this machine, and secrets told in errors.
REFUSED = (
    "file:///etc/shadow", "ftp://site/", "rbd://a/b/c/d", "cinder://store/id", "",
    "http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "http://10.0.0.1:80/",
    "http://[::ffff:10.0.0.1]/", "http://site:8774/", "http://ann:SECRET@site/",
)  # fmt: skip
# What is tried: a URL, what is said of the image, and why nothing comes of it.
IN_VAIN: tuple[tuple[str, dict[str, str], str], ...] = (
    ("http://inside/", {}, "inside is at an address"),
    ("http://site/inside", {}, "inside is at an address"),
    ("http://site/file", {}, "scheme 'file'"),
    ("http://site/bad", {"disk_format": "qcow2"}, "backing file"),
    ("http://site/none?key=SECRET", {}, "site answers 404"),
    ("http://site/large", {}, "too large"),
    ("http://site/short?key=SECRET", {}, "broke off"),
    ("http://nobody/", {}, "no address"),
)


def website() -> Website:
    """Return a site with what is good and what is not."""
    pages = {
        "/disk": page(CONTENT),
        "/disk?key=SECRET": page(CONTENT),
        "/bad": page(malice.qcow2(backing_file="/etc/shadow")),
        "/short?key=SECRET": page(CONTENT, length=5000),
        "/large": page(bytes(9 * MIB)),
        "/empty": page(b""),
        "/inside": redirect("http://inside/"),
        "/file": redirect("file:///etc/shadow"),
    }
    return Website(pages, names={"site": ["93.184.216.34"], "inside": ["169.254.169.254"]})

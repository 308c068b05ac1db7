"""Containers as web sites: an index, error pages, and lists of what there is."""

from html import escape
from urllib.parse import quote

from cumulo.kit.errors import CloudError, Forbidden, NotFound, Unauthorized
from cumulo.services.objectstore import containers, links, segments, versions
from cumulo.services.objectstore.api import answers, bodies
from cumulo.services.objectstore.containers import container_visible
from cumulo.services.objectstore.records import Asked, Head, Row
from cumulo.services.objectstore.visits import Visit, truth
from cumulo.web import Reply, Stream

_WEB = "X-Container-Meta-Web-"
_MOST = 10000


def container_page(visit: Visit, account: str, container: str, path: str) -> Reply | Stream | None:
    """Return a container's page, or None where it is no site or not asked as one."""
    head = _site(visit, account, container)
    if head is None:
        return None
    index, lists = head.headers.get(f"{_WEB}Index"), head.headers.get(f"{_WEB}Listings")
    if not index and not truth(lists):
        return None
    if not path.endswith("/"):
        if index and visit.headers.get("x-web-mode") is None:
            return _index_or_list(visit, account, container, "", head)
        return _moved(path)
    return _index_or_list(visit, account, container, "", head)


def object_page(
    visit: Visit, account: str, container: str, name: str, path: str
) -> Reply | Stream | None:
    """Return a page for what is no object of its own, or None for all the rest."""
    head = _site(visit, account, container)
    if head is None or visit.grant is not None:
        return None
    index, lists = head.headers.get(f"{_WEB}Index"), truth(head.headers.get(f"{_WEB}Listings"))
    try:
        if name.endswith("/") and (index or lists):
            return _index_or_list(visit, account, container, name, head)
        return _sent(visit, account, container, name)
    except NotFound as error:
        if (index or lists) and not name.endswith("/"):
            rows = _below(visit, account, container, f"{name}/")
            if rows:
                return _moved(path)
        return _error(visit, account, container, head, error)
    except (Unauthorized, Forbidden) as error:
        return _error(visit, account, container, head, error)


def _site(visit: Visit, account: str, container: str) -> Head | None:
    """Return the container if it is a site and is asked as one: by a stranger, or on request."""
    if visit.ctx.user_id and not truth(visit.headers.get("x-web-mode")):
        return None
    head = containers.find(visit, account, container)
    if head is None or not any(name.startswith(_WEB) for name in head.headers):
        return None
    return head


def _index_or_list(
    visit: Visit, account: str, container: str, prefix: str, head: Head
) -> Reply | Stream:
    index = head.headers.get(f"{_WEB}Index")
    try:
        if index:
            try:
                return _sent(visit, account, container, f"{prefix}{index}")
            except NotFound:
                if not truth(head.headers.get(f"{_WEB}Listings")):
                    raise
        return _list(visit, account, container, prefix, head)
    except (NotFound, Unauthorized, Forbidden) as error:
        return _error(visit, account, container, head, error)


def _list(visit: Visit, account: str, container: str, prefix: str, head: Head) -> Reply:
    container_visible(visit, account, container, lists=True)
    if not truth(head.headers.get(f"{_WEB}Listings")):
        raise NotFound("")
    rows = _below(visit, account, container, prefix)
    if prefix and not rows:
        raise NotFound("")
    label = head.headers.get(f"{_WEB}Listings-Label") or f"/v1/{account}/{container}/"
    title = escape(f"Listing of {label}{prefix}")
    css = head.headers.get(f"{_WEB}Listings-Css", "")
    if css:
        up = "" if css.startswith(("/", "http://", "https://")) else "../" * prefix.count("/")
        style = f'<link rel="stylesheet" type="text/css" href="{quote(up + css, safe=":/?&=%")}" />'
    else:
        style = "<style>td { padding: 2px 1em 2px 0; }</style>"
    lines = [_line(row, prefix) for row in rows]
    up_line = '<tr id="parent"><td><a href="../">../</a></td></tr>' if prefix else ""
    body = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" '
        '"http://www.w3.org/TR/html4/loose.dtd">\n'
        f"<html>\n <head>\n  <title>{title}</title>\n  {style}\n </head>\n <body>\n"
        f'  <h1 id="title">{title}</h1>\n  <table id="listing">\n'
        '   <tr id="heading"><th class="colname">Name</th><th class="colsize">Size</th>'
        '<th class="coldate">Date</th></tr>\n'
        f"{up_line}{''.join(lines)}  </table>\n </body>\n</html>\n"
    )
    return Reply(body, content_type=answers.HTML)


def _line(row: Row | str, prefix: str) -> str:
    name = row if isinstance(row, str) else row.name
    short = name[len(prefix) :]
    link = f'<a href="./{quote(short)}">{escape(short)}</a>'
    if isinstance(row, str):
        return f'   <tr class="item subdir"><td class="colname">{link}</td></tr>\n'
    kind = escape(row.content_type.partition(";")[0].replace("/", "-"), quote=True)
    return (
        f'   <tr class="item type-{kind}"><td class="colname">{link}</td>'
        f'<td class="colsize">{row.size}</td><td class="coldate">{row.modified[:19]}</td></tr>\n'
    )


def _below(visit: Visit, account: str, container: str, prefix: str) -> list[Row | str]:
    asked = Asked(prefix=prefix, delimiter="/", limit=_MOST)
    return containers.rows(visit, account, container, asked)


def _sent(visit: Visit, account: str, container: str, name: str) -> Reply | Stream:
    found = versions.followed(visit, links.open_found(visit, account, container, name))
    headers = bodies.described(visit, found) | answers.cross_origin(visit, account, container)
    whole = segments.resolved(visit, found)
    headers["Etag"] = whole.etag
    return bodies.sent(visit, whole, headers)


def _error(
    visit: Visit, account: str, container: str, head: Head, error: CloudError
) -> Reply | Stream:
    """Return the site's own page for an error, if there is one that may be read."""
    suffix, status = head.headers.get(f"{_WEB}Error"), answers.FAMILY.status_of(error)
    if not suffix:
        raise error
    try:
        page = _sent(visit.sub("GET"), account, container, f"{status}{suffix}")
    except CloudError:
        raise error from None
    assert isinstance(page, Stream), "a request without conditions has a body"
    return Stream(page.pieces, page.length, status, page.headers, page.content_type)


def _moved(path: str) -> Reply:
    location = quote(f"{path}/")
    return Reply(
        "<html><h1>Moved Permanently</h1><p>The resource has moved permanently.</p></html>",
        status=301,
        headers={"Location": location},
        content_type=answers.HTML,
    )

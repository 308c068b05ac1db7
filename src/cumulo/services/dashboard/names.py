"""Names for ids: what a page would show as an id it shows by name, where that can be learned."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from cumulo.services.dashboard.cells import Link, Many
from cumulo.services.dashboard.cloud import Cloud, Refusal, part
from cumulo.services.dashboard.details import Detail, Group
from cumulo.services.dashboard.forms import Form

# Where the things below a path of ours are listed: service, path, name of the list.
_LISTED = {
    "/networks": ("network", "/networks", "networks"),
    "/routers": ("network", "/routers", "routers"),
    "/security-groups": ("network", "/security-groups", "security_groups"),
    "/subnets": ("network", "/subnets", "subnets"),
    "/admin/projects": ("identity", "/projects", "projects"),
    "/admin/domains": ("identity", "/domains", "domains"),
}
# Where lists cannot be asked for certain things: service, path, name of the one.
_SINGLE = {
    "/servers": ("compute", "/servers", "server"),
    "/volumes": ("volume", "/volumes", "volume"),
}
_MOST = 10  # that are asked for one by one


def known(cloud: Cloud, page: object) -> Mapping[str, str]:
    """Return the names of what a page links to by nothing but an id, by the addresses of links."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for link in _links(page):
        path, _, last = link.href.rpartition("/")
        if link.text and link.text == last:
            wanted[path].add(link.text)
    return {
        f"{path}/{one}": name
        for path, ids in wanted.items()
        for one, name in _names(cloud, path, ids)
        if name
    }


def _links(page: object) -> Iterator[Link]:
    if isinstance(page, Link):
        yield page
        return
    parts: Iterable[object] = ()
    if isinstance(page, list | tuple):
        parts = page
    elif isinstance(page, dict):
        parts = page.values()
    elif isinstance(page, Many):
        parts = page.cells
    elif isinstance(page, Group):
        parts = (page.facts, page.rows)
    elif isinstance(page, Detail):
        parts = page.groups
    elif isinstance(page, Form):  # what it is about is where it leads back to
        parts = (Link(page.back.rpartition("/")[2], page.back),)
    for each in parts:
        yield from _links(each)


def _names(cloud: Cloud, path: str, ids: set[str]) -> Iterator[tuple[str, str]]:
    try:
        if path in _LISTED:
            service, at, key = _LISTED[path]
            query = {"id": sorted(ids)} if service == "network" else {}
            for one in cloud.get(service, at, **query)[key]:
                yield one["id"], one["name"]
        elif path in _SINGLE and len(ids) <= _MOST:
            service, at, key = _SINGLE[path]
            for each in sorted(ids):
                yield each, cloud.get(service, f"{at}/{part(each)}")[key]["name"]
    except Refusal:
        return  # the page tells ids then

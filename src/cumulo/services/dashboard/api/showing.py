"""From a description of a list, a thing or a form to the page that shows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from cumulo.kit.errors import CloudError
from cumulo.services.dashboard import lists
from cumulo.services.dashboard.api.pages import Go, Page, Visit
from cumulo.services.dashboard.cloud import Refusal, part
from cumulo.services.dashboard.details import Detail
from cumulo.services.dashboard.forms import Form
from cumulo.services.dashboard.lists import Item, Listing


def list_page(
    visit: Visit,
    listing: Listing,
    *,
    keep: Callable[[Item], bool] = lambda _: True,
    above: str = "",
) -> Page:
    """Return the part of a list that the query asks for."""
    if listing.project and visit.scope.project_id:
        query = {**listing.query, listing.project: visit.scope.project_id}
        listing = replace(listing, query=query)
    asked = lists.wanted(visit.query, listing, visit.call.tools.settings.page_size)
    found = lists.rows(visit.cloud, listing, asked, keep)

    def link(**query: str) -> str:
        given = {name: value for name, value in {"q": asked.text, **query}.items() if value}
        return f"{listing.path}?{urlencode(given)}" if given else listing.path

    here = {name: values[0] for name, values in visit.query.items()}
    return Page(
        "list.html",
        {
            "listing": listing,
            "rows": found,
            "table": [[column.cell(item) for column in listing.columns] for item in found.items],
            "asked": asked,
            "link": link,
            "here": f"{listing.path}?{urlencode(here)}" if here else listing.path,
            "section": listing.section or listing.path,
            "above": above,
        },
    )


def detail_page(detail: Detail, section: str, template: str = "show.html", **more: Any) -> Page:
    """Return the page about one thing."""
    return Page(template, {"it": detail, "section": section, **more})


def form_page(form: Form) -> Page:
    """Return the page that asks."""
    return Page("form.html", {"form": form, "section": form.section})


def form_about(visit: Visit, service: str, path: str, form: Form) -> Page:
    """Return a page that asks about a thing, which must be there for who looks."""
    visit.cloud.get(service, path)
    return form_page(form)


def submitted(
    visit: Visit, form: Form, act: Callable[[], Go], template: str = "form.html", **more: Any
) -> Page | Go:
    """Do what a form asks for; what is refused shows the form again, with the reason."""
    try:
        return act()
    except Refusal as refusal:
        if refusal.status == 401:
            raise
        problem, status = refusal.message, refusal.status
    except CloudError as error:
        problem, status = error.message, 400
    values = {"form": form.again(visit.given, problem), "section": form.section, **more}
    return Page(template, values, status)


def each(visit: Visit, deeds: Mapping[str, Callable[[str], object]], back: str, done: str) -> Go:
    """Do one thing with everything that was chosen, and tell what was refused and why."""
    deed = deeds.get(visit.given.text("action"))
    chosen = visit.given.many("id")
    if deed is None or not chosen:
        return Go(back, visit.say("Choose what to do it with."), "bad")
    refusals = []
    for one in chosen:
        try:
            deed(one)
        except Refusal as refusal:
            if refusal.status == 401:
                raise
            refusals.append(f"{one}: {refusal.message}")
    good = len(chosen) - len(refusals)
    told = [visit.say(done, count=good)] if good else []
    return Go(back, "\n".join(told + refusals), "bad" if refusals else "good")


def delete_each(visit: Visit, service: str, path: str, back: str) -> Go:
    """Delete everything that was chosen below a path of an API."""
    deeds = {"delete": lambda one: visit.cloud.delete(service, f"{path}/{part(one)}")}
    return each(visit, deeds, back, "Deleted: {count}.")


def delete_one(visit: Visit, service: str, path: str, back: str) -> Go:
    """Delete the one thing that a page is about."""
    if visit.given.text("action") != "delete":
        raise Refusal(400, visit.say("There is no such action."), {})
    visit.cloud.delete(service, path)
    return Go(back, visit.say("It is deleted."))


def named(items: Sequence[Item], key: str = "id", name: str = "name") -> dict[str, str]:
    """Return names by ids."""
    return {str(item[key]): str(item[name] or item[key]) for item in items}

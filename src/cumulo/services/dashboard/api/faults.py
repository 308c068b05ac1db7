"""Errors as a browser shows them, where no page could say them itself."""

from cumulo.services.dashboard import pictures
from cumulo.web.faults import Family, Problem


def _spelled(problem: Problem) -> tuple[bytes, str]:
    values = {
        "status": problem.status,
        "title": problem.title,
        "message": problem.message,
        "request_id": problem.request_id,
    }
    if "html" not in problem.accept:
        return f"{problem.message}\n".encode(), "text/plain; charset=utf-8"
    return pictures.rendered("fault.html", values), "text/html; charset=utf-8"


FAMILY = Family(_spelled)

"""The description of an API, derived from its operations."""

from collections.abc import Iterable
from typing import Any, get_type_hints

import msgspec

from cumulo.web.edge import Api
from cumulo.web.operation import Operation
from cumulo.web.upload import Upload

_REF = "#/components/schemas/{name}"


def describe(api: Api, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of one service, as it is at its newest microversion."""
    operations = [op for op in api.operations if _is_current(api, op)]
    kinds = [kind for op in operations for kind in _kinds(op)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        methods = paths.setdefault(_place(operation), {})
        methods[operation.method.lower()] = _operation(operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": api.name, "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
            },
        },
    }


def _is_current(api: Api, operation: Operation) -> bool:
    return api.history is None or operation.exists_at(api.history.latest)


def _place(operation: Operation) -> str:
    """Return the path; where bodies choose among actions, with the action after a #."""
    return f"{operation.path}#{operation.action}" if operation.action else operation.path


def _operation(operation: Operation, by_kind: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": (operation.run.__doc__ or "").strip().splitlines()[0],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {str(operation.status): _answer(operation, by_kind)},
        "security": [] if operation.policy is None else [{"token": []}],
    }
    if operation.policy is not None:
        described["x-openstack-policy"] = operation.policy
    if operation.since is not None:
        described["x-openstack-min-version"] = str(operation.since)
    if operation.body is Upload:
        described["requestBody"] = {"content": {"application/octet-stream": {}}}
    elif operation.body is not None:
        schema = by_kind[operation.body]
        described["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return described


def _path_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}").partition(":")[0]
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.query is None:
        return
    schema = msgspec.json.schema(operation.query)["$defs"][operation.query.__name__]
    for name, described in schema["properties"].items():
        yield {"name": name, "in": "query", "schema": described}


def _kinds(operation: Operation) -> list[Any]:
    body = [operation.body] if operation.body not in (None, Upload) else []
    return [*body, *_answer_kind(operation)]


def _answer_kind(operation: Operation) -> list[Any]:
    kind = get_type_hints(operation.run, include_extras=True).get("return")
    return [kind] if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else []


def _answer(operation: Operation, by_kind: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": ""}
    for kind in _answer_kind(operation):
        described["content"] = {"application/json": {"schema": by_kind[kind]}}
    return described

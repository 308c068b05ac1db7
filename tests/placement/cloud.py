"""An operator of placement, with words for what tests do often."""

from typing import Any

from cumulo.kit.ids import new_id
from tests.client import Answer, Client


class Cloud:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: dict[str, str] = {}

    def at(self, version: str) -> Client:
        return self.client.at(f"placement {version}")

    def as_(self, token: str) -> Client:
        return self.client.as_(token)

    def provider(
        self,
        name: str,
        *,
        parent: str = "",
        traits: tuple[str, ...] = (),
        aggregates: tuple[str, ...] = (),
        **stock: Any,
    ) -> str:
        """Make a provider; stock is VCPU=4 or VCPU={"total": 4, ...}."""
        body = {"name": name, "uuid": new_id()}
        if parent:
            body["parent_provider_uuid"] = self.ids[parent]
        uuid: str = body["uuid"]
        assert self.client.post("/resource_providers", body).status == 200
        self.ids[name] = uuid
        if stock:
            assert self.stock(name, **stock).status == 200
        if traits:
            assert self.traits(name, *traits).status == 200
        if aggregates:
            given = {"aggregates": list(aggregates)}
            assert self.put(name, "aggregates", given).status == 200
        return uuid

    def put(self, name: str, what: str, body: dict[str, Any]) -> Answer:
        """Replace a part of a provider, with the generation it has now."""
        body = {"resource_provider_generation": self.generation(name), **body}
        return self.client.put(f"/resource_providers/{self.ids[name]}/{what}", body)

    def stock(self, name: str, **stock: Any) -> Answer:
        given = {n: s if isinstance(s, dict) else {"total": s} for n, s in stock.items()}
        return self.put(name, "inventories", {"inventories": given})

    def traits(self, name: str, *traits: str) -> Answer:
        for trait in traits:
            if trait.startswith("CUSTOM_"):
                self.client.put(f"/traits/{trait}")
        return self.put(name, "traits", {"traits": list(traits)})

    def generation(self, name: str) -> int:
        shown = self.client.get(f"/resource_providers/{self.ids[name]}").json()
        generation: int = shown["generation"]
        return generation

    def used(self, name: str) -> dict[str, int]:
        shown = self.client.get(f"/resource_providers/{self.ids[name]}/usages").json()
        usages: dict[str, int] = shown["usages"]
        return usages

    def wish(self, generation: int | None = None, **amounts: dict[str, int]) -> dict[str, Any]:
        """Return what a consumer shall hold: wish(host={"VCPU": 1})."""
        return {
            "allocations": {self.ids[n]: {"resources": held} for n, held in amounts.items()},
            "project_id": "p1",
            "user_id": "ann",
            "consumer_generation": generation,
            "consumer_type": "INSTANCE",
        }

    def allocate(self, consumer: str, generation: int | None = None, **amounts: Any) -> Answer:
        return self.client.put(f"/allocations/{consumer}", self.wish(generation, **amounts))

    def ways(self, query: str) -> list[dict[str, dict[str, int]]]:
        """Return the candidates, with names in the place of ids, in order."""
        answer = self.client.get(f"/allocation_candidates?{query}")
        assert answer.status == 200, answer.text
        names = {uuid: name for name, uuid in self.ids.items()}
        found = [
            {names[uuid]: held["resources"] for uuid, held in way["allocations"].items()}
            for way in answer.json()["allocation_requests"]
        ]
        return sorted(found, key=str)

    def hosts(self, query: str) -> list[str]:
        """Return the providers of candidates that take from one each."""
        return sorted("+".join(sorted(way)) for way in self.ways(query))

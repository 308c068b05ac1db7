from cumulo.db import Tx
from tests.client import Client
from tests.identity.conftest import Cloud

CONSUMERS = "/v3/OS-OAUTH1/consumers"


def test_a_consumer_from_first_to_last(cloud: Cloud, admin: Client) -> None:
    new = admin.post(CONSUMERS, {"consumer": {"description": "a"}}).json()["consumer"]
    one = f"{CONSUMERS}/{new['id']}"
    shown = admin.get(one).json()["consumer"]
    assert shown == {k: v for k, v in new.items() if k != "secret"}
    assert admin.get(CONSUMERS).json()["consumers"] == [shown]
    changed = admin.patch(one, {"consumer": {"description": "b"}}).json()["consumer"]
    assert changed == {**shown, "description": "b"}
    assert new["secret"] not in cloud.db.read(_all)
    demo = cloud.login("demo", "demo-secret", {"unscoped": {}})
    assert demo.get(CONSUMERS).status == 403
    assert admin.delete(one).status == 204
    assert admin.get(one).status == 404


def _all(tx: Tx) -> str:
    return str(tx.exec_driver_sql("SELECT * FROM identity_consumer").all())

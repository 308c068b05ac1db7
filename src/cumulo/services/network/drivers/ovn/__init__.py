"""OVN: the network as rows in its northbound database.

Start in `driver.py`.  Networks, ports, routers and security groups become rows in a file each,
as pure functions; `rows.py` finds what to change, `ovsdb.py` changes it.
"""

from cumulo.services.network.drivers.ovn.driver import OvnDriver as OvnDriver

"""What the program itself may have of machines."""

from cumulo.services.machines.desk import Desk as Desk
from cumulo.services.machines.desk import DeskTools as DeskTools
from cumulo.services.machines.desk import Entrance as Entrance
from cumulo.services.machines.machines import TOKEN_LIFE_S as TOKEN_LIFE_S
from cumulo.services.machines.machines import Machine as Machine
from cumulo.services.machines.machines import is_member as is_member
from cumulo.services.machines.machines import list_machines as list_machines
from cumulo.services.machines.machines import new_token as new_token
from cumulo.services.machines.machines import remove as remove
from cumulo.services.machines.nodes import JoinedNodes as JoinedNodes

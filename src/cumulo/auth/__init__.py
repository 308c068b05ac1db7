"""Who is asking, and may they."""

from cumulo.auth.context import Context as Context
from cumulo.auth.context import Token as Token
from cumulo.auth.policy import Policy as Policy

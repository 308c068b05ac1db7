"""These tests run on every kind of database server; on other than SQLite as `real` ones."""

from tests.stores import db as db

"""What differs between the two databases."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.functions import Collate


def byte_order(field: str) -> Any:
    """The field for ordering and comparing by bytes, whatever the database's own collation.

    SQLite's default is by bytes; PostgreSQL needs to be told.
    """
    return Collate(F(field), "C") if connection.vendor == "postgresql" else F(field)

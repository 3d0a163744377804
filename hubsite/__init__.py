"""The project: assembles the apps, holds no behaviour."""

from hubsite.celery import app as celery_app

__all__ = ["celery_app"]

"""The accounts app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import append_only, audit_terms, factors, receivers, subjects  # noqa: F401
        from accounts.services import chain
        from kartra_admin import checks  # noqa: F401

        factors.register_seals()
        subjects.register_seals()
        post_migrate.connect(subjects.lay_index_key, sender=self)
        post_migrate.connect(chain.lay_head, sender=self)
        post_migrate.connect(audit_terms.fill, sender=self)
        post_migrate.connect(append_only.reinstall_after_migrate, sender=self)

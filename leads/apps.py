from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LeadsConfig(AppConfig):
    name = "leads"

    def ready(self) -> None:
        from accounts import marks
        from leads import (
            audit_actions,  # noqa: F401  (registers)
            checks,  # noqa: F401  (registers)
            seals,
            search_index,
        )
        from leads.selectors import unusual

        seals.register()
        marks.register(unusual.marks_of)
        post_migrate.connect(search_index.reinstall_after_migrate, sender=self)

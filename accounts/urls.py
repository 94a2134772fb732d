"""The team, the audit log, my profile."""

from django.urls import path

from accounts.views import audit, audit_filters, exports, factors, keys, profile, sessions, team

app_name = "accounts"

urlpatterns = [
    path("profile/", profile.edit, name="profile"),
    path("team/", team.index, name="team"),
    path("team/add/", team.add, name="team-add"),
    path("team/<int:user_id>/", team.edit, name="team-edit"),
    path("team/<int:user_id>/deactivate/", team.deactivate, name="team-deactivate"),
    path("team/<int:user_id>/reactivate/", team.reactivate, name="team-reactivate"),
    path("team/<int:user_id>/link/", team.link, name="team-link"),
    path("team/<int:user_id>/factor/", factors.take_away, name="team-factor"),
    path("sessions/", sessions.index, name="sessions"),
    path("sessions/<int:session_id>/end/", sessions.end, name="session-end"),
    path("sessions/end-others/", sessions.end_others, name="sessions-end-others"),
    path("settings/keys/", keys.index, name="keys"),
    path("audit/", audit.index, name="audit"),
    path("audit/sign/", audit.sign, name="audit-sign"),
    path("audit/export/<str:form>/", exports.export, name="audit-export"),
    path("audit/verify.py", exports.verifier, name="audit-verifier"),
    path("audit/public-keys.txt", exports.keys, name="audit-keys"),
    path("audit/<int:entry_id>/evidence/", exports.pack_of_entry, name="audit-pack"),
    path("audit/operation/<uuid:operation_id>/evidence/", exports.pack_of_operation, name="audit-pack-operation"),
    path("audit/filters/save/", audit_filters.save, name="audit-filter-save"),
    path("audit/filters/<int:filter_id>/delete/", audit_filters.delete, name="audit-filter-delete"),
    path("audit/<int:entry_id>/", audit.detail, name="audit-entry"),
]

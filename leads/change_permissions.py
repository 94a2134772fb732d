"""Which permission each kind of change needs, whoever sends it: a form, a playbook, a bulk job, an undo."""

PERMISSIONS = {
    "lead.create": "lead.create",
    "lead.edit": "lead.edit",
    "tag.assign": "lead.tag",
    "tag.unassign": "lead.tag",
    "list.subscribe": "lead.subscribe",
    "list.unsubscribe": "lead.subscribe",
    "sequence.subscribe": "lead.subscribe",
    "sequence.unsubscribe": "lead.subscribe",
    "calendar.subscribe": "lead.subscribe",
    "calendar.cancel": "lead.subscribe",
    "points.give": "lead.points",
    "points.remove": "lead.points",
    "field.create": "field.create",
    "transaction.refund": "transaction.refund",
    "subscription.cancel": "subscription.cancel",
    "subscription.pause": "subscription.pause",
    "subscription.resume": "subscription.pause",
    "subscription.edit": "subscription.edit",
}

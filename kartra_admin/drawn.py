"""What is drawn once and then the same on every page: icons, and parts that say nothing of their page."""

from functools import cache

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

register = template.Library()

# As the package has it, which copies the icon's XML and writes it out anew for each place on a page.
register.simple_tag(cache(lucide), name="lucide")


@register.simple_tag
@cache
def always(name: str) -> SafeString:
    """A template that needs no context, as it was when it was first drawn."""
    return render_to_string(name)

"""How Django draws our forms."""

from django.forms.renderers import TemplatesSetting


class FormRenderer(TemplatesSetting):
    """Templates from the project's folders, and one template for every field."""

    field_template_name = "components/field.html"
